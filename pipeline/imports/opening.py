"""Opening a file of profiles: its bytes unpacked if they are gzip, and how far it is read."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from django.conf import settings

from core import unpacking
from pipeline.imports.errors import UnreadableFileError

GZIP = b"\x1f\x8b"
BUFFER = 64 * 1024


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """`file` holds the unpacked bytes; `raw` is the file on the disk, whose position shows the progress."""

    file: io.BufferedReader
    raw: io.BufferedReader

    @property
    def read(self) -> int:
        return self.raw.tell()


class UnpackedFile(io.RawIOBase):
    """Unpacks a gzip file as it is read. Raises UnreadableFileError where it unpacks to more than it may."""

    def __init__(self, raw: io.BufferedReader) -> None:
        self._raw = raw
        self._file = gzip.GzipFile(fileobj=raw)
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._file.readinto(buffer)
        self._read += count
        _check(self._raw.tell(), self._read)
        return count


def _check(packed: int, unpacked: int) -> None:
    """Raises UnreadableFileError for more than a packed file may unpack to."""
    if why := unpacking.fault(packed, unpacked, settings.UNPACKED_BYTES):
        raise UnreadableFileError(why)


@contextmanager
def opened(path: Path) -> Iterator[OpenedFile]:
    """Opens the file; it is unpacked as it is read. Raises UnreadableFileError, also while the file is being read."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP
            raw.seek(0)
            yield OpenedFile(io.BufferedReader(UnpackedFile(raw), BUFFER) if packed else raw, raw)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise UnreadableFileError("the gzip stream is broken or cut off") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableFileError(f"it, or a file beside it, cannot be used: {reason}") from None


@contextmanager
def seekable(opening: OpenedFile, folder: Path) -> Iterator[IO[bytes]]:
    """Returns a file that can be read out of order: a packed one is first unpacked to a temporary file in `folder`."""
    if opening.file is opening.raw:
        yield opening.raw
        return
    with TemporaryFile(dir=folder) as unpacked:
        while piece := opening.file.read1(BUFFER):
            unpacked.write(piece)
        unpacked.seek(0)
        yield unpacked
