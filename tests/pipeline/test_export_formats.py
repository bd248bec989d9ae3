"""What is exported reads back as itself: values of every kind, through the cells of CSV and the columns of Parquet."""

import csv
import io
import json
from typing import Any

import pyarrow.parquet
from hypothesis import assume, example, given
from hypothesis import strategies as st

from core.json_values import canonical, is_empty
from core.values.numbers import HIGHEST, LOWEST
from pipeline.cells import cell_of, value_of
from pipeline.exports import formats
from pipeline.exports.columns import Column
from pipeline.imports import parquet_rows

TYPES = ("string", "number", "integer", "boolean", "time", "mixed")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    [
        "=1+1",
        "+49",
        "-5",
        "@x",
        "1e400",
        "null",
        "true",
        "[1]",
        '"',
        "'x",
        "a\r\nb",
        "\t",
        " x ",
        "\ufeff",
        "01",
        "\uff1d1",
    ]
)
NUMBERS = st.integers(LOWEST, HIGHEST) | st.floats(allow_nan=False, allow_infinity=False) | st.just(2**53 + 1)
SCALARS = TEXTS | NUMBERS | st.booleans()
VALUES = (
    SCALARS
    | st.lists(SCALARS | st.none() | st.lists(SCALARS, max_size=2), max_size=3)
    | st.dictionaries(TEXTS, SCALARS, max_size=2)
)
COLUMN = Column("attribute.x", "x", ("x",))


def exported(format_: str, values: list[Any]) -> bytes:
    columns = (Column("user_id", "uuid"), COLUMN)
    rows: list[list[Any]] = [[str(number), value] for number, value in enumerate(values)]
    return b"".join(formats.write(format_, columns, lambda: iter([rows[:2], rows[2:]])))


@given(value=VALUES, type_=st.sampled_from(TYPES))
@example(value="1", type_="mixed")
@example(value=2**63 - 1, type_="integer")
def test_cell__of_any_value__reads_back_as_itself_and_is_no_formula(value: Any, type_: str) -> None:
    kept = canonical(value)
    assume(type_ != "string" or isinstance(kept, str | list | dict))  # the type of an attribute holds
    cell = cell_of(kept, type_)

    assert value_of(cell, type_) == kept or (kept == "" and cell == "")
    assert type(value_of(cell, type_)) is type(kept)
    assert not (isinstance(kept, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")))
    assert not (isinstance(kept, str | list | dict) and cell[:1] in {"=", "+", "@"})


@given(values=st.lists(VALUES, min_size=1, max_size=4))
def test_csv__of_any_values__reads_back_row_by_row(values: list[Any]) -> None:
    kept = [canonical(value) for value in values]
    rows = list(csv.reader(io.StringIO(exported("csv", kept).decode(), newline="")))
    assert rows[0] == ["uuid", "x"]
    assert [value_of(row[1], "mixed") for row in rows[1:]] == kept


@given(values=st.lists(VALUES | st.none(), min_size=1, max_size=4))
@example(values=[2**53 + 1, 0.5])
@example(values=[[1], ["a"]])
@example(values=[True, 1])
def test_parquet__of_any_values__is_imported_as_they_were(values: list[Any]) -> None:
    kept = [None if value is None or is_empty(value) else canonical(value) for value in values]
    table = pyarrow.parquet.read_table(io.BytesIO(exported("parquet", kept)))
    cells = parquet_rows.json_columns(table.schema)
    lines = [parquet_rows.line_of(row, cells) for row in table.to_pylist()]
    assert [canonical(json.loads(line[1:])["x"]) for line in lines] == kept


def test_parquet__of_nobody__is_a_file_with_columns() -> None:
    empty = b"".join(formats.write("parquet", (COLUMN,), lambda: iter([])))
    assert pyarrow.parquet.read_table(io.BytesIO(empty)).column_names == ["x"]
