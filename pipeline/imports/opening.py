"""A file's bytes, unpacked where it is gzip, with how far they have been read."""

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

from pipeline.imports.row_errors import UnreadableFileError
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
class Opened:
    """`file`: what it holds; `raw`: the file itself, whose position is the progress."""

    file: io.BufferedReader
    raw: io.BufferedReader

    @property
    def read(self) -> int:
        return self.raw.tell()


def format_of(name: str) -> str:
    """The format that a file's name says, `.gz` or not. UnreadableFileError for none."""
    ending = Path(name.lower().removesuffix(".gz")).suffix
    if ending not in _ENDINGS:
        raise UnreadableFileError("the name does not say what it is: .csv, .ndjson or .parquet, each also .gz")
    return _ENDINGS[ending].value


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """The file, unpacked as it is read. UnreadableFileError where it cannot be, also later."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP
            raw.seek(0)
            file = gzip.GzipFile(fileobj=raw) if packed else raw
            yield Opened(io.BufferedReader(file, BUFFER) if packed else raw, raw)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise UnreadableFileError("the gzip stream is broken or cut off") from None
    except OSError as error:
        raise UnreadableFileError(
            f"it, or a file beside it, cannot be used: {error.strerror or type(error).__name__}"
        ) from None


@contextmanager
def seekable(opening: Opened, folder: Path) -> Iterator[IO[bytes]]:
    """What can only be read out of order, unpacked on the disk first."""
    if opening.file is opening.raw:
        yield opening.raw
        return
    with TemporaryFile(dir=folder) as unpacked:
        shutil.copyfileobj(opening.file, unpacked, BUFFER)
        unpacked.seek(0)
        yield unpacked
