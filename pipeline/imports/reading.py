"""The rows of a file, a batch at a time, in memory that does not depend on the file: CSV, NDJSON and Parquet."""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import msgspec
from django.conf import settings

from core import extras
from core.patterns import has_control, has_surrogate
from pipeline.imports import parquet_rows
from pipeline.imports.errors import UnreadableFileError, UnreadableRow
from pipeline.imports.files import folder
from pipeline.imports.lines import BLOCK, LineBlocks, text_of
from pipeline.imports.opening import OpenedFile, seekable

BATCH = 20_000  # rows of a batch at the most; one block of a file may hold fewer
LONGEST = 256 * 1024  # bytes of a line of NDJSON, or of a cell
DELIMITERS = ",;\t|"
MOST_COLUMNS = 2_000


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows of a file. `first` is the number of the first one; a file's first row is 1, the header of CSV is none.

    A row is a list of cells or a whole plain line (CSV, both as `octets`), a line of bytes (NDJSON), an object
    (Parquet), an `UnreadableRow`, or None for an empty line.

    A plain line holds no quotes, and nothing that JSON has to escape. Either all rows of a batch are plain lines, or
    none is.
    """

    first: int
    rows: list[Any]


class CsvFile:
    """CSV in UTF-8 with a header, separated by comma, semicolon, tab or bar. A row that is not UTF-8 is a bad row."""

    def __init__(self, opening: OpenedFile) -> None:
        self._lines = LineBlocks(opening.file)
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

    def batches(self) -> Iterator[RowBatch]:
        first = 1
        while self._lines.more():
            plain = self._lines.plain and self.delimiter != "\t"
            rows = self._lines.take(BATCH) if plain else self._careful_rows()
            yield RowBatch(first, rows)
            first += len(rows)

    def _careful_rows(self) -> list[Any]:
        """Returns the rows of the rest of the block, read by the CSV reader.

        The last one may go on in the next block: a cell in quotes can hold line ends.
        """
        rows: list[Any] = []
        while len(rows) < BATCH and self._lines.is_left():
            try:
                row = next(self._rows, None)
            except csv.Error:
                rows.append(UnreadableRow("is no sound CSV: a quote that does not end, or a field that is too long"))
                continue
            rows.append(row or self._empty_row())
        return rows

    def _empty_row(self) -> UnreadableRow | None:
        """Returns what stands for a row without cells: an empty line, or one that was too long."""
        too_long, self._lines.too_long = self._lines.too_long, False
        return UnreadableRow(f"is longer than {BLOCK} bytes") if too_long else None


def _check_header(columns: list[str]) -> None:
    if not any(columns):
        raise UnreadableFileError("it has no header")
    if len(columns) > MOST_COLUMNS:
        raise UnreadableFileError(f"it has more than {MOST_COLUMNS} columns")
    if any(has_control(name) or has_surrogate(name) for name in columns):
        raise UnreadableFileError("a column's name holds control characters, or is not in UTF-8")
    unnamed = [number for number, name in enumerate(columns, 1) if not name]
    if unnamed:
        raise UnreadableFileError(f"column {unnamed[0]} has no name")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise UnreadableFileError(f"there are two columns {twice[0]}")


class NdjsonFile:
    """A JSON object on each line. Empty lines are counted as rows, but skipped."""

    def __init__(self, opening: OpenedFile) -> None:
        self._file = opening.file

    def batches(self) -> Iterator[RowBatch]:
        first = 1
        while rows := self._batch():
            yield RowBatch(first, rows)
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

    def _skip(self) -> UnreadableRow:
        while (rest := self._file.readline(LONGEST)) and not rest.endswith(b"\n"):
            pass
        return UnreadableRow(f"is longer than {LONGEST} bytes")


class ParquetFile:
    """A table; its columns may be nested. What is packed is unpacked to the disk: Parquet is read out of order.

    Another process reads it, with bounds on memory and time (`parquet_rows`).
    """

    def __init__(self, opening: OpenedFile) -> None:
        self._opening = opening
        self._ended = False

    def batches(self) -> Iterator[RowBatch]:
        with seekable(self._opening, folder()) as file, _reader_of(file) as lines:
            header = _parquet_line(lines)
            _check_header(msgspec.json.decode(header, type=list[str]))
            first = 1
            while rows := self._batch(lines):
                yield RowBatch(first, rows)
                first += len(rows)

    def _batch(self, lines: IO[bytes]) -> list[Any]:
        rows: list[Any] = []
        room = BLOCK
        while len(rows) < BATCH and room > 0 and not self._ended:
            line = _parquet_line(lines)
            sign, rest = line[:1], line[1:]
            if sign == parquet_rows.END:
                self._ended = True
            else:
                room -= len(line)
                rows.append(rest if sign == parquet_rows.ROW else UnreadableRow(rest.decode()))
        return rows


@contextmanager
def _reader_of(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Starts the process that reads a Parquet file, and gives its lines. It ends with this context."""
    try:
        extras.require("pyarrow")
    except extras.MissingExtraError as missing:
        raise UnreadableFileError(str(missing)) from None
    command = [sys.executable, "-m", parquet_rows.__name__, str(settings.UNPACKED_BYTES)]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PATH": os.environ.get("PATH", "")}
    process = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def _parquet_line(lines: IO[bytes]) -> bytes:
    """Returns a line of the reader, without its end. Raises UnreadableFileError where the file cannot be read on."""
    line = lines.readline()
    if not line.endswith(b"\n"):
        raise UnreadableFileError("its rows need too much memory, or too much time")
    if line.startswith(parquet_rows.BAD_FILE):
        raise UnreadableFileError(line[1:-1].decode())
    return line[:-1]


FILES: dict[str, type[CsvFile | NdjsonFile | ParquetFile]] = {
    "csv": CsvFile,
    "ndjson": NdjsonFile,
    "parquet": ParquetFile,
}
