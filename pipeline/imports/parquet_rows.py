"""The rows of a Parquet file, read by a process of its own: `python -m pipeline.imports.parquet_rows MOST < file`.

A file of 500 bytes can hold 3 GB: a value that stands once in it stands in every row. Nothing that the file declares
tells so beforehand. So the reader has a limit of memory, and one of processor time, and whoever waits for it notices
where it dies. It needs no Django and no database.

It writes lines, each with a sign before it: `=` a row as a JSON object, `!` why a row cannot be read, `#` why the file
cannot be read any further, `.` the end.
"""

import math
import os
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

import msgspec

from core import extras
from core.values.errors import UnreadableValueError
from core.values.numbers import read_number

ROW, BAD_ROW, BAD_FILE, END = b"=", b"!", b"#", b"."
ROWS = 500  # read at once
SLICE_BYTES = 1024 * 1024  # of rows that become Python objects at once
LONGEST = 256 * 1024  # bytes of a row
MOST_COLUMNS = 2_000
MEMORY = 2 * 1024**3  # bytes of address space, shared libraries included
CPU_SECONDS = 60  # for ROWS rows
UNJUDGED = 64 * 1024 * 1024  # bytes that the rows of any file may have
MOST_RATIO = 1_000  # a column that hardly changes needs hardly any room, and its name stands in every row
MOST_DIGITS = 40  # of a decimal number

TableReader = Callable[[IO[bytes], IO[bytes], int], None]

NO_JSON = "holds what is not UTF-8, or has no like in JSON"


def json_value(value: Any) -> Any:
    """Returns a value of a table as JSON holds it: moments as unix seconds, NaN and infinity as null.

    Dates are text, and so are moments that name no zone: it is the customer's, which is known where they are converted.
    Raises TypeError for a type that JSON has nothing like, and ValueError for a number that cannot be kept.
    """
    found: Any
    match value:
        case float() if not math.isfinite(value):
            found = None
        case Decimal() if not value.is_finite():
            found = None
        case Decimal():
            found = _number(value)
        case datetime():
            found = value.timestamp() if value.tzinfo else value.isoformat()
        case date():
            found = value.isoformat()
        case dict():
            found = {str(name): json_value(held) for name, held in value.items()}
        case list():
            found = [json_value(item) for item in value]
        case None | str() | int() | float():
            found = value
        case _:
            raise TypeError(type(value).__name__)
    return found


def _number(value: Decimal) -> int | float:
    """Returns a whole number exactly, any other as a float. Raises UnreadableValueError beyond 64 bits."""
    if value.adjusted() > MOST_DIGITS:  # 1E+1000000 has a million digits as an integer
        raise UnreadableValueError("is beyond 64 bits")
    return read_number(f"{value:f}" if value.adjusted() > -MOST_DIGITS else str(value))


def main(file: IO[bytes], out: IO[bytes], most: int) -> None:
    """Write the rows of `file`, which must be seekable, up to `most` bytes."""
    write_bounded(_read, file, out, most)


def write_bounded(
    read: Callable[[IO[bytes], IO[bytes], int], None], file: IO[bytes], out: IO[bytes], most: int
) -> None:
    """Let `read` write the rows of a file within limits of memory and time; then the end, or why it is not reached."""
    limit()
    try:
        read(file, out, most)
    except MemoryError:
        out.write(BAD_FILE + b"its rows need too much memory\n")
    except UnreadableTableError as error:
        out.write(BAD_FILE + str(error).encode() + b"\n")
    else:
        out.write(END + b"\n")
    out.flush()


def _read(file: IO[bytes], out: IO[bytes], most: int) -> None:
    with extras.explained(UnreadableTableError):
        import pyarrow
        import pyarrow.parquet
    try:
        size = os.fstat(file.fileno()).st_size
        _write(pyarrow.parquet.ParquetFile(file, pre_buffer=False), size, out, most)
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise UnreadableTableError(f"it is no sound Parquet file ({type(error).__name__})") from None


class UnreadableTableError(Exception):
    """The message says why the file cannot be read."""


def _write(table: Any, size: int, out: IO[bytes], most: int) -> None:
    names = list(table.schema_arrow.names)
    if len(names) > MOST_COLUMNS:
        raise UnreadableTableError(f"it has more than {MOST_COLUMNS} columns")
    out.write(msgspec.json.encode({"columns": names, "line": 0}) + b"\n")
    room = RowRoom(size, most)
    cells = json_columns(table.schema_arrow)
    for batch in table.iter_batches(batch_size=ROWS, use_threads=False):
        grant_time()
        for row in _rows(batch):
            line = line_of(row, cells)
            room.take(len(line))
            out.write(line)


class RowRoom:
    """How many bytes the rows of a file of this size may have, at most `most`."""

    def __init__(self, size: int, most: int) -> None:
        by_ratio = max(UNJUDGED, MOST_RATIO * size)
        self._left = min(by_ratio, most)
        self._said = f"{MOST_RATIO} times its size" if by_ratio <= most else f"{most} bytes"

    def take(self, size: int) -> None:
        """Raises UnreadableTableError where there is no room."""
        self._left -= size
        if self._left < 0:
            raise UnreadableTableError(f"its rows are more than {self._said}")


def _rows(batch: Any) -> Iterator[dict[str, Any]]:
    """Yields the rows of a batch, a few at a time: in Arrow they may share what they would not share here."""
    size = max(1, min(batch.num_rows, SLICE_BYTES * batch.num_rows // max(1, batch.nbytes)))
    for start in range(0, batch.num_rows, size):
        yield from batch.slice(start, size).to_pylist()


def json_columns(schema: Any) -> list[str]:
    """Returns the columns whose texts are JSON, as the hub's own exports write mixed values."""
    return [field.name for field in schema if field.metadata and field.metadata.get(b"cells") == b"json"]


def line_of(row: dict[str, Any], cells: Sequence[str] = ()) -> bytes:
    """Returns the line of a row. `cells`: its columns whose texts are JSON."""
    try:
        for name in cells:
            row[name] = None if row[name] is None else msgspec.json.decode(row[name])
        raw = msgspec.json.encode({name: json_value(value) for name, value in row.items()})
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return BAD_ROW + NO_JSON.encode() + b"\n"
    if len(raw) > LONGEST:
        return BAD_ROW + f"is longer than {LONGEST} bytes".encode() + b"\n"
    return ROW + raw + b"\n"


def limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    grant_time()


def grant_time() -> None:
    """Let the process use a bounded time of a processor from here on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_SECONDS, hard))


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
