"""The edge's HTTP/1.1 server: listens, and ends connections that wait too long.

It runs in the thread and on the event loop of the application. A server with threads of its own costs each request two
changes of thread and two turns of the interpreter's lock: a tenth of the processor time of a `/uid`.
"""

import asyncio
import time
from email.utils import formatdate

from edge.connection import Application, Connection
from edge.open_connections import ConnectionPlaces, OpenConnections

_TICK = 1.0  # seconds
_DRAINED_SECONDS = 0.02
DEFAULT_PLACES = ConnectionPlaces()


class HttpServer:
    """Serves one application on one port, which other processes may share (SO_REUSEPORT)."""

    def __init__(self, application: Application, places: ConnectionPlaces = DEFAULT_PLACES) -> None:
        self.application = application
        self.connections = OpenConnections(places, application.count_dropped)
        self.date = _date()
        self.is_stopping = False
        self.now = 0.0
        self._listener: asyncio.Server
        self._ticking: asyncio.Task[None]

    async def start(self, host: str, port: int, backlog: int) -> None:
        loop = asyncio.get_running_loop()
        self.now = loop.time()
        self._ticking = loop.create_task(self._tick())
        self._listener = await loop.create_server(
            lambda: Connection(self), host, port, reuse_port=True, backlog=backlog
        )

    async def stop(self) -> None:
        """Accept nothing more; returns once every request that is under way has its response."""
        self.is_stopping = True
        self._listener.close()
        while self.connections:
            for connection in list(self.connections):
                connection.close()
            await asyncio.sleep(_DRAINED_SECONDS)
        self._ticking.cancel()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK)
            self.now = loop.time()
            self.date = _date()
            for connection in list(self.connections):
                connection.expire(self.now)


def _date() -> bytes:
    return b"date: " + formatdate(time.time(), usegmt=True).encode() + b"\r\n"
