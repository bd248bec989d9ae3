"""CSV files as people have them: quotes, headers, delimiters, encodings."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.imports import csv_records, lines
from pipeline.imports.csv_file import CsvFile
from pipeline.imports.decoding import ENCODINGS, as_utf8
from pipeline.imports.errors import UnreadableFileError, UnreadableRow
from pipeline.imports.lines import text_of
from tests.support.import_files import as_csv

Row = list[str] | None


def read(raw: bytes, delimiter: str = "", encoding: str = "") -> tuple[CsvFile, list[tuple[int, Row]]]:
    """The file, and the line and the cells of each row; None for a row that cannot be read."""
    bytes_: Any = io.BytesIO(raw)
    file = CsvFile(as_utf8(io.BufferedReader(bytes_), encoding), delimiter)
    return file, list(_rows(file))


def _rows(file: CsvFile) -> Iterator[tuple[int, Row]]:
    for batch in file.batches():
        for line, row in zip(batch.lines, batch.rows, strict=True):
            if row is not None:
                cells = row.split(file.delimiter) if isinstance(row, str) else row
                yield line, None if isinstance(row, UnreadableRow) else [text_of(cell) for cell in cells]


def cells(raw: bytes, **how: str) -> list[Row]:
    return [row for _, row in read(raw, **how)[1]]


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ('a,"open\nb,2\nc,3\n', [None, ["b", "2"], ["c", "3"]]),
        ('a,"open\nb,"2"\nc,3\n', [None, ["b", "2"], ["c", "3"]]),
        ('a,1\nb,2\nc,"open', [["a", "1"], ["b", "2"], None]),
        ('a,"x"y\nb,2\n', [None, ["b", "2"]]),
        ('a,"open\nb,"open\n"c",3\n', [None, None, ["c", "3"]]),
        ('a,"two\nlines"\nb,2\n', [["a", "two\nlines"], ["b", "2"]]),
        ('a,"say ""hi"""\n', [["a", 'say "hi"']]),
        ('a,5" pipe\nb,2\n', [["a", '5" pipe'], ["b", "2"]]),
        ('a,"open\n' + "b,2\n" * 30 + 'c,3"\n', [None, *[["b", "2"]] * 30, ["c", '3"']]),
        ('a,"b,2\nc,3\n",z\nd,4\n', [None, ["c", "3"], None, ["d", "4"]]),
    ],
)
def test_quote__that_does_not_close__costs_its_own_row(rows: str, kept: list[Row]) -> None:
    assert cells(f"Id,A\n{rows}".encode()) == kept


def test_record__over_several_lines__tells_the_line_where_it_begins() -> None:
    _, rows = read(b'Id,A\na,"1\n2\n3"\nb,"open\nc,3\n')

    assert rows == [(2, ["a", "1\n2\n3"]), (5, None), (6, ["c", "3"])]


@pytest.mark.parametrize("line", ['x",y,"z\n', 'a,"b\n', '"",""a\n', '"a","\n', '""",\n', '","\n'])
@pytest.mark.parametrize("columns", [2, 300])
def test_quotes__of_any_nasty_kind__are_not_read_again_and_again(
    line: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 20_000
    monkeypatch.setattr(csv_records, "_CREDIT", 64 * 1024)
    monkeypatch.setattr(csv_records, "_CREDIT_PER_LINE", 20)
    taken = 0
    next_line = lines.LineBlocks.next_line

    def counted(self: lines.LineBlocks) -> str:
        nonlocal taken
        taken += 1
        return next_line(self)

    monkeypatch.setattr(lines.LineBlocks, "next_line", counted)
    read(",".join(f"c{number}" for number in range(columns)).encode() + b"\n" + line.encode() * count)

    assert taken < 20 * count


CELL = st.text(st.sampled_from('ab ",;\n\r\t\\é'), max_size=6)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(CELL.map(lambda text: "x" + text), CELL, CELL), min_size=1, max_size=12))
def test_file__as_rfc_4180_says__is_read_as_it_was_written(rows: list[tuple[str, ...]]) -> None:
    raw = as_csv([dict(zip("ABC", row, strict=True)) for row in rows])

    assert cells(raw) == [list(row) for row in rows]


@pytest.mark.parametrize(
    ("header", "delimiter", "columns"),
    [
        ('"UserId","a;b;c;d"', ",", ["UserId", "a;b;c;d"]),
        ('"a,b,c";UserId', ";", ["a,b,c", "UserId"]),
        (" UserId , City ", ",", ["UserId", "City"]),
        ("UserId;City;;", ";", ["UserId", "City"]),
        ('UserId,"First\nname"', ",", ["UserId", "First name"]),
        ("sep=;\nUserId;City", ";", ["UserId", "City"]),
        ('"sep=|"\r\nUserId|City', "|", ["UserId", "City"]),
        ("SEP=^\nUserId^a,b", "^", ["UserId", "a,b"]),
        ("UserId;Net, EUR\nC-1;5,1\nC-2;7\nC-3;8,2,1", ";", ["UserId", "Net, EUR"]),
        ("UserId", ",", ["UserId"]),
        ("UserId\tCity", "\t", ["UserId", "City"]),
    ],
)
def test_header__as_programs_write_it__says_delimiter_and_columns(
    header: str, delimiter: str, columns: list[str]
) -> None:
    file, _ = read(f"{header}\n".encode())

    assert (file.delimiter, file.columns) == (delimiter, columns)


def test_delimiter__that_was_chosen__counts() -> None:
    file, rows = read(b"a;b,c;d\n1;2,3;4\n", delimiter=",")

    assert (file.columns, rows) == (["a;b", "c;d"], [(2, ["1;2", "3;4"])])


@pytest.mark.parametrize("raw", [b"", b"\n", b",,,\n", b"a,,b\n", b"a,a\n", b"a,b\x00\n", b"a,\xff\n", b'a,"b\n'])
def test_header__that_is_none__is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadableFileError):
        read(raw)


@pytest.mark.parametrize(
    ("encoding", "chosen"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("utf-16-le", ""),
        ("utf-16-be", ""),
        *[(name, name) for name in ("cp1252", "iso8859-15", "cp850", "mac-roman", "utf-16-le")],
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encoding__marked_or_chosen__gives_the_same_rows(encoding: str, chosen: str, end: str) -> None:
    raw = f"UserId,Stadt{end}C-1,Köln{end}C-2,Málaga{end}".encode(encoding)

    assert cells(raw, encoding=chosen) == [["C-1", "Köln"], ["C-2", "Málaga"]]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encoding__that_can_be_chosen__reads_what_it_writes(encoding: str) -> None:
    assert cells("UserId,A\nC-1,x\n".encode(encoding), encoding=encoding) == [["C-1", "x"]]


def test_bytes__that_are_not_of_the_encoding__make_a_row_that_no_check_lets_pass() -> None:
    rows = cells(b"UserId,A\nC-1,\x81\nC-2,\xe4\n", encoding="cp1252")

    assert rows == [["C-1", "\udcff"], ["C-2", "ä"]]
