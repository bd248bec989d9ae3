"""One connection of a client: requests one after another, each handled when the one before it has its response.

Written on asyncio's protocols, so that a request is read, handled and answered in one thread. `edge.http_server` makes
one for each client; the parts of HTTP that need care are in `edge.request_head` and `edge.chunks`.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, cast

from edge.arriving_body import ArrivingBody
from edge.open_connections import OpenConnections, site_of
from edge.request import EdgeRequest
from edge.request_head import (
    MOST_HEAD_BYTES,
    BadRequestError,
    RequestHead,
    check_beginning,
    without_empty_lines,
)
from edge.responses import EdgeResponse

_MOST_WAITING_BYTES = 64 * 1024
_MOST_DISCARDED_BYTES = 4 * 1024 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = b"connection: close\r\n"
_KEEP_ALIVE = b"connection: keep-alive\r\n"
_NO_BODY: dict[str, Any] = {"type": "http.request", "body": b"", "more_body": False}

IDLE_SECONDS = 30.0
"""So long a connection may take for the head of a request, and a client for reading what it was sent."""
LINGER_SECONDS = 2.0
"""So long what a refused client still sends is read."""


class Application(Protocol):
    """What handles requests. `respond` returns None if the client has gone; it must not raise."""

    def respond(self, request: EdgeRequest) -> Coroutine[Any, Any, EdgeResponse | None]: ...

    def refuse(self, status: int) -> EdgeResponse:
        """Returns the response to what is no request."""
        ...

    def count_dropped(self, connections: int) -> None: ...


class Surroundings(Protocol):
    """What a connection asks of its server. `date`: a header line. `now`: the loop's time, a second old at most."""

    application: Application
    date: bytes
    now: float
    is_stopping: bool
    connections: OpenConnections


class Connection(asyncio.Protocol):
    """`is_busy`: a request has no response yet; `since`: the server's time at which it was last busy.

    `address`: whom it counts for among the open connections.
    """

    __slots__ = (
        *("_body", "_buffer", "_peer", "_discarded", "_handling", "_has_ended", "_head", "_is_blocked", "_is_over"),
        *("_is_paused", "_refusal", "_searched", "_server", "_task", "_transport", "address", "is_busy", "since"),
    )

    def __init__(self, server: Surroundings) -> None:
        self._server = server
        self._transport: asyncio.Transport
        self._peer = ""
        self._buffer = b""
        self._searched = 0  # so much of the buffer holds no end of a head
        self._head: RequestHead
        self._handling: Coroutine[Any, Any, EdgeResponse | None]
        self._body: ArrivingBody | None = None  # None: there is none, or all of it came with the head
        self._task: asyncio.Task[None] | None = None
        self._refusal: EdgeResponse | None = None
        self._is_blocked = False  # the client does not read
        self._is_paused = False  # we do not
        self._has_ended = False  # the client sends no more
        self._is_over = False  # we take no more
        self._discarded = 0
        self.is_busy = False
        self.since = server.now
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not inherit from it
        name = transport.get_extra_info("peername")
        self._peer = name[0] if isinstance(name, tuple) else ""  # a Unix socket has none
        self.address = site_of(self._peer)
        self._server.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connections.discard(self)
        self._is_over = True
        if self._body is not None:
            self._body.lose()

    def eof_received(self) -> bool:
        """The client sends no more. It may still read responses: True keeps the connection for them."""
        self._has_ended = True
        if self._body is not None and not self._body.is_complete:
            self._body.lose()
        return (self.is_busy or self._is_blocked) and not self._is_over

    def pause_writing(self) -> None:
        self._is_blocked = True

    def resume_writing(self) -> None:
        self._is_blocked = False
        self._next()
        if not self._has_enough():
            self._resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            self._discard(data)
            return
        body = self._body
        if body is not None and not body.is_complete:
            data = self._feed(body, data)
        if data:
            self._buffer = self._buffer + data if self._buffer else data
        self._next()
        if self._has_enough():
            self._is_paused = True
            self._transport.pause_reading()

    def close(self) -> None:
        """Take no more requests, and end the connection if none is under way."""
        if not self.is_busy:
            self._is_over = True
            self._transport.close()

    @property
    def waits_for_client(self) -> bool:
        """Whether there is nothing to do before the client sends or reads something."""
        return not self.is_busy or (self._body is not None and not self._body.is_complete)

    def drop(self) -> None:
        """End the connection at once, whatever is under way."""
        self._is_over = True
        self._transport.abort()

    def expire(self, now: float) -> None:
        """End a connection whose client takes too long, for a request or for reading a response."""
        if self.is_busy or now - self.since < (LINGER_SECONDS if self._is_over else IDLE_SECONDS):
            return
        if self._transport.is_closing() or self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self.close()

    def _has_enough(self) -> bool:
        """Whether more waits here than is taken from a client whose request, or whose reading, goes on."""
        if self._body is not None and self._body.size > _MOST_WAITING_BYTES:
            return True
        return (self.is_busy or self._is_blocked) and len(self._buffer) > _MOST_WAITING_BYTES

    def _feed(self, body: ArrivingBody, data: bytes) -> bytes:
        """Returns what follows the body: nothing, where that cannot be known."""
        if body.is_lost:
            return b""
        try:
            return body.feed(data)
        except BadRequestError as error:
            self._refusal = self._server.application.refuse(error.status)
            body.lose()
            return b""

    def _next(self) -> None:
        """Begin with the next requests whose heads are here, until one has to wait."""
        while not (self.is_busy or self._is_blocked or self._is_over):
            if not self._buffer and not self._has_ended:
                return
            try:
                head = self._take_head()
            except BadRequestError as error:
                self._close_with(self._server.application.refuse(error.status), is_read=False)
                return
            if head is None:
                if self._has_ended:
                    self.close()
                return
            self._begin(head)

    def _begin(self, head: RequestHead) -> None:
        self._head = head
        self.is_busy = True
        self._body = None
        buffer, length = self._buffer, head.length
        content = None
        if length:
            if 0 < length <= len(buffer):
                content, self._buffer = buffer[:length], buffer[length:]
            else:
                self._body = self._arriving_body(length)
        self._handling = self._server.application.respond(EdgeRequest(head, self._receive, content, self._peer))
        if self._body is None:
            self._advance()
        else:
            self._task = asyncio.get_running_loop().create_task(self._handle())

    def _arriving_body(self, length: int) -> ArrivingBody:
        body = ArrivingBody(length)
        arrived, self._buffer = self._buffer, b""
        if arrived:
            self._buffer = self._feed(body, arrived)
        if self._has_ended and not body.is_complete:
            body.lose()
        return body

    def _advance(self) -> None:
        """Run the handler until it waits for a future or has a response.

        A task would do the same and cost more. One is needed where a handler sets a time-out, which is only for bodies
        that have not arrived.
        """
        try:
            waited = self._handling.send(None)
        except StopIteration as ended:
            self._finish(ended.value)
        except BaseException:
            self._transport.abort()
            raise
        else:
            if waited is None:  # it lets others go first
                asyncio.get_running_loop().call_soon(self._resume)
                return
            waited._asyncio_future_blocking = False  # as a task says that it has seen it
            waited.add_done_callback(self._resume)

    def _resume(self, _: object = None) -> None:
        self._advance()
        if self._buffer or self._has_ended:
            self._next()

    def _take_head(self) -> RequestHead | None:
        buffer = self._buffer
        if buffer[:2] == b"\r\n":
            self._buffer = buffer = without_empty_lines(buffer)
        end = buffer.find(b"\r\n\r\n", self._searched)
        if end > MOST_HEAD_BYTES or (end < 0 and len(buffer) > MOST_HEAD_BYTES):
            raise BadRequestError(431)
        if end < 0:
            check_beginning(buffer, self._searched)
            self._searched = max(0, len(buffer) - 3)
            return None
        self._searched = 0
        self._buffer = buffer[end + 4 :]
        return RequestHead(buffer[:end])

    async def _handle(self) -> None:
        try:
            response = await self._handling
        except BaseException:
            self._transport.abort()
            raise
        self._finish(response)
        self._next()

    def _finish(self, response: EdgeResponse | None) -> None:
        self.is_busy = False
        self.since = self._server.now
        response = response or self._refusal
        is_head = self._head.method == "HEAD"
        is_read = self._body is None or self._body.is_complete
        if response is None or self._transport.is_closing():
            self.close()
        elif is_read and self._head.keep_alive and not self._server.is_stopping:
            self._write(response, _KEEP_ALIVE if self._head.is_http_10 else b"", is_head=is_head)
            self._body = None
            self._resume_reading()
        else:
            self._close_with(response, is_read=is_read, is_head=is_head)

    async def _receive(self) -> dict[str, Any]:
        body = self._body
        if body is None:
            return _NO_BODY
        if body.is_awaited:
            if self._head.expects_continue:
                self._head.expects_continue = False
                self._transport.write(_CONTINUE)
            self._resume_reading()
        return await body.take()

    def _resume_reading(self) -> None:
        if self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def _write(self, response: EdgeResponse, more: bytes, *, is_head: bool = False) -> None:
        start, end = response.wire
        self._transport.write(b"".join((start, self._server.date, more, b"\r\n" if is_head else end)))

    def _close_with(self, response: EdgeResponse, *, is_read: bool, is_head: bool = False) -> None:
        """Respond and close. What a client still sends is dropped first: closing at once could lose the response."""
        self._write(response, _CLOSE, is_head=is_head)
        self.since = self._server.now
        self._is_over = True
        self._buffer = b""
        if is_read or self._has_ended:
            self._transport.close()
            return
        self._resume_reading()
        self._transport.write_eof()

    def _discard(self, data: bytes) -> None:
        self._discarded += len(data)
        if self._discarded > _MOST_DISCARDED_BYTES:
            self._transport.abort()
