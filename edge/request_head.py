"""The head of an HTTP/1.1 request: read strictly, so that no proxy in front of the edge reads it otherwise.

What is malformed or ambiguous raises BadRequestError: a line that is no field, a field that goes on in the next line,
several lengths, a length beside chunks, a transfer encoding that is not `chunked`, no host, or several.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from core.patterns import prefix, scan, whole

MOST_HEAD_BYTES = 128 * 1024
_MOST_LINE_BYTES = 65_534
_MOST_FIELDS = 100

_BEGINNING = (
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}+) "
    rb"([!\"$->@-~\x80-\xff]++)(?:\?([!\"$-~\x80-\xff]*+))?+(?:#[!-~\x80-\xff]*+)?+ HTTP/1\.([01])"
)
_LINE = prefix(_BEGINNING + rb"(?=\r\n|\Z)")
_HEAD = whole(_BEGINNING + rb"((?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[^\0\r\n]*+)*+)")
_HOST_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!$&'()*+,;=:[]"
_ORIGIN = prefix(rb"[Hh][Tt][Tt][Pp][Ss]?+://[^/]*+")
_EMPTY_LINES = prefix(rb"(?:\r\n)*+")
_BROKEN_LINES = scan(rb"(?<!\r)\n|\r(?!\n|\Z)|\0")
_LENGTH = whole(rb"[0-9]{1,18}+")

CHUNKED = -1

Fields = Mapping[bytes, bytes]
"""Header fields by name in lower case. The values of a repeated one are joined, as HTTP has it."""


class BadRequestError(Exception):
    """The request is malformed; `status` is what HTTP calls that."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(status)
        self.status = status


class RequestHead:
    """`raw_path`: as it was sent, percent-encoded. `length`: of the body in bytes, or CHUNKED.

    `keep_alive`: another request may follow on the connection; `is_http_10`: if so, the response has to say it.
    """

    __slots__ = (
        *("expects_continue", "fields", "is_http_10", "keep_alive", "length", "method", "path", "query"),
        "raw_path",
    )

    def __init__(self, head: bytes) -> None:
        """`head` is everything before the empty line. Raises BadRequestError."""
        found = _HEAD(head)
        if found is None:
            raise BadRequestError
        method, target, query, minor, lines = found.groups()
        self.method: str = method.decode()
        self.raw_path: bytes = target if target[0] == 0x2F else _without_origin(target)
        self.query: bytes = query or b""
        self.path = _decoded(self.raw_path) if target.find(b"%") >= 0 else self.raw_path.decode("utf-8", "replace")
        self.fields = fields = _fields(lines, len(head) - len(lines))
        self.length = 0
        self.is_http_10 = minor == b"0"
        self.keep_alive = not self.is_http_10
        self.expects_continue = False
        _check_host(fields.get(b"host"), self.is_http_10)
        if b"content-length" in fields or b"transfer-encoding" in fields:
            self.length = _length(fields, self.is_http_10)
        if b"connection" in fields:
            self.keep_alive = _keeps_alive(fields[b"connection"], self.is_http_10)
        if b"expect" in fields:
            self.expects_continue = fields[b"expect"].lower() == b"100-continue" and not self.is_http_10

    @classmethod
    def of_asgi(cls, scope: Mapping[str, Any]) -> "RequestHead":
        """Returns a head that another server has read and checked."""
        head = cls.__new__(cls)
        head.method, head.path = scope["method"], scope["path"]
        head.raw_path, head.query = bytes(scope["raw_path"]), scope["query_string"]
        head.fields = fields = _joined(scope["headers"])
        head.length = CHUNKED if b"transfer-encoding" in fields else int(fields.get(b"content-length", 0))
        return head


def without_empty_lines(text: bytes) -> bytes:
    """Returns what follows the empty lines that may stand before a request."""
    found = _EMPTY_LINES(text)
    return text[found.end() :] if found else text


def check_beginning(text: bytes, start: int) -> None:
    """Raises BadRequestError as soon as no more bytes can make a head of `text`. Looks at it from `start` on."""
    is_new_line = text.find(b"\r\n") >= start
    if (is_new_line and _LINE(text) is None) or next(_BROKEN_LINES(text, start), None):
        raise BadRequestError


def _without_origin(target: bytes) -> bytes:
    """Returns the path of an address that names its host. What is no address stays as it is."""
    origin = _ORIGIN(target)
    return target if origin is None else target[origin.end() :] or b"/"


def _decoded(raw_path: bytes) -> str:
    return unquote_to_bytes(raw_path).decode("utf-8", "replace")


def _fields(text: bytes, start: int) -> Fields:
    """Returns the fields, which are known to be well formed. `start`: where their text begins in the head."""
    if start > _MOST_LINE_BYTES:
        raise BadRequestError(414)
    lines = text.split(b"\r\n")[1:]
    if len(lines) > _MOST_FIELDS:
        raise BadRequestError(431)
    fields = {}
    for line in lines:
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip(b" \t")
    return fields if len(fields) == len(lines) else _joined(line.split(b":", 1) for line in lines)


def _joined(pairs: Iterable[Iterable[bytes]]) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for name, value in pairs:
        lower, more = name.lower(), value.strip(b" \t")
        known = fields.get(lower)
        fields[lower] = more if known is None else known + (b"; " if lower == b"cookie" else b", ") + more
    return fields


def _check_host(host: bytes | None, is_http_10: bool) -> None:
    """HTTP/1.1 requires a host. Several are joined by then, with a blank that no host may hold."""
    if (host is None and not is_http_10) or (host and host.translate(None, _HOST_BYTES)):
        raise BadRequestError


def _length(fields: Fields, is_http_10: bool) -> int:
    """Returns where the body ends. Several lengths or encodings are joined by then, and so are none that is known."""
    encoding, length = fields.get(b"transfer-encoding"), fields.get(b"content-length", b"")
    if encoding is not None:
        if encoding.lower() != b"chunked" or b"content-length" in fields or is_http_10:
            raise BadRequestError
        return CHUNKED
    if not _LENGTH(length):
        raise BadRequestError
    return int(length)


def _keeps_alive(connection: bytes, is_http_10: bool) -> bool:
    words = {word.strip() for word in connection.lower().split(b",")}
    return b"close" not in words and (not is_http_10 or b"keep-alive" in words)
