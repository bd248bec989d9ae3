"""A sender's connection to the edge: plain HTTP/1.1, kept alive, one request at a time."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from local.demo.errors import EdgeGoneError

ANSWER_SECONDS = 10.0
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.2
RETRY_AFTER_SECONDS = 1.0


class EdgeAnswer(NamedTuple):
    """`name` is the X-DMP-Status."""

    status: int
    name: str


@dataclass(slots=True)
class Retries:
    """Requests that had to be sent again: after 503, and after no answer."""

    refused: int = 0
    unanswered: int = 0


class EdgeConnection:
    """Opened when first used, and again whenever it breaks."""

    def __init__(self, host: str, port: int, repeats: Retries) -> None:
        self._host = host
        self._port = port
        self._repeats = repeats
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> EdgeAnswer:
        """Send the request and return the answer; after a 503, or no answer, send it again.

        Raises EdgeGoneError if that has gone on for a minute.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + PATIENCE_SECONDS
        while loop.time() < give_up_at:
            try:
                answer = await asyncio.wait_for(self._once(request), ANSWER_SECONDS)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
                self._repeats.unanswered += 1
                await self.close()
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if answer.status != 503:
                return answer
            self._repeats.refused += 1
            await asyncio.sleep(RETRY_AFTER_SECONDS)
        raise EdgeGoneError(f"the edge at {self._host}:{self._port} has not answered for {PATIENCE_SECONDS:.0f} s")

    async def close(self) -> None:
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _once(self, request: bytes) -> EdgeAnswer:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(_header(head, b"content-length") or b"0")
        if length:
            await self._reader.readexactly(length)
        return EdgeAnswer(int(head[9:12]), _header(head, b"x-dmp-status").decode())


def _header(head: bytes, name: bytes) -> bytes:
    """Return the value of a header; empty if there is none."""
    for line in head.split(b"\r\n")[1:]:
        found, _, value = line.partition(b":")
        if found.lower() == name:
            return value.strip()
    return b""
