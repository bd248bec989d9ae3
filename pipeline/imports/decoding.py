"""Text of any encoding as UTF-8: by its byte order mark, by what a person says, else UTF-8.

What cannot be decoded becomes a byte that is no UTF-8, so the row that holds it is refused and the others are read.
"""

import codecs
import io
from typing import Any

from core.patterns import whole

PIECE = 64 * 1024  # bytes
BAD = "\udcff"
"""Stands for what cannot be decoded. It becomes the byte 0xFF, which UTF-8 does not know."""

ENCODINGS = (
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be"),
    *(f"cp{number}" for number in (1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258, 437, 850, 852, 866)),
    *(f"iso8859-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)),
    *("koi8-r", "koi8-u", "mac-roman", "cp932", "shift_jis", "euc_jp", "cp949", "euc_kr", "big5", "gbk", "gb18030"),
)
"""The encodings that a person can choose, as `codecs.lookup` calls them."""

_NAME = whole(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,30}+")
_MARKS = ((codecs.BOM_UTF8, ""), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def encoding_of(name: str) -> str | None:
    """Returns the encoding that a person means, by any of its usual names; None: there is no such one."""
    if not _NAME(name):
        return None
    try:
        found = codecs.lookup(name.strip().replace(" ", "-")).name.removesuffix("-sig")
    except LookupError:
        return None
    return found if found in ENCODINGS else None


def as_utf8(file: io.BufferedReader, encoding: str) -> io.BufferedReader:
    """Returns the text in UTF-8, without a byte order mark, with line ends that are `\\n` or `\\r\\n`.

    A byte order mark decides before `encoding`, which is one of `ENCODINGS`; empty: UTF-8, or UTF-16 if every second
    byte is zero.
    """
    head = file.peek(4)[:4]
    for mark, marked in _MARKS:
        if head.startswith(mark):
            file.read(len(mark))
            encoding = marked
            break
    else:
        encoding = encoding or _guessed(head)
    if encoding == "utf-16":
        encoding = "utf-16-le"
    text: Any = file if encoding in {"", "utf-8"} else io.BufferedReader(_RecodedFile(file, encoding), PIECE)
    head = text.peek(PIECE)
    is_old = b"\r" in head and b"\n" not in head
    return io.BufferedReader(_CarriageReturns(text), PIECE) if is_old else text


def _guessed(head: bytes) -> str:
    zeros = [number for number, byte in enumerate(head) if not byte]
    return "utf-16-le" if zeros == [1, 3] else "utf-16-be" if zeros == [0, 2] else ""


class _RecodedFile(io.RawIOBase):
    """A file's text in UTF-8."""

    def __init__(self, file: io.BufferedReader, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)(_ERRORS)
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._ended:
            read = self._file.read1(PIECE)
            self._ended = not read
            self._ready = self._decoder.decode(read, self._ended).encode("utf-8", "surrogateescape")
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


class _CarriageReturns(io.RawIOBase):
    """A file whose lines end with a lone `\\r`, as old spreadsheets write them."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read = self._file.read1(len(buffer)).replace(b"\r", b"\n")
        buffer[: len(read)] = read
        return len(read)


def _undecodable(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return BAD, error.end


_ERRORS = "hub.undecodable"
codecs.register_error(_ERRORS, _undecodable)
