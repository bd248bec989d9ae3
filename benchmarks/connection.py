"""One keep-alive connection that speaks as little HTTP/1.1 as the edge's answers need: one request at a time."""

import asyncio
from collections.abc import Callable
from typing import cast

Answered = Callable[["Connection", int], None]
"""Told the status of each answer; 0 where the connection was lost with an answer outstanding."""


class Connection(asyncio.Protocol):
    """`token` is whatever the owner wants to find again when the answer comes."""

    __slots__ = ("_answered", "_part", "_transport", "lost", "token", "waiting")

    def __init__(self, answered: Answered) -> None:
        self._answered = answered
        self._transport: asyncio.WriteTransport
        self._part = b""
        self.token = -1
        self.waiting = False
        self.lost = False

    def send(self, request: bytes) -> None:
        self.waiting = True
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's do not inherit from it

    def data_received(self, data: bytes) -> None:
        if self._part:
            data = self._part + data
        if not _is_whole(data):
            self._part = data
            return
        self._part = b""
        self.waiting = False
        self._answered(self, int(data[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self.waiting:
            self.waiting = False
            self._answered(self, 0)


def _is_whole(data: bytes) -> bool:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    start = data.find(b"content-length: ", 0, end)
    if start < 0:
        return True
    length = int(data[start + 16 : data.index(b"\r", start)])
    return len(data) >= end + 4 + length
