"""`python -m benchmarks.uncommitted_edge --port P`: the edge as it is, but its inbox answers at once and keeps nothing.

What the commit costs is the difference between this and `python -m dmphub.edge_server`.
"""

import asyncio
from unittest.mock import patch

from dmphub import asgi, edge_server
from edge.group_commit import InboxAppender


class Uncommitted(InboxAppender):
    """Promises, and forgets."""

    @property
    def reachable(self) -> bool:
        return True

    def append(self, bucket: int, kind: int, query: bytes, body: bytes | None = None) -> "asyncio.Future[None]":
        return self._done

    async def start(self) -> None:
        self._done = asyncio.get_running_loop().create_future()
        self._done.set_result(None)

    async def close(self) -> None:
        """Nothing waits."""


def main() -> None:
    with patch.object(asgi, "InboxAppender", Uncommitted):
        edge_server.main()


if __name__ == "__main__":
    main()
