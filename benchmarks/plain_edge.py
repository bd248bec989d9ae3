"""`python -m benchmarks.plain_edge --port P`: 43 bytes for every request, served as the edge is."""

from unittest.mock import patch

from dmphub import edge_server
from edge.request import EdgeRequest
from edge.responses import EdgeResponse, gif


class PlainApplication:
    async def start(self) -> None:
        """Needs nothing."""

    async def close(self) -> None:
        """Keeps nothing."""

    async def respond(self, request: EdgeRequest) -> EdgeResponse:
        return gif("plain")

    def refuse(self, status: int) -> EdgeResponse:
        return gif("plain")

    def count_dropped(self, connections: int) -> None:
        """Counts nothing."""


def main() -> None:
    with patch.object(edge_server, "make_edge", lambda _: PlainApplication()):
        edge_server.main()


if __name__ == "__main__":
    main()
