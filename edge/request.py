"""A request as the endpoints see it: method, query, cookies, body; each read once, and only when it is asked for."""

import asyncio

from core.client_address import TrustedProxies
from core.errors import InvalidParameterError
from core.limits import RequestLimits
from core.query import QueryString
from edge import body as bodies
from edge import cookies
from edge.body import Receive
from edge.refusals import bad_method
from edge.request_head import RequestHead
from edge.shares import Share
from edge.unattended import is_unattended

_GZIP = frozenset({b"gzip", b"x-gzip"})
_PLAIN = frozenset({b"", b"identity"})
_AT_ONCE = 1024 * 1024  # bytes that are unpacked while other requests wait


class EdgeRequest:
    """Method, query, cookies and body.

    `cookie` is our user id, `cookies` the header as it came. `gpc`: the browser sends the Global Privacy Control
    signal. `opted_out`: our cookie says so.
    """

    __slots__ = (
        *("_content", "_head", "_peer", "_receive", "cookie", "cookies", "gpc", "method", "opted_out", "path"),
        "raw_query",
    )

    def __init__(self, head: RequestHead, receive: Receive, content: bytes | None = None, peer: str = "") -> None:
        """`content`: the body, where all of it has arrived; else `receive` waits for it. `peer`: who has connected."""
        self.method = head.method
        self.path = head.path
        self.raw_query = head.query
        self.cookie: str | None = None
        self.opted_out = False
        self._head = head
        self._peer = peer
        self._receive = receive
        self._content = content
        signal = head.fields.get(b"sec-gpc")
        self.gpc = signal is not None and b"1" in signal
        self.cookies = found = head.fields.get(b"cookie", b"")
        if found:
            self.cookie = cookies.read(found)
            self.opted_out = found.find(cookies.OPTED_OUT) >= 0 and cookies.opted_out(found)

    @property
    def raw_path(self) -> bytes:
        """As it was sent, percent-encoded."""
        return self._head.raw_path

    @property
    def authorization(self) -> bytes:
        return self.header(b"authorization")

    @property
    def is_unattended(self) -> bool:
        """Whether nobody is behind it: a page is loaded ahead, or a program looks at a link."""
        return is_unattended(self._head.fields)

    @property
    def origin(self) -> bytes | None:
        """Returns the site of the page whose script sends the request, where the browser says it."""
        return self._head.fields.get(b"origin")

    def require_method(self, allowed: tuple[str, ...]) -> None:
        """Raises RequestRefusedError for another method."""
        if self.method not in allowed:
            raise bad_method(allowed)

    def query(self) -> QueryString:
        return QueryString(self.raw_query)

    def header(self, name: bytes) -> bytes:
        """Returns what a header says; empty where there is none. `name` is lower-case."""
        return self._head.fields.get(name, b"")

    def client(self, proxies: TrustedProxies) -> str:
        """Returns the address that the request comes from; empty where its connection has none."""
        return proxies.client(self._peer, self.header(b"x-forwarded-for").decode("latin-1"))

    async def body(self, limits: RequestLimits, share: Share) -> bytes:
        """Read and unpack the body; empty where there is none. While it arrives, `share` holds it.

        Raises InputError, RequestRefusedError, UnavailableError or DisconnectedError.
        """
        if self._head.length == 0:
            return b""
        bodies.check_size(self._head.length, limits)
        body = self._content
        if body is None:
            body = await bodies.read(self._receive, limits, share)
        share.charge(size=len(body))
        encoding = self.header(b"content-encoding").lower()
        if encoding in _PLAIN:
            return body
        if encoding in _GZIP:
            if limits.body_bytes > _AT_ONCE:
                return await asyncio.to_thread(bodies.gunzip, body, limits)
            return bodies.gunzip(body, limits)
        raise InvalidParameterError("data")
