"""A request as the endpoints see it: method, query, cookies, body; each read once, and only when it is asked for."""

import asyncio
from typing import Any

from core.errors import InvalidParameterError
from core.limits import RequestLimits
from core.query import QueryString
from edge import body as bodies
from edge import cookies
from edge.body import BODY_IS_HERE, Receive
from edge.refusals import bad_method

_READ = frozenset(
    {b"cookie", b"content-length", b"authorization", b"transfer-encoding", b"content-encoding", b"sec-gpc"}
)
_GZIP = frozenset({b"gzip", b"x-gzip"})
_PLAIN = frozenset({b"", b"identity"})
_AT_ONCE = 1024 * 1024  # bytes that are unpacked while other requests wait


class EdgeRequest:
    """Method, query, cookies and body; the headers are walked once.

    `cookie` is our user id, `cookies` the header as it came. `gpc`: the browser sends the Global Privacy Control
    signal. `opted_out`: our cookie says so.
    """

    __slots__ = (
        *("_encoding", "_length", "_receive", "_scope", "authorization", "cookie", "cookies"),
        *("gpc", "method", "opted_out", "path", "raw_query"),
    )

    def __init__(self, scope: dict[str, Any], receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.raw_query: bytes = scope["query_string"]
        self.cookie: str | None = None
        self.cookies = b""
        self.opted_out = False
        self.gpc = False
        self.authorization = b""
        self._scope = scope
        self._receive = receive
        self._length = 0  # of the body as announced; -1: chunked
        self._encoding = b""
        for name, value in scope["headers"]:
            if name not in _READ:
                continue
            if name == b"cookie":
                self.cookies = value
                self.cookie = self.cookie or cookies.read(value)
                self.opted_out = self.opted_out or cookies.opted_out(value)
            elif name == b"content-length":
                self._length = int(value)
            elif name == b"authorization":
                self.authorization = value
            elif name == b"transfer-encoding":
                self._length = -1
            elif name == b"content-encoding":
                self._encoding = value.strip().lower()
            elif name == b"sec-gpc":
                self.gpc = value == b"1"

    def require_method(self, allowed: tuple[str, ...]) -> None:
        """Raises RequestRefusedError for another method."""
        if self.method not in allowed:
            raise bad_method(allowed)

    def query(self) -> QueryString:
        return QueryString(self.raw_query)

    @property
    def raw_path(self) -> bytes:
        """As it was sent, percent-encoded."""
        return bytes(self._scope["raw_path"])

    def header(self, name: bytes) -> bytes:
        """Returns a header that few endpoints ask for; empty where there is none. `name` is lower-case."""
        return next((bytes(value) for found, value in self._scope["headers"] if found == name), b"")

    async def body(self, limits: RequestLimits) -> bytes:
        """Read and unpack the body; empty where there is none.

        Raises InputError, RequestRefusedError or DisconnectedError.
        """
        if self._length == 0:
            return b""
        bodies.check_size(self._length, limits)
        body = await bodies.read(self._receive, limits, is_here=self._scope.get(BODY_IS_HERE, False))
        if self._encoding in _PLAIN:
            return body
        if self._encoding in _GZIP:
            if limits.body_bytes > _AT_ONCE:
                return await asyncio.to_thread(bodies.gunzip, body, limits)
            return bodies.gunzip(body, limits)
        raise InvalidParameterError("data")
