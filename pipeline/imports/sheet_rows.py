"""The rows of an Excel workbook, read by a process of its own: `python -m pipeline.imports.sheet_rows MOST < file`.

It writes what `parquet_rows` writes, within the same limits: a workbook is a packed archive, and a small one may hold
very much. It reads the first visible sheet. The first row that is not empty is the header.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import IO, Any

import msgspec

from core import extras
from pipeline.imports.parquet_rows import (
    MOST_COLUMNS,
    ROWS,
    RowRoom,
    UnreadableTableError,
    grant_time,
    line_of,
    write_bounded,
)

_MOST_EXACT = 2**53


def main(file: IO[bytes], out: IO[bytes], most: int) -> None:
    """Write the rows of `file`, which must be seekable, up to `most` bytes."""
    write_bounded(_read, file, out, most)


def _read(file: IO[bytes], out: IO[bytes], most: int) -> None:
    with extras.explained(UnreadableTableError):
        import python_calamine
    room = RowRoom(os.fstat(file.fileno()).st_size, most)
    file.seek(0)  # whoever has opened it may have read its beginning
    try:
        with python_calamine.CalamineWorkbook.from_filelike(file) as book:
            rows = enumerate(book.get_sheet_by_name(_sheet_of(book.sheets_metadata)).iter_rows(), 1)
            columns = _header(rows, out)
            for number, cells in rows:
                if number % ROWS == 0:
                    grant_time()
                line = _line(columns, cells)
                room.take(len(line))
                out.write(line)
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise UnreadableTableError(f"it is no sound workbook ({type(error).__name__})") from None


def _sheet_of(sheets: Sequence[Any]) -> str:
    """Returns the name of the first sheet that is shown and holds cells."""
    shown = [sheet.name for sheet in sheets if "WorkSheet" in str(sheet.typ) and str(sheet.visible).endswith("Visible")]
    if not shown:
        raise UnreadableTableError("it has no sheet that is shown")
    name: str = shown[0]
    return name


def _header(rows: Iterator[tuple[int, Sequence[Any]]], out: IO[bytes]) -> list[str]:
    """Writes the header with its line; returns the names of the columns. Those without a name at the end are left."""
    for number, cells in rows:
        if any(cell != "" for cell in cells):
            columns = [" ".join(str(_value(cell)).split()) for cell in cells]
            while not columns[-1]:
                columns.pop()
            if len(columns) > MOST_COLUMNS:
                raise UnreadableTableError(f"it has more than {MOST_COLUMNS} columns")
            out.write(msgspec.json.encode({"columns": columns, "line": number}) + b"\n")
            return columns
    raise UnreadableTableError("it has no header")


def _line(columns: list[str], cells: Sequence[Any]) -> bytes:
    if all(cell == "" for cell in cells):
        return b"=\n"
    width = len(columns)
    if any(cell != "" for cell in cells[width:]):
        return f"!has {len(cells)} fields where the header has {width}\n".encode()
    return line_of({name: _value(cell) for name, cell in zip(columns, cells, strict=False) if cell != ""})


def _value(cell: Any) -> Any:
    """Returns a cell as JSON holds it. A moment is its clock's, without a zone; whole numbers are whole."""
    if isinstance(cell, datetime):
        is_day = not (cell.hour or cell.minute or cell.second or cell.microsecond)
        return (cell.date() if is_day else cell).isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _MOST_EXACT:
        return int(cell)
    return cell


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
