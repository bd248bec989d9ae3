"""Opening a file of profiles: its format by its name, its bytes unpacked if they are gzip, and how far it is read."""

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from pipeline.imports.errors import UnreadableFileError
from pipeline.models import Import

GZIP = b"\x1f\x8b"
BUFFER = 64 * 1024
UNJUDGED = 1024**3  # bytes that any file may unpack to while it is read
UNJUDGED_ON_DISK = 64 * 1024**2  # bytes that any file may take on the disk
MOST_RATIO = 200  # how well real data can be packed: text with many empty cells 50 times
TOO_WELL_PACKED = f"it unpacks to more than {MOST_RATIO} times its size"
Format = Import.Format
_ENDINGS = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".txt": Format.CSV,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".json": Format.NDJSON,
    ".parquet": Format.PARQUET,
}


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """`file` holds the unpacked bytes; `raw` is the file on the disk, whose position shows the progress."""

    file: io.BufferedReader
    raw: io.BufferedReader

    @property
    def read(self) -> int:
        return self.raw.tell()


class UnpackedFile(io.RawIOBase):
    """Unpacks a gzip file as it is read. Raises UnreadableFileError where it was packed better than data can be."""

    def __init__(self, raw: io.BufferedReader) -> None:
        self._raw = raw
        self._file = gzip.GzipFile(fileobj=raw)
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._file.readinto(buffer)
        self._read += count
        if self._read > UNJUDGED and self._read > MOST_RATIO * max(1, self._raw.tell()):
            raise UnreadableFileError(TOO_WELL_PACKED)
        return count


def format_of(name: str) -> str:
    """Returns the format that a file's name says, with or without `.gz`. Raises UnreadableFileError."""
    ending = Path(name.lower().removesuffix(".gz")).suffix
    if ending not in _ENDINGS:
        raise UnreadableFileError("the name does not say what it is: .csv, .ndjson or .parquet, each also .gz")
    return _ENDINGS[ending].value


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
        left = max(UNJUDGED_ON_DISK, MOST_RATIO * os.fstat(opening.raw.fileno()).st_size)
        while piece := opening.file.read1(BUFFER):
            left -= len(piece)
            if left < 0:
                raise UnreadableFileError(TOO_WELL_PACKED)
            unpacked.write(piece)
        unpacked.seek(0)
        yield unpacked
