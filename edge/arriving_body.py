"""The body of a request that has not arrived as a whole when its head is read."""

import asyncio
from collections import deque
from typing import Any

from edge.chunks import ChunkReader
from edge.request_head import CHUNKED

_DISCONNECT: dict[str, Any] = {"type": "http.disconnect"}


class ArrivingBody:
    """The body of one request, as far as it has arrived. `length`: in bytes, or CHUNKED."""

    __slots__ = ("_chunks", "_left", "_parts", "_waiter", "is_lost", "size")

    def __init__(self, length: int) -> None:
        self._chunks = ChunkReader() if length == CHUNKED else None
        self._left = length
        self._parts: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self.size = 0  # of what has arrived and is not taken
        self.is_lost = False

    @property
    def is_complete(self) -> bool:
        """Whether all of it has arrived."""
        return self._left == 0

    @property
    def is_awaited(self) -> bool:
        """Whether nothing can be taken yet, but will be."""
        return not (self._parts or self.is_complete or self.is_lost)

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; returns what follows it. Raises BadRequestError."""
        if self._chunks is None:
            part, rest = data[: self._left], data[self._left :]
            self._left -= len(part)
        else:
            part = self._chunks.feed(data)
            rest = self._chunks.rest or b""
            self._left = CHUNKED if self._chunks.rest is None else 0
        if part:
            self._parts.append(part)
            self.size += len(part)
        self._wake()
        return rest

    def lose(self) -> None:
        """No more of it will arrive."""
        self.is_lost = True
        self._wake()

    async def take(self) -> dict[str, Any]:
        """Wait for the next part, and return it as ASGI says it."""
        if self.is_awaited:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._waiter = None
        if self.is_lost and not self._parts:
            return _DISCONNECT
        content = self._parts.popleft() if self._parts else b""
        self.size -= len(content)
        return {"type": "http.request", "body": content, "more_body": bool(self._parts) or not self.is_complete}

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
