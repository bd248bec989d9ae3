"""HTTP responses of the edge, made once wherever they do not depend on the request.

Each carries the named status that the sender reads in `X-DMP-Status` and that the metrics count. What a request is
refused for is the matter of `edge.refusals`.
"""

from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any

Header = tuple[bytes, bytes]

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
NO_STORE: list[Header] = [
    (b"cache-control", b"no-cache, no-store, must-revalidate"),
    (b"pragma", b"no-cache"),
    (b"expires", b"0"),
]
_NO_STORE_LINES = b"".join(b"%b: %b\r\n" % header for header in NO_STORE)
_STATUS_LINES = {one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode() for one in HTTPStatus}
RETRY_AFTER: Header = (b"retry-after", b"1")
_SCRIPT = b"application/javascript; charset=utf-8"


class EdgeResponse:
    """An HTTP response and its named status.

    `wire`: what is sent before and after the header `date`, which the server adds.
    """

    __slots__ = ("_headers", "content", "name", "status", "wire")

    def __init__(
        self,
        status: int,
        name: str,
        content_type: bytes = b"text/plain; charset=utf-8",
        body: bytes = b"",
        headers: Iterable[Header] = (),
    ) -> None:
        self.status = status
        self.name = name
        self.content = body
        self._headers = [
            (b"x-dmp-status", name.encode()),
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            *headers,
        ]
        lines = b"".join([b"%b: %b\r\n" % header for header in self._headers])
        if not lines.count(b"\r") == lines.count(b"\n") == len(self._headers):
            raise ValueError(f"a header of {name!r} holds more than one line")
        self.wire = (_STATUS_LINES[status] + _NO_STORE_LINES + lines, b"\r\n" + body)

    def changed(self, *, more: Iterable[Header] = (), without: bytes = b"") -> "EdgeResponse":
        """Returns the response with more headers, and without those of one name."""
        (_, content_type), *rest = self._headers[1:2] + self._headers[3:]
        kept = [header for header in rest if header[0] != without]
        return EdgeResponse(self.status, self.name, content_type, self.content, [*kept, *more])

    @property
    def messages(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The response as ASGI sends it."""
        headers = [*NO_STORE, *self._headers]
        return (
            {"type": "http.response.start", "status": self.status, "headers": headers},
            {"type": "http.response.body", "body": self.content},
        )


@cache
def gif(name: str) -> EdgeResponse:
    """A transparent image."""
    return EdgeResponse(200, name, b"image/gif", GIF)


@cache
def script(name: str) -> EdgeResponse:
    """A script that does nothing."""
    return EdgeResponse(200, name, _SCRIPT)


def running_script(name: str, code: bytes) -> EdgeResponse:
    """A script that does something."""
    return EdgeResponse(200, name, _SCRIPT, code)


def gif_with_cookie(name: str, cookie: bytes) -> EdgeResponse:
    return EdgeResponse(200, name, b"image/gif", GIF, [(b"set-cookie", cookie)])


def script_with_cookie(name: str, cookie: bytes) -> EdgeResponse:
    return EdgeResponse(200, name, _SCRIPT, b"", [(b"set-cookie", cookie)])


def redirect(name: str, location: bytes, *cookies: bytes) -> EdgeResponse:
    return EdgeResponse(302, name, headers=[(b"location", location), *((b"set-cookie", cookie) for cookie in cookies)])


@cache
def plain(status: int, name: str, text: str, *headers: Header) -> EdgeResponse:
    """A line of plain text."""
    return EdgeResponse(status, name, body=f"{text}\n".encode(), headers=headers)


WHEN_SHOWN = running_script(
    "prefetch",
    b'(function(d,s){s&&d.prerendering&&d.addEventListener("prerenderingchange",function(){'
    b'var e=d.createElement("script");e.src=s.src;d.head.appendChild(e)},{once:true})})'
    b"(document,document.currentScript);",
)
"""For a page that is rendered before anybody has opened it: the script loads itself again when somebody does."""
UNAVAILABLE = plain(503, "unavailable", "try again soon", RETRY_AFTER)
NOT_FOUND = plain(404, "not-found", "nothing here")
NO_REQUEST = {
    400: plain(400, "bad-request", "this is no HTTP request"),
    414: plain(414, "bad-request", "the address is too long"),
    431: plain(431, "bad-request", "the headers are too long"),
}
FAILED = plain(500, "failed", "the request could not be handled", RETRY_AFTER)
