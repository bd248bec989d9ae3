"""What an import makes of columns: mapping, spelling of numbers and times, words for nothing, types."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.messages import Event
from pipeline.cells import cell_of
from pipeline.imports import services
from pipeline.imports.csv_rows import CsvRows
from pipeline.imports.destination import Destination
from pipeline.imports.errors import BadRowError
from pipeline.imports.lines import octets
from pipeline.imports.options import ImportOptions, OptionsError, options_of, read_options
from pipeline.imports.rows import ImportRow
from pipeline.imports.run import run
from pipeline.models import Import
from profiles.models import Profile
from profiles.personal.protection import Policy, Protection
from tests.support.import_files import WRITERS, Hurry, faults, written
from tests.support.shop import Shop

MADE = 1_700_000_000_000
GERMAN = {
    "encoding": "cp1252",
    "decimal": ",",
    "dates": "DD.MM.YYYY",
    "empty": ["k.A."],
    "mapping": [
        {"from": "Kundennr.", "to": "user"},
        {"from": "Ort", "to": "attribute.Address.City"},
        {"from": "Umsatz", "to": "attribute.Revenue", "type": "number"},
        {"from": "Kunde seit", "to": "attribute.Since", "type": "time"},
        {"from": "Land", "to": "dimension._geo_c"},
        {"from": "Zuletzt", "to": "last_seen"},
        {"value": "shop", "to": "attribute.Source"},
        {"from": "*", "to": None},
    ],
}


def imported(shop: Shop, path: Path, options: dict[str, Any], format_: str = "csv", *, dry_run: bool = False) -> Import:
    row = services.import_of(path, shop.pixel, format_, read_options(options), dry_run=dry_run)
    run(row, Hurry())
    return row


def of(shop: Shop, key: str) -> Profile:
    user = shop.named("user", key)
    assert user is not None
    return shop.profile(user)


def unix(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


def test_file__with_a_mapping__becomes_what_was_said(shop: Shop, tmp_path: Path) -> None:
    content = (
        "sep=;\r\nKundennr.;Ort;Umsatz;Kunde seit;Land;Zuletzt;Notiz\r\n"
        'K-1;Köln;1.234,56;31.12.2025;DE;01.02.2026;"geheim"\r\n'
        "K-2;k.A.;7;k.A.;AT;;x\r\n"
    ).encode("cp1252")

    row = imported(shop, written(tmp_path, "kunden.csv", content), GERMAN)
    shop.absorb()

    assert (row.status, row.stored, row.errors) == ("done", 2, 0)
    first, second = of(shop, "K-1"), of(shop, "K-2")
    assert first.attributes == {
        "UserId": "K-1",
        "Address": {"City": "Köln"},
        "Revenue": 1234.56,
        "Since": unix(2025, 12, 31),
        "Source": "shop",
    }
    assert second.attributes == {"UserId": "K-2", "Revenue": 7, "Source": "shop"}
    assert (first.dimensions, second.dimensions) == ({"_geo_c": "DE"}, {"_geo_c": "AT"})
    seen = first.activity[str(shop.pixel.pk)]
    assert (seen["first"], seen["last"], seen["total"]) == (unix(2026, 2, 1) * 1000, unix(2026, 2, 1) * 1000, 0)
    assert second.activity == {}


@pytest.mark.parametrize("format_", list(WRITERS))
def test_values__that_do_not_convert__are_refused_with_the_same_lines_by_dry_run_and_import(
    shop: Shop, tmp_path: Path, format_: str
) -> None:
    shop.attribute("Amount", "number")
    wrong = set(random.Random(5).sample(range(1, 1_001), 68))
    rows = [{"UserId": f"C-{n}", "Amount": "n/a" if n in wrong else f"{n}.5"} for n in range(1, 1_001)]
    path = written(tmp_path, f"p.{format_}", WRITERS[format_](rows))

    looked, stored = (imported(shop, path, {}, format_, dry_run=dry_run) for dry_run in (True, False))
    shop.absorb()

    assert (looked.stored, looked.errors) == (stored.stored, stored.errors) == (932, 68)
    assert faults(looked) == faults(stored)
    assert faults(stored).keys() == wrong
    assert looked.report is not None
    assert looked.report["bad"] == 68
    assert not shop.bad_rows()


def test_words_for_nothing__that_were_said__leave_the_value_out(shop: Shop, tmp_path: Path) -> None:
    shop.attribute("Amount", "number")
    path = written(tmp_path, "p.csv", b"UserId,Amount,City\nC-1,n/a,Rome\nN/A,1,Oslo\nC-2,3,-\n")

    row = imported(shop, path, {"empty": "N/A, -"})
    shop.absorb()

    assert faults(row).keys() == {2}
    assert of(shop, "C-1").attributes == {"UserId": "C-1", "City": "Rome"}
    assert of(shop, "C-2").attributes == {"UserId": "C-2", "Amount": 3}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("encoding", "zlib"),
        ("encoding", "../x"),
        ("delimiter", "ab"),
        ("delimiter", '"'),
        ("decimal", ";"),
        ("thousands", "x"),
        ("thousands", ","),
        ("dates", "sometime"),
        ("empty", ["a"] * 101),
        ("empty", [5]),
        ("colour", "red"),
        ("cells", "xml"),
        ("mapping", "{"),
        ("mapping", {"a": "b"}),
        ("mapping", [{"from": "a"}]),
        ("mapping", [{"from": "a", "to": "nowhere"}]),
        ("mapping", [{"from": "a", "to": "attribute.a..b"}]),
        ("mapping", [{"from": "a", "to": "dimension.nothing"}]),
        ("mapping", [{"from": "a", "to": "uuid", "type": "number"}]),
        ("mapping", [{"from": "a", "value": "b", "to": "uuid"}]),
        ("mapping", [{"from": "*", "to": "attribute.a"}]),
        ("mapping", [{"from": "a", "to": None}, {"from": "a", "to": "uuid"}]),
        ("mapping", [{"from": "a", "to": "uuid"}, {"from": "b", "to": "uuid"}]),
        ("mapping", [{"value": {}, "to": "uuid"}]),
    ],
)
def test_option__that_cannot_be__is_refused_by_its_name(option: str, value: Any) -> None:
    with pytest.raises(OptionsError) as refused:
        read_options({option: value})

    assert refused.value.faults.keys() == {option}


def test_options__stored_as_json__are_the_same_again() -> None:
    options = read_options(GERMAN)

    assert options_of(msgspec.json.decode(msgspec.json.encode(options.stored()))) == options
    assert options_of({}) == ImportOptions()


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        ([{"from": "Street", "to": "attribute.A"}], "no column Street"),
        ([{"from": "City", "to": "uuid"}, {"from": "UserId", "to": None}], ""),
        ([{"from": "UserId", "to": None}], "no column names the user"),
        ([{"from": "City", "to": "attribute.UserId"}], "collides"),
        ([{"from": "City", "to": "attribute.UserId.x"}], "collides"),
    ],
)
def test_mapping__that_does_not_fit_the_file__fails_with_the_reason(
    shop: Shop, tmp_path: Path, mapping: list[Any], why: str
) -> None:
    row = imported(shop, written(tmp_path, "p.csv", b"UserId,City\nC-1,Rome\n"), {"mapping": mapping}, dry_run=True)

    assert (row.status == "failed") == bool(why)
    assert why in row.error
    assert row.report is not None
    assert row.report["columns"] == ["UserId", "City"]


TYPED = (("N", ["N"], "number"), ("Whole", ["Whole"], "integer"), ("Flag", ["Flag"], "boolean"), ("T", ["T"], "time"))
COLUMNS = ["Key", "N", "Whole", "Flag", "T", "Left", "Price", "Day"]
OPTIONS = [
    ImportOptions(),
    read_options({"mapping": [{"from": "Left", "to": None}]}),
    *[
        read_options(
            {
                "decimal": decimal,
                "dates": "DD.MM.YYYY",
                "mapping": [
                    {"from": "Price", "to": "attribute.Deep.Price", "type": "number"},
                    {"from": "Day", "to": "attribute.Day", "type": "time"},
                    {"from": "Left", "to": None},
                    {"value": 'a "constant" 100%', "to": "attribute.Deep.From"},
                ],
            }
        )
        for decimal in (".", ",")
    ],
]
NUMBERS = st.sampled_from(
    [
        "",
        "0",
        "-0",
        "00",
        "1",
        "-1",
        "1.5",
        "1,5",
        "1.234,56",
        "1,234.56",
        "1.2.3",
        "12.34,5",
        ".5",
        "5.",
        "1e3",
        "-0.5",
        "007",
        "1 000",
        "9007199254740993",
        "123456789012345678",
        "12345678901234567890",
        "n/a",
        "+4",
        "0,0",
    ]
)
DAYS = st.sampled_from(["", "31.12.2025", "2025-12-31", "31.2.2025", "1700000000", "1.1.26", "true", "yes", "no"])
CELLS = st.tuples(
    st.sampled_from(["C-1", "C-2", "4712.0", " C-1", "NULL", "null", "guest", "C-\\N"]),
    NUMBERS,
    NUMBERS,
    DAYS,
    DAYS | NUMBERS,
    st.sampled_from(["x", "ann@example.com", '"', "é"]),
    NUMBERS,
    DAYS,
)


def parsed(row: ImportRow) -> Any:
    return row.bucket, row.event, msgspec.json.decode(row.body or b"null")


def copied(raw: bytes, count: int) -> list[Any]:
    """What rows in the form of a binary COPY hold."""
    found, at = [], 0
    for _ in range(count):
        values: list[bytes] = []
        at += 2
        for _ in range(5):
            size = int.from_bytes(raw[at : at + 4], "big", signed=True)
            values.append(raw[at + 4 : at + 4 + size])
            at += 4 + size
        event = msgspec.json.decode(values[2], type=Event)
        found.append((int.from_bytes(values[0], "big"), event, msgspec.json.decode(values[3])))
    assert at == len(raw)
    return found


@settings(max_examples=400, deadline=None)
@given(table=st.lists(CELLS, min_size=1, max_size=3), options=st.sampled_from(OPTIONS), key=st.booleans())
def test_rows__by_the_quick_way__hold_what_the_careful_way_makes_of_them(
    table: list[tuple[str, ...]], options: ImportOptions, key: bool
) -> None:
    to = Destination(1, 7, ("Key",), MADE, Protection(Policy.HASH, UUID(int=0)), typed=TYPED)
    rows = CsvRows(COLUMNS, to, ";", options)
    held = [[octets(cell.encode()) for cell in (cells if key else ("C-1", *cells[1:]))] for cells in table]
    quick = rows.events(held)
    if quick is None:
        return
    assert copied(quick, len(held)) == [parsed(rows.row(cells)) for cells in held]


@pytest.mark.parametrize("options", OPTIONS)
def test_rows__that_are_simple__take_the_quick_way_with_any_options(options: ImportOptions) -> None:
    to = Destination(1, 7, ("Key",), MADE, Protection(Policy.HASH, UUID(int=0)), typed=TYPED)
    sign = options.decimal or "."
    day = "31.12.2025" if options.dates else "2025-12-31"
    line = f"C-1;12{sign}5;7;true;{day};x;1{sign}5;{day}"

    assert CsvRows(COLUMNS, to, ";", options).events([line, line]) is not None


@pytest.mark.parametrize("name", ["NULL", "undefined", "0", "guest", "C-1 ", "4712.0"])
def test_users__who_may_be_nobody_or_are_spelled_in_another_way__are_read_with_care(name: str) -> None:
    to = Destination(1, 7, ("Key",), MADE, Protection(Policy.HASH, UUID(int=0)))
    rows = CsvRows(["Key", "City"], to)

    assert rows.events(["C-1,Rome", f"{name},Oslo"]) is None
    if name.strip() != "C-1" and name != "4712.0":
        with pytest.raises(BadRowError):
            rows.row(f"{name},Oslo")


JSON = st.recursive(
    st.sampled_from(["", "x", " x ", "=1+1", "1", "1.0", "true", "null", '"q"', "[1]", "é", "a,b;c\n"])
    | st.sampled_from([0, 1, -5, 2**53 + 1, 2**64 - 1, 0.5, True, False]),
    lambda inner: st.lists(inner, min_size=1, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, min_size=1),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(
    mixed=JSON, text=st.text(st.sampled_from('ab="[ \n,+1é'), max_size=5), number=st.sampled_from([0, -1, 0.5, 2**60])
)
def test_csv__that_the_hub_exported__is_imported_as_it_was(mixed: Any, text: str, number: float) -> None:
    typed = (("text", ["text"], "string"), ("number", ["number"], "number"))
    to = Destination(1, 7, ("Key",), MADE, Protection(Policy.HASH, UUID(int=0)), typed=typed)
    header = ["uuid", "mixed", "text", "number", "attribute.at", "since", "dimension.cpid"]
    user = "5b0d4c3e-9f63-4d25-8c0e-30f2a6c1d7aa"
    values = [user, cell_of(mixed, "mixed"), cell_of(text, "string"), cell_of(number, "number"), "x", "now", '"=c"']

    row = CsvRows(header, to, ",", ImportOptions(cells="json")).row([octets(cell.encode()) for cell in values])

    assert row.data == {"mixed": mixed, "text": text, "number": number, "at": "x"}
    assert [type(row.data[name]) for name in ("mixed", "text")] == [type(mixed), str]
    assert (row.event.user, row.event.dimensions) == (user, {"cpid": "=c"})
