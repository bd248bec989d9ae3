"""The head of an HTTP/1.1 request: read strictly, so that no proxy in front of the edge reads it otherwise.

What is malformed or ambiguous raises BadRequestError: a line that is no field, a field that goes on in the next line,
lengths that differ, a length beside chunks, a transfer encoding that is not `chunked`.
"""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

MOST_HEAD_BYTES = 128 * 1024
_MOST_TARGET_BYTES = 65_534
_MOST_FIELDS = 100

_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([!-~\x80-\xff]+) HTTP/1\.([01])")
_FIELDS = re.compile(rb"(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\0\r\n]*)*")
_ORIGIN = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://[^/?]*")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection", b"expect"})

CHUNKED = -1


class BadRequestError(Exception):
    """The request is malformed; `status` is what HTTP calls that."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(status)
        self.status = status


class RequestHead:
    """`scope`: as of ASGI, as far as the edge reads it. `length`: of the body in bytes, or CHUNKED."""

    __slots__ = ("expects_continue", "is_http_10", "keep_alive", "length", "scope")

    def __init__(self, head: bytes) -> None:
        """`head` is everything before the empty line. Raises BadRequestError."""
        end = head.find(b"\r\n")
        line = _LINE.fullmatch(head, 0, end if end >= 0 else len(head))
        if line is None or (end >= 0 and _FIELDS.fullmatch(head, end) is None):
            raise BadRequestError
        method, target, minor = line.groups()
        self.length = 0
        self.is_http_10 = minor == b"0"
        self.keep_alive = not self.is_http_10
        self.expects_continue = False
        headers: list[tuple[bytes, bytes]] = []
        framing: list[tuple[bytes, bytes]] = []
        if end >= 0:
            for field in head[end + 2 :].split(b"\r\n"):
                name, _, value = field.partition(b":")
                pair = (name.lower(), value.strip(b" \t"))
                headers.append(pair)
                if pair[0] in _FRAMING:
                    framing.append(pair)
        if len(headers) > _MOST_FIELDS:
            raise BadRequestError(431)
        self.scope = _scope(method.decode(), target, headers)
        if framing:
            self._frame(framing)

    def _frame(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Find out where the body ends, and whether another request follows."""
        lengths = {value for name, value in fields if name == b"content-length"}
        encodings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
        if encodings:
            if lengths or encodings != [b"chunked"] or self.is_http_10:
                raise BadRequestError
            self.length = CHUNKED
        elif lengths:
            length = lengths.pop()
            if lengths or not _LENGTH.fullmatch(length):
                raise BadRequestError
            self.length = int(length)
        words = {word.strip().lower() for name, value in fields if name == b"connection" for word in value.split(b",")}
        self.keep_alive = b"close" not in words and (self.keep_alive or b"keep-alive" in words)
        self.expects_continue = (b"expect", b"100-continue") in {(name, value.lower()) for name, value in fields}


def _scope(method: str, target: bytes, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    if len(target) > _MOST_TARGET_BYTES:
        raise BadRequestError(414)
    if target[0] != 0x2F and (origin := _ORIGIN.match(target)):
        target = b"/" + target[origin.end() :].removeprefix(b"/")
    if b"#" in target:
        target = target.partition(b"#")[0]
    raw_path, _, query = target.partition(b"?")
    path = unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path
    return {
        "type": "http",
        "method": method,
        "path": path.decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": query,
        "headers": headers,
    }
