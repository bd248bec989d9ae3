"""`python -m benchmarks.plain_asgi --port P`: a function that answers 43 bytes, served as the edge is."""

from typing import Any
from unittest.mock import patch

from dmphub import edge_server

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"image/gif")]}
BODY = {"type": "http.response.body", "body": bytes(43)}


async def plain(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send(START)
        await send(BODY)
        return
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def main() -> None:
    with patch.object(edge_server, "make_edge", lambda: plain):
        edge_server.main()


if __name__ == "__main__":
    main()
