"""The rows of a file, a batch at a time, in memory that does not depend on the file."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from pipeline.imports.faults import Fault, UnreadableFileError
from pipeline.imports.files import folder
from pipeline.imports.opening import Opened, seekable

BATCH = 5_000  # rows of a batch …
BATCH_BYTES = 16 * 1024 * 1024  # … or fewer, where they are long
LONGEST = 256 * 1024  # of a line
DELIMITERS = ",;\t|"
MOST_COLUMNS = 2_000
_NO_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows from number `first` on (the first of a file is 1; the header of a CSV file is none). A row is a list of
    texts (CSV), a line of bytes (NDJSON), an object (Parquet), a `Fault`, or None where there is nothing."""

    first: int
    rows: list[Any]


class _Lines:
    """Lines of text, none too long to be held: of such a one nothing is left but `too_long`. `read` characters."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self.read = 0
        self.too_long = False

    def __iter__(self) -> Iterator[str]:
        read = self._text.readline
        while line := read(LONGEST):
            if len(line) == LONGEST and not line.endswith("\n"):
                self._skip()
                line = "\n"
            self.read += len(line)
            yield line

    def _skip(self) -> None:
        self.too_long = True
        while (rest := self._text.readline(LONGEST)) and not rest.endswith("\n"):
            pass


class CsvFile:
    """UTF-8 with a header; separated by comma, semicolon, tab or bar. What is not UTF-8 makes a bad row."""

    def __init__(self, opening: Opened) -> None:
        text = io.TextIOWrapper(opening.file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._lines = _Lines(text)
        lines = iter(self._lines)
        header = next(lines, "")
        delimiter = max(DELIMITERS, key=header.count)
        csv.field_size_limit(LONGEST)
        try:
            self.columns = next(csv.reader([header], delimiter=delimiter, strict=True), [])
        except csv.Error:
            raise UnreadableFileError("its first line is no header of a CSV file") from None
        _check_header(self.columns)
        self._rows = csv.reader(lines, delimiter=delimiter)

    def batches(self) -> Iterator[Batch]:
        first = 1
        while rows := self._batch():
            yield Batch(first, rows)
            first += len(rows)

    def _batch(self) -> list[Any]:
        rows: list[Any] = []
        reader, lines, width = self._rows, self._lines, len(self.columns)
        lines.read = 0
        while len(rows) < BATCH and lines.read < BATCH_BYTES:
            try:
                for row in reader:
                    rows.append(row if len(row) == width else self._misshapen(row))
                    if len(rows) >= BATCH or lines.read >= BATCH_BYTES:
                        break
                else:
                    break
            except csv.Error:
                rows.append(Fault("is no sound CSV: a quote that does not end, or a field that is too long"))
        return rows

    def _misshapen(self, row: list[str]) -> Fault | None:
        if self._lines.too_long:
            self._lines.too_long = False
            return Fault(f"is longer than {LONGEST} characters")
        return Fault(f"has {len(row)} fields where the header has {len(self.columns)}") if row else None


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

    columns: list[str] | None = None

    def __init__(self, opening: Opened) -> None:
        self._file = opening.file

    def batches(self) -> Iterator[Batch]:
        first = 1
        while rows := self._batch():
            yield Batch(first, rows)
            first += len(rows)

    def _batch(self) -> list[Any]:
        rows: list[Any] = []
        room = BATCH_BYTES
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

    columns: list[str] | None = None

    def __init__(self, opening: Opened) -> None:
        self._opening = opening

    def batches(self) -> Iterator[Batch]:
        import pyarrow  # noqa: PLC0415 (fifty megabytes that only this needs)
        import pyarrow.parquet  # noqa: PLC0415

        try:
            with seekable(self._opening, folder()) as file:
                table = pyarrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=BATCH_BYTES)
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
