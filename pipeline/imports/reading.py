"""The rows of a file, a batch at a time, in memory that does not depend on the file."""

import csv
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core import extras
from pipeline.imports.files import folder
from pipeline.imports.octets import is_utf8, octets, text_of
from pipeline.imports.opening import Opened, seekable
from pipeline.imports.row_errors import Fault, UnreadableFileError

BATCH = 20_000  # rows of a batch …
BLOCK = 4 * 1024 * 1024  # … or fewer, where so many bytes hold fewer
PIECE = 64 * 1024
LONGEST = 256 * 1024  # of a line of NDJSON, or a cell
DELIMITERS = ",;\t|"
MOST_COLUMNS = 2_000
_SPECIAL = bytes(sign for sign in range(0x20) if sign not in b"\r\n") + b'"\\'
_NO_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows from number `first` on (the first of a file is 1; the header of a CSV file is none). A row is a list of
    cells or a whole plain line (CSV, both as `octets`), a line of bytes (NDJSON), an object
    (Parquet), a `Fault`, or None where there is nothing.

    A plain line has no quotes, and nothing that JSON has to escape; a batch has none of them, or nothing else.
    """

    first: int
    rows: list[Any]


class _Lines:
    """A file's lines, a block of them at a time. Of a line that is longer than a block nothing is left but `too_long`.

    `plain`: the block needs no CSV reader, nor its texts an escape; its lines have lost their ends.
    """

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._begun = b""
        self._broken: Exception | None = None
        self._left: list[str] = []  # the next one last
        self.plain = False
        self.too_long = False

    def __iter__(self) -> Iterator[str]:
        while self.more():
            yield self._left.pop()

    def more(self) -> bool:
        """Whether another line follows. Raises what is wrong with the file after what could be read."""
        if not self._left:
            self._fill()
        return bool(self._left)

    def is_left(self) -> bool:
        """Whether another line of this block follows."""
        return bool(self._left)

    def take(self, most: int) -> list[str]:
        """The next lines of this block."""
        taken = self._left[-most:]
        del self._left[-most:]
        taken.reverse()
        return taken

    def _fill(self) -> None:
        read, ended = self._read()
        data = self._begun + read
        end = len(data) if ended else data.rfind(b"\n") + 1
        if not end and len(data) >= BLOCK:
            self.too_long, self._begun, self._left, self.plain = True, self._skip(), ["\n"], False
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
        """The next block, and whether it is the last."""
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
        """Read past the end of the line; answers what follows it."""
        while True:
            read, ended = self._read()
            _, found, rest = read.partition(b"\n")
            if found or ended:
                return rest


def _is_plain(data: bytes) -> bool:
    """Whether lines can be split by themselves, and their cells put between quotes: ASCII or UTF-8 without any sign
    that CSV or JSON takes for more than itself."""
    if len(data.translate(None, _SPECIAL)) != len(data):
        return False
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return False
    return is_utf8(data)


class CsvFile:
    """UTF-8 with a header; separated by comma, semicolon, tab or bar. What is not UTF-8 makes a bad row."""

    def __init__(self, opening: Opened) -> None:
        self._lines = _Lines(opening.file)
        lines = iter(self._lines)
        header = text_of(next(lines, "")).removeprefix("\ufeff")
        self.delimiter = max(DELIMITERS, key=header.count)
        csv.field_size_limit(LONGEST)
        try:
            self.columns = next(csv.reader([header], delimiter=self.delimiter, strict=True), [])
        except csv.Error:
            raise UnreadableFileError("its first line is no header of a CSV file") from None
        _check_header(self.columns)
        self._rows = csv.reader(lines, delimiter=self.delimiter)

    def batches(self) -> Iterator[Batch]:
        first = 1
        while self._lines.more():
            plain = self._lines.plain and self.delimiter != "\t"
            rows = self._lines.take(BATCH) if plain else self._careful_rows()
            yield Batch(first, rows)
            first += len(rows)

    def _careful_rows(self) -> list[Any]:
        """The rest of the block, and of the next one as much as belongs to the last row."""
        rows: list[Any] = []
        while len(rows) < BATCH and self._lines.is_left():
            try:
                row = next(self._rows, None)
            except csv.Error:
                rows.append(Fault("is no sound CSV: a quote that does not end, or a field that is too long"))
                continue
            rows.append(row or self._nothing())
        return rows

    def _nothing(self) -> Fault | None:
        """An empty line; or one that was too long."""
        too_long, self._lines.too_long = self._lines.too_long, False
        return Fault(f"is longer than {BLOCK} bytes") if too_long else None


def _check_header(columns: list[str]) -> None:
    if not any(columns):
        raise UnreadableFileError("it has no header")
    if len(columns) > MOST_COLUMNS:
        raise UnreadableFileError(f"it has more than {MOST_COLUMNS} columns")
    if any(_NO_NAME.search(name) for name in columns):
        raise UnreadableFileError("a column's name holds control characters, or is not in UTF-8")
    unnamed = [number for number, name in enumerate(columns, 1) if not name]
    if unnamed:
        raise UnreadableFileError(f"column {unnamed[0]} has no name")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise UnreadableFileError(f"there are two columns {twice[0]}")


class NdjsonFile:
    """An object a line; empty lines are passed over, but counted."""

    def __init__(self, opening: Opened) -> None:
        self._file = opening.file

    def batches(self) -> Iterator[Batch]:
        first = 1
        while rows := self._batch():
            yield Batch(first, rows)
            first += len(rows)

    def _batch(self) -> list[Any]:
        rows: list[Any] = []
        room = BLOCK
        while len(rows) < BATCH and room > 0 and (line := self._file.readline(LONGEST)):
            room -= len(line)
            if len(line) == LONGEST and not line.endswith(b"\n"):
                rows.append(self._skip())
            else:
                rows.append(line if line.strip() else None)
        return rows

    def _skip(self) -> Fault:
        while (rest := self._file.readline(LONGEST)) and not rest.endswith(b"\n"):
            pass
        return Fault(f"is longer than {LONGEST} bytes")


class ParquetFile:
    """A table; columns may be nested."""

    def __init__(self, opening: Opened) -> None:
        self._opening = opening

    def batches(self) -> Iterator[Batch]:
        with extras.explained(UnreadableFileError):
            import pyarrow
            import pyarrow.parquet

        try:
            with seekable(self._opening, folder()) as file:
                table = pyarrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=BLOCK)
                _check_header(list(table.schema_arrow.names))
                first = 1
                for found in table.iter_batches(batch_size=BATCH, use_threads=False):
                    yield Batch(first, found.to_pylist())
                    first += found.num_rows
        except pyarrow.ArrowException as error:
            raise UnreadableFileError(f"it is no sound Parquet file ({type(error).__name__})") from None


FILES: dict[str, type[CsvFile | NdjsonFile | ParquetFile]] = {
    "csv": CsvFile,
    "ndjson": NdjsonFile,
    "parquet": ParquetFile,
}
