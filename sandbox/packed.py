"""What files of every third party have in common: gzip around text with `\\n` at the end of every line."""

import gzip
import zlib
from dataclasses import dataclass


@dataclass(slots=True)
class BadFileError(Exception):
    """A file that breaks a rule, and the line (from 1) where it does; None: the file as a whole."""

    reason: str
    line: int | None = None


def lines_of(content: bytes) -> list[str]:
    """The lines without their ends; BadFile where it is not gzip, not UTF-8, or a line does not end as it must."""
    try:
        text = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise BadFileError("not compressed with gzip") from error
    if b"\r" in text:
        raise BadFileError("a carriage return: lines end with LF alone", text[: text.index(b"\r")].count(b"\n") + 1)
    if not text.endswith(b"\n"):
        raise BadFileError("the last line does not end with LF", text.count(b"\n") + 1)
    try:
        return text[:-1].decode().split("\n")
    except UnicodeDecodeError as error:
        raise BadFileError("not UTF-8", text[: error.start].count(b"\n") + 1) from error
