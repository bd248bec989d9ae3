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
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Any

import msgspec

from core import extras

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

NO_JSON = "holds what is not UTF-8, or has no like in JSON"


def json_value(value: Any) -> Any:
    """Returns a value of a table as JSON holds it: moments as unix seconds, dates as text, NaN and infinity as null.

    Raises TypeError for a type that JSON has nothing like.
    """
    found: Any
    match value:
        case float() | Decimal() if not math.isfinite(value):
            found = None
        case Decimal():
            found = _number(value)
        case datetime():
            found = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
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
    if abs(value.adjusted()) > MOST_DIGITS:  # 1E+1000000 has a million digits as an integer
        return float(value)
    return int(value) if value == value.to_integral_value() else float(value)


def main(file: IO[bytes], out: IO[bytes], most: int) -> None:
    """Write the rows of `file`, which must be seekable, up to `most` bytes."""
    _limit()
    try:
        with extras.explained(_UnreadableError):
            import pyarrow
            import pyarrow.parquet
        try:
            size = os.fstat(file.fileno()).st_size
            _write(pyarrow.parquet.ParquetFile(file, pre_buffer=False), size, out, most)
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
            raise _UnreadableError(f"it is no sound Parquet file ({type(error).__name__})") from None
    except MemoryError:
        out.write(BAD_FILE + b"its rows need too much memory\n")
    except _UnreadableError as error:
        out.write(BAD_FILE + str(error).encode() + b"\n")
    else:
        out.write(END + b"\n")
    out.flush()


class _UnreadableError(Exception):
    """The message says why the file cannot be read."""


def _write(table: Any, size: int, out: IO[bytes], most: int) -> None:
    names = list(table.schema_arrow.names)
    if len(names) > MOST_COLUMNS:
        raise _UnreadableError(f"it has more than {MOST_COLUMNS} columns")
    out.write(msgspec.json.encode(names) + b"\n")
    by_ratio = max(UNJUDGED, MOST_RATIO * size)
    left = min(by_ratio, most)
    cells = json_columns(table.schema_arrow)
    for batch in table.iter_batches(batch_size=ROWS, use_threads=False):
        _grant_time()
        for row in _rows(batch):
            line = line_of(row, cells)
            left -= len(line)
            if left < 0:
                raise _UnreadableError(f"its rows are {_beyond(by_ratio, most)}")
            out.write(line)


def _beyond(by_ratio: int, most: int) -> str:
    return f"more than {MOST_RATIO} times its size" if by_ratio <= most else f"more than {most} bytes"


def _rows(batch: Any) -> Iterator[dict[str, Any]]:
    """Yields the rows of a batch, a few at a time: in Arrow they may share what they would not share here."""
    size = max(1, min(batch.num_rows, SLICE_BYTES * batch.num_rows // max(1, batch.nbytes)))
    for start in range(0, batch.num_rows, size):
        yield from batch.slice(start, size).to_pylist()


def json_columns(schema: Any) -> list[str]:
    """Returns the columns whose texts are JSON, as the hub's own exports write mixed values."""
    return [field.name for field in schema if field.metadata and field.metadata.get(b"cells") == b"json"]


def line_of(row: dict[str, Any], cells: Sequence[str]) -> bytes:
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


def _limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    _grant_time()


def _grant_time() -> None:
    """Let the process use a bounded time of a processor from here on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_SECONDS, hard))


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
