"""The lines of a file at speed, in memory that does not depend on the file.

Texts are held as `octets`: a `str` with one character for each byte (latin-1). It splits and joins as quickly as any
text, needs no decoding, and its lengths are those of the bytes.
"""

import io
import zlib

BLOCK = 4 * 1024 * 1024  # bytes
PIECE = 64 * 1024  # bytes that are asked of the file at once
TOO_LONG = "\u2026"
"""Stands for a line that was longer than a block, and was passed over. No line holds this sign: lines are bytes."""
_SPECIAL = bytes(sign for sign in range(0x20) if sign not in b"\r\n") + b'"\\'


def octets(raw: bytes) -> str:
    """Returns a text with one character for each byte."""
    return raw.decode("latin-1")


def raw_of(held: str) -> bytes:
    """Returns the bytes that `octets` made a text of."""
    return held.encode("latin-1")


def text_of(held: str) -> str:
    """Returns what the bytes say as UTF-8. Invalid bytes become surrogates, which every later check refuses."""
    return raw_of(held).decode(errors="surrogateescape")


def is_utf8(raw: bytes) -> bool:
    if raw.isascii():
        return True
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


class LineBlocks:
    """A file's lines as `octets`, read a block at a time. `TOO_LONG` stands for a line that is longer than a block.

    `plain`: the lines of the present block can be split at the delimiter and put between the quotes of JSON as they
    are; their line ends are cut off. `number`: how many lines of the file were taken.
    """

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._begun = b""
        self._broken: Exception | None = None
        self._left: list[str] = []  # in reverse: the next line is the last
        self._taken = 0  # of the present block
        self.plain = False
        self.number = 0

    def next_line(self) -> str:
        """Returns the next line with its end; an empty text after the last one."""
        if not self.more():
            return ""
        self.number += 1
        self._taken += 1
        line = self._left.pop()
        return f"{line}\n" if self.plain else line

    def put_back(self, lines: list[str]) -> None:
        """Let the last lines that `next_line` has returned be read again."""
        if self.plain and len(lines) > self._taken:  # some are of the block before
            self._left = [f"{line}\n" for line in self._left]
            self.plain = False
        self._left += [line.removesuffix("\n") for line in reversed(lines)] if self.plain else reversed(lines)
        self.number -= len(lines)
        self._taken -= len(lines)

    def more(self) -> bool:
        """Whether another line follows.

        Raises EOFError, OSError or zlib.error for a broken file, after all lines that could be read.
        """
        if not self._left:
            self._fill()
        return bool(self._left)

    def is_left(self) -> bool:
        """Whether another line of this block follows."""
        return bool(self._left)

    def take(self, most: int) -> list[str]:
        """Returns the next lines of this block, at most so many."""
        taken = self._left[-most:]
        del self._left[-most:]
        taken.reverse()
        self.number += len(taken)
        self._taken += len(taken)
        return taken

    def _fill(self) -> None:
        self._taken = 0
        read, ended = self._read()
        data = self._begun + read
        end = len(data) if ended else data.rfind(b"\n") + 1
        if not end and len(data) >= BLOCK:
            self._begun, self._left, self.plain = self._skip(), [TOO_LONG], False
            return
        data, self._begun = data[:end], data[end:]
        self.plain = _is_plain(data)
        text = octets(data)
        if self.plain:
            ends = text.replace("\r\n", "\n") if "\r" in text else text
            self._left = ends.removesuffix("\n").split("\n") if text else []
        else:
            self._left = text.split("\n")
            self._left = [f"{line}\n" for line in self._left[:-1]] + self._left[-1:] * bool(self._left[-1])
        self._left.reverse()

    def _read(self) -> tuple[bytes, bool]:
        """Returns the next block, and whether it is the last."""
        if self._broken is not None:
            raise self._broken
        pieces: list[bytes] = []
        size = 0
        try:
            while size < BLOCK:
                piece = self._file.read1(PIECE)
                if not piece:
                    return b"".join(pieces), True
                pieces.append(piece)
                size += len(piece)
        except (EOFError, OSError, zlib.error) as broken:
            self._broken = broken
            if not pieces:
                raise
        return b"".join(pieces), False

    def _skip(self) -> bytes:
        """Read past the end of the present line. Returns what follows in the same block."""
        while True:
            read, ended = self._read()
            _, found, rest = read.partition(b"\n")
            if found or ended:
                return rest


def _is_plain(data: bytes) -> bool:
    """Whether a block is valid UTF-8 without any sign that CSV or JSON treats in a special way."""
    if len(data.translate(None, _SPECIAL)) != len(data):
        return False
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return False
    return is_utf8(data)
