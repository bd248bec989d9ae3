"""Opening a file of profiles: its format by its name, its bytes unpacked if they are gzip, and how far it is read."""

import gzip
import io
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from pipeline.imports.errors import UnreadableFileError
from pipeline.models import Import

GZIP = b"\x1f\x8b"
BUFFER = 64 * 1024
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
            file = gzip.GzipFile(fileobj=raw) if packed else raw
            yield OpenedFile(io.BufferedReader(file, BUFFER) if packed else raw, raw)
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
        shutil.copyfileobj(opening.file, unpacked, BUFFER)
        unpacked.seek(0)
        yield unpacked
