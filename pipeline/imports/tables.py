"""Tables that a process of its own reads: Parquet and Excel."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import msgspec
from django.conf import settings

from core import extras
from pipeline.imports import parquet_rows, reading
from pipeline.imports.csv_header import check_header
from pipeline.imports.errors import UnreadableFileError, UnreadableRow
from pipeline.imports.files import folder
from pipeline.imports.lines import BLOCK
from pipeline.imports.opening import OpenedFile, seekable
from pipeline.imports.reading import RowBatch


class _TableHeader(msgspec.Struct):
    """`line`: of the header, where the file has lines."""

    columns: list[str]
    line: int


class TableFile:
    """A table. What is packed is unpacked to the disk, as tables are read out of order.

    Another process reads it, with bounds on memory and time: the module `reader`, which needs `package`.
    """

    reader: str
    package: str

    def __init__(self, opening: OpenedFile) -> None:
        self._opening = opening
        self._ended = False
        self.columns: list[str] = []  # known with the first batch

    def batches(self) -> Iterator[RowBatch]:
        with seekable(self._opening, folder()) as file, _reader_of(file, self.reader, self.package) as lines:
            header = msgspec.json.decode(_table_line(lines), type=_TableHeader)
            self.columns = header.columns
            check_header(self.columns)
            first = 1
            while rows := self._batch(lines):
                line = header.line + first
                yield RowBatch(first, rows, range(line, line + len(rows)))
                first += len(rows)

    def _batch(self, lines: IO[bytes]) -> list[Any]:
        rows: list[Any] = []
        room = BLOCK
        while len(rows) < reading.BATCH and room > 0 and not self._ended:
            line = _table_line(lines)
            sign, rest = line[:1], line[1:]
            if sign == parquet_rows.END:
                self._ended = True
            else:
                room -= len(line)
                rows.append((rest or None) if sign == parquet_rows.ROW else UnreadableRow(rest.decode()))
        return rows


class ParquetFile(TableFile):
    """A Parquet file; its columns may be nested."""

    reader, package = "pipeline.imports.parquet_rows", "pyarrow"


class XlsxFile(TableFile):
    """The first sheet of an Excel workbook."""

    reader, package = "pipeline.imports.sheet_rows", "python_calamine"


@contextmanager
def _reader_of(file: IO[bytes], module: str, package: str) -> Iterator[IO[bytes]]:
    """Starts the process that reads a table, and gives its lines. It ends with this context."""
    try:
        extras.require(package)
    except extras.MissingExtraError as missing:
        raise UnreadableFileError(str(missing)) from None
    command = [sys.executable, "-m", module, str(settings.UNPACKED_BYTES)]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PATH": os.environ.get("PATH", "")}
    process = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def _table_line(lines: IO[bytes]) -> bytes:
    """Returns a line of the reader, without its end. Raises UnreadableFileError where the file cannot be read on."""
    line = lines.readline()
    if not line.endswith(b"\n"):
        raise UnreadableFileError("its rows need too much memory, or too much time")
    if line.startswith(parquet_rows.BAD_FILE):
        raise UnreadableFileError(line[1:-1].decode())
    return line[:-1]
