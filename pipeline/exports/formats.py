"""The formats of exports: CSV and Parquet, written as the members are read."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from core import extras
from pipeline.cells import cell_of
from pipeline.exports.columns import Column
from pipeline.exports.reading import Row

Pages = Callable[[], Iterator[list[Row]]]
"""Begins to read the members; each call begins anew."""

EXACT = 2**53  # whole numbers up to here are the same as floats
LONG = 2**63  # the first whole number that Parquet does not hold
GROUP = 5_000  # members of a row group of Parquet
JSON_CELLS = {b"cells": b"json"}
"""Metadata of a Parquet column whose texts are cells (`pipeline.cells`)."""

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


class ChangedShapeError(Exception):
    """While the file was being written, a value came that does not fit into its column any more. Begin again."""


def write(format_: str, columns: Sequence[Column], pages: Pages) -> Iterator[bytes]:
    """Yields the file, piece by piece. Raises MissingExtraError, ChangedShapeError."""
    return _csv(columns, pages) if format_ == "csv" else _parquet(columns, pages)


def require(format_: str) -> None:
    """Raises MissingExtraError where the format cannot be written in this installation."""
    if format_ == "parquet":
        extras.require("pyarrow")


def _csv(columns: Sequence[Column], pages: Pages) -> Iterator[bytes]:
    """UTF-8, by commas, with a header; what stands in a cell is told in `pipeline.cells`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([column.header for column in columns])
    yield text.getvalue().encode()
    for page in pages():
        text.seek(0)
        text.truncate()
        for row in page:
            writer.writerow([cell_of(value, column.type) for value, column in zip(row, columns, strict=True)])
        yield text.getvalue().encode()


def _parquet(columns: Sequence[Column], pages: Pages) -> Iterator[bytes]:
    """Reads the members twice: a column gets the type that holds all its values, else its values are cells."""
    with extras.explained():
        import pyarrow as pa
        import pyarrow.parquet as pq
    shapes = _shapes(columns, pages())
    schema = pa.schema([_field(pa, column, shape) for column, shape in zip(columns, shapes, strict=True)])
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        for rows in _groups(pages()):
            fitted = [list(map(_fitted, row, columns, shapes)) for row in rows]
            by_column = zip(zip(*fitted, strict=True), schema, strict=True)
            arrays = [pa.array(values, type=field.type) for values, field in by_column]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield sink.take()
    yield sink.take()


def _groups(pages: Iterator[list[Row]]) -> Iterator[list[Row]]:
    rows: list[Row] = []
    for page in pages:
        rows += page
        if len(rows) >= GROUP:
            yield rows
            rows = []
    if rows:
        yield rows


class _Sink(io.RawIOBase):
    """Takes what is written, and hands it on."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any, /) -> int:
        self._pieces.append(bytes(piece))
        self._written += len(self._pieces[-1])
        return len(self._pieces[-1])

    def tell(self) -> int:
        return self._written

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


Shape = str
"""What all values of a column are: `bool`, `int`, `float`, `str`, or a list of one of these (`[int]`).

`long`: whole numbers that a float would not hold; `json`: values of several kinds.
"""

_EMPTY = ""


def _shapes(columns: Sequence[Column], pages: Iterator[list[Row]]) -> list[Shape]:
    found = [_EMPTY] * len(columns)
    for page in pages:
        for row in page:
            found = [_joined(shape, _shape(value)) for shape, value in zip(found, row, strict=True)]
    return [shape or "str" for shape in found]


def _shape(value: Any) -> Shape:
    if value is None:
        return _EMPTY
    if isinstance(value, bool | str):
        return type(value).__name__
    if isinstance(value, int):
        return "int" if abs(value) <= EXACT else "long" if -LONG <= value < LONG else "json"
    if isinstance(value, float):
        return "float"
    if not isinstance(value, list):
        return "json"
    inner = _EMPTY
    for item in value:
        inner = "json" if item is None or isinstance(item, list | dict) else _joined(inner, _shape(item))
    return f"[{inner}]" if inner and inner != "json" else "json"


def _joined(one: Shape, other: Shape) -> Shape:
    """Returns the shape of a column that has values of both."""
    if not one or not other or one == other:
        return one or other
    if one[0] == other[0] == "[":
        inner = _joined(one[1:-1], other[1:-1])
        return inner if inner == "json" else f"[{inner}]"
    pair = {one, other}
    if pair == {"int", "long"}:
        return "long"
    return "float" if pair == {"int", "float"} else "json"


def _field(pa: Any, column: Column, shape: Shape) -> Any:
    types = {"bool": pa.bool_(), "int": pa.int64(), "long": pa.int64(), "float": pa.float64(), "str": pa.string()}
    if shape == "json":
        return pa.field(column.header, pa.string(), metadata=JSON_CELLS)
    return pa.field(column.header, pa.list_(types[shape[1:-1]]) if shape[0] == "[" else types[shape])


def _fitted(value: Any, column: Column, shape: Shape) -> Any:
    if value is None:
        return None
    if shape == "json":
        return msgspec.json.encode(value).decode()
    if _joined(shape, _shape(value)) != shape:
        raise ChangedShapeError(column.name)
    return value
