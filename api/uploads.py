"""Large bodies: read as they arrive, in bounded memory, however long they are; two uploads of a customer at a time."""

import threading
import zlib
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.request import Request

from core import unpacking
from core.models import ApiKey

CHUNK = 64 * 1024
LONGEST = 8 * 1024  # bytes of a line
GZIP_WBITS = 31
AT_ONCE = 2  # uploads of a customer: each keeps one of the console's threads
NDJSON = "application/x-ndjson"

Read = Callable[[int], bytes]
_under_way: Counter[str] = Counter()
_guard = threading.Lock()


class BusyError(APIException):
    status_code = 503
    default_code = "busy"
    default_detail = f"{AT_ONCE} uploads of yours are under way. Try again later."
    wait = 10  # seconds: becomes Retry-After


@contextmanager
def upload_place(owner: str) -> Iterator[None]:
    """Take one of the owner's `AT_ONCE` places for uploads of any kind. Raises BusyError where none is free."""
    with _guard:
        if _under_way[owner] >= AT_ONCE:
            raise BusyError
        _under_way[owner] += 1
    try:
        yield
    finally:
        with _guard:
            _under_way[owner] -= 1
            if not _under_way[owner]:
                del _under_way[owner]


def owner_of(request: Request) -> str:
    """Return who shares places: the keys of a customer, or a key of all customers by itself."""
    key = request.auth
    if not isinstance(key, ApiKey):
        return ""
    return f"key {key.pk}" if key.customer_id is None else f"customer {key.customer_id}"


def lines_of(request: Request) -> Iterator[bytes | None]:
    """Return the lines of the body, unpacked; None for a line that is too long. Nothing else may have read the body.

    Raises ParseError where the packing is broken, after the lines before it.
    """
    read = body_reader(request)
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "gzip":
        read = Unzipped(read).read
    elif encoding != "identity":
        raise UnsupportedMediaType(encoding, "Content-Encoding may be gzip, nothing else.")
    return split(read)


def body_reader(request: Request) -> Read:
    """Return what reads the body.

    A server that ends the stream itself is read directly: a chunked body says no length, which Django asks for.
    """
    environ: dict[str, Any] = request.META
    if environ.get("wsgi.input_terminated"):
        read: Read = environ["wsgi.input"].read
        return read
    return request._request.read


def split(read: Read) -> Iterator[bytes | None]:
    begun, too_long = b"", False
    read = _without_mark(read)
    while chunk := read(CHUNK):
        *complete, rest = chunk.split(b"\n")
        for part in complete:
            yield _whole(begun + part, too_long=too_long)
            begun, too_long = b"", False
        too_long = too_long or len(begun) + len(rest) > LONGEST
        begun = b"" if too_long else begun + rest
    if begun or too_long:
        yield _whole(begun, too_long=too_long)


def _without_mark(read: Read) -> Read:
    """Return what reads the same without a byte order mark of UTF-8 at the beginning."""
    mark = bytearray()  # what has come of it
    is_begun = False

    def read_on(size: int) -> bytes:
        nonlocal is_begun
        while not is_begun:
            chunk = read(size)
            mark.extend(chunk)
            is_begun = not chunk or len(mark) >= len(BOM_UTF8)
            if is_begun:
                return bytes(mark).removeprefix(BOM_UTF8) or (read(size) if chunk else b"")
        return read(size)

    return read_on


def _whole(line: bytes, *, too_long: bool) -> bytes | None:
    return None if too_long or len(line) > LONGEST else line


class Unzipped:
    """Unpacks a gzip stream, of one member or several, a little at a time, however well it was packed."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._member = zlib.decompressobj(GZIP_WBITS)
        self._packed = b""
        self._begun = False
        self._packed_bytes = self._unpacked_bytes = 0

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end. Raises ParseError where the stream is broken or cut off."""
        while True:
            packed = self._packed
            if not packed:
                packed = self._read(CHUNK)
                self._packed_bytes += len(packed)
            if not packed:
                return self._end()
            if self._member.eof:
                self._member = zlib.decompressobj(GZIP_WBITS)
            self._begun = True
            try:
                unpacked = self._member.decompress(packed, size)
            except zlib.error:
                raise ParseError("The body is no sound gzip stream.") from None
            self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if unpacked:
                self._check(len(unpacked))
                return unpacked

    def _check(self, more: int) -> None:
        self._unpacked_bytes += more
        if why := unpacking.fault(self._packed_bytes, self._unpacked_bytes, settings.UNPACKED_BYTES):
            raise ParseError(f"The body is refused: {why}.")

    def _end(self) -> bytes:
        if self._begun and not self._member.eof:
            raise ParseError("The gzip stream is cut off.")
        return b""
