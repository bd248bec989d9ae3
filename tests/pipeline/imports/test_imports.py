"""Files of profiles: what of them reaches users, and what is wrong with the rest."""

import gzip
import resource
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import buckets
from core.models import Inbox
from pipeline.imports import copying, lines
from pipeline.imports.csv_rows import CsvRows
from pipeline.imports.destination import Destination
from pipeline.imports.lines import octets
from profiles.models import Profile
from profiles.personal.protection import Policy, Protection
from tests.support.import_files import WRITERS, as_csv, as_parquet, faults, imported, written
from tests.support.shop import Shop, now_ms, rule, somebody

PEOPLE = [
    {"UserId": "C-1", "City": "Malmö", "Address.Zip": "01234", "Note": 'say "hi", \\ back'},
    {"UserId": "C-2", "City": "Rome", "Address.Zip": "00100", "Note": "plain"},
    {"UserId": "C-3", "City": "", "Address.Zip": "", "Note": "two\nlines\t100%"},
]


def survivor(shop: Shop, kind: str, value: str) -> UUID:
    """Who answers for an id, merges followed."""
    user = shop.named(kind, value)
    while user is not None and (profile := shop.profile(user)).merged_into is not None:
        user = profile.merged_into
    assert user is not None
    return user


def of(shop: Shop, key: str) -> Profile:
    user = shop.named("user", key)
    assert user is not None
    return shop.profile(user)


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("format_", list(WRITERS))
def test_file__of_any_format__sets_the_same_attributes(shop: Shop, tmp_path: Path, format_: str, packed: str) -> None:
    path = written(tmp_path, f"people.{format_}{packed}", WRITERS[format_](PEOPLE))

    row = imported(shop, path, format_)
    shop.absorb()

    assert (row.status, row.stored, row.errors, row.position) == ("done", 3, 0, 3)
    assert row.read == row.size == path.stat().st_size
    assert of(shop, "C-1").attributes == {
        "UserId": "C-1",
        "City": "Malmö",
        "Address": {"Zip": "01234"},
        "Note": 'say "hi", \\ back',
    }
    assert of(shop, "C-3").attributes["Note"] == "two\nlines\t100%"
    assert "City" not in of(shop, "C-3").attributes


def test_import__of_a_known_user__changes_attributes_and_counts_no_activity(shop: Shop, tmp_path: Path) -> None:
    ann = somebody()
    shop.event(ann, {"City": "Oslo", "Age": 40}, ids=[("user", "C-1")])
    shop.absorb()

    imported(shop, written(tmp_path, "p.csv", as_csv(PEOPLE)))
    shop.absorb()

    assert shop.named("user", "C-1") == ann
    assert (shop.profile(ann).attributes["City"], shop.profile(ann).attributes["Age"]) == ("Malmö", 40)
    assert shop.total(ann) == 1
    assert of(shop, "C-2").activity == {}
    assert of(shop, "C-2").confirmed


def test_import__with_a_typed_attribute_and_an_audience__converts_and_evaluates(shop: Shop, tmp_path: Path) -> None:
    shop.attribute("Age", "integer")
    audience = shop.audience("grown", rule("attribute.Age", ">=", 18))
    path = written(tmp_path, "p.csv", b"UserId,Age\nC-1,17\nC-2,18\nC-3,old\n")

    row = imported(shop, path)
    shop.absorb()

    assert shop.members(audience) == {shop.named("user", "C-2")}
    assert (row.stored, row.errors) == (2, 1)
    assert faults(row) == {3: "Age: does not convert to the attribute's type, integer"}
    assert not shop.bad_rows()


def test_names__of_every_kind__find_the_user_and_meet(shop: Shop, tmp_path: Path) -> None:
    ann = somebody()
    rows: list[dict[str, Any]] = [
        {"uuid": str(ann).upper(), "UserId": "C-1", "pl": "", "euid": "", "devid_g": "", "idsha1": "", "A": "1"},
        {"uuid": "", "UserId": "C-1", "pl": "12", "euid": "e-1", "devid_g": "", "idsha1": "", "C": "2"},
        {"uuid": "", "UserId": "", "pl": "12", "euid": "e-1", "devid_g": "g-1", "idsha1": "", "B": "3"},
        {"uuid": "", "UserId": "", "pl": "", "euid": "", "devid_g": "", "idsha1": "abc", "B": "4"},
    ]
    rows = [{"A": "", "B": "", "C": "", **row} for row in rows]

    row = imported(shop, written(tmp_path, "p.csv", as_csv(rows)))
    shop.absorb()

    assert faults(row) == {}
    one = {survivor(shop, *id_) for id_ in (("user", "C-1"), ("euid:12", "e-1"), ("device:devid_g", "g-1"))}
    assert len(one) == 1
    assert shop.profile(*one).attributes == {"UserId": "C-1", "A": "1", "B": "3", "C": "2"}
    assert survivor(shop, "device:idsha1", "abc") not in one


def test_bad_rows__of_all_kinds__are_told_by_number_and_never_fail_their_neighbours(shop: Shop, tmp_path: Path) -> None:
    rows = [
        b"UserId,uuid,at,pl,euid,City",
        b"C-1,,,,,Rome",
        b",,,,,nobody",
        b"C-2,nonsense,,,,x",
        b"C-3,,,7,,x",
        b"C-4,,yesterday,,,x",
        b"C-5,,1999-12-31,,,x",
        b"C-6,,,,,\xff",
        b"C-7,,,,",
        b"",
        b"C-8,,,12,[[USERID]],x",
        b"C-9,,,,,a\x00b",
        b"C-10," + b"x" * lines.BLOCK,
        b"C-11,,,,,fine",
    ]

    row = imported(shop, written(tmp_path, "p.csv", b"\n".join(rows)))
    shop.absorb()

    told = faults(row)
    assert told.keys() == {2, 3, 4, 5, 6, 7, 8, 11, 12}  # row 10 has another id than the macro
    assert "names nobody" in told[2]
    assert told[3].startswith("uuid:")
    assert told[4] == "pl and euid go together"
    assert told[5].startswith("at:")
    assert "has 5 fields where the header has 6" in told[8]
    assert (row.status, row.stored, row.errors) == ("done", 3, 9)
    assert {of(shop, key).attributes["City"] for key in ("C-1", "C-8", "C-11")} == {"Rome", "x", "fine"}
    assert not any("nonsense" in message or "USERID" in message for message in told.values())


@pytest.mark.parametrize(
    "line", [b"no json", b"[1]", b'{"UserId": "C-1", "A": 1e400}', b'{"UserId":"x","A":"\\ud800"}', b'{"a..b":1}']
)
def test_line__that_dp_would_not_take__is_a_bad_row(shop: Shop, tmp_path: Path, line: bytes) -> None:
    content = line + b'\n\n{"UserId": "C-2", "Deep": {"A": [1, 2.5, true]}}'

    row = imported(shop, written(tmp_path, "p.ndjson", content), "ndjson")
    shop.absorb()

    assert faults(row).keys() == {1}
    assert of(shop, "C-2").attributes["Deep"] == {"A": [1, 2.5, True]}


def test_row__with_its_own_time__does_not_overwrite_what_is_newer(shop: Shop, tmp_path: Path) -> None:
    moment = datetime.now(UTC) - timedelta(days=2)
    shop.event(ids=[("user", "C-1")], data={"City": "newer"}, at=now_ms() - 86_400_000)
    shop.event(ids=[("user", "C-2")], data={"City": "older"}, at=now_ms() - 3 * 86_400_000)
    shop.absorb()

    content = f"UserId,City,at\nC-1,file,{moment.timestamp()}\nC-2,file,{moment.isoformat()}\n".encode()
    imported(shop, written(tmp_path, "p.csv", content))
    shop.absorb()

    assert [of(shop, key).attributes["City"] for key in ("C-1", "C-2")] == ["newer", "file"]


def test_row__without_a_time__is_as_old_as_its_import(shop: Shop, tmp_path: Path) -> None:
    row = imported(shop, written(tmp_path, "p.csv", as_csv(PEOPLE)))

    assert {received for (received,) in Inbox.objects.values_list("received_at")} == {row.created_at}


def test_parquet__with_types_of_its_own__arrives_as_json_has_them(shop: Shop, tmp_path: Path) -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    rows = [
        {
            "UserId": "C-1",
            "N": 5,
            "F": 0.5,
            "T": True,
            "Day": moment.date(),
            "Moment": moment,
            "L": ["a"],
            "O": {"x": 1},
            "Clock": moment.replace(tzinfo=None),
            "D": Decimal("1.50"),
            "Long": 2**53 + 1,
            "Nan": float("nan"),
        }
    ]

    imported(shop, written(tmp_path, "p.parquet", as_parquet(rows)), "parquet")
    shop.absorb()

    assert of(shop, "C-1").attributes == {
        "UserId": "C-1",
        "N": 5,
        "F": 0.5,
        "T": True,
        "Day": "2026-03-01",
        "Moment": int(moment.timestamp()),
        "L": ["a"],
        "O": {"x": 1},
        "Clock": "2026-03-01T12:00:00",
        "D": 1.5,
        "Long": 2**53 + 1,
    }


def test_parquet__with_numbers_beyond_64_bits__refuses_their_rows(shop: Shop, tmp_path: Path) -> None:
    numbers = [Decimal(2**64 - 1), Decimal(2**64), Decimal(10) ** 30, Decimal(5)]
    rows = [{"UserId": f"C-{place}", "N": number} for place, number in enumerate(numbers)]

    row = imported(shop, written(tmp_path, "p.parquet", as_parquet(rows)), "parquet")
    shop.absorb()

    row.refresh_from_db()
    assert (row.stored, row.errors) == (2, 2)
    assert [of(shop, user).attributes["N"] for user in ("C-0", "C-3")] == [2**64 - 1, 5]


@pytest.mark.parametrize(
    ("content", "format_", "why"),
    [
        (b"", "csv", "no header"),
        (b"City,Age\nRome,3\n", "csv", "no column names the user"),
        (b"UserId,A,A\n", "csv", "two columns A"),
        (b"UserId,,A\n", "csv", "column 2 has no name"),
        (b"UserId,A,A.B\n", "csv", "collides"),
        (b"UserId,A..B\n", "csv", "no name of an attribute"),
        (b"PAR1 no", "parquet", "no sound Parquet"),
        (b"\x1f\x8bno gzip", "csv", "gzip"),
    ],
)
def test_file__that_cannot_be_used__fails_with_the_reason(
    shop: Shop, tmp_path: Path, content: bytes, format_: str, why: str
) -> None:
    row = imported(shop, written(tmp_path, "p", content), format_)

    assert row.status == "failed"
    assert why in row.error
    assert not Inbox.objects.exists()


def test_gzip__that_is_cut_off__keeps_what_could_be_read(shop: Shop, tmp_path: Path) -> None:
    people = [{"UserId": f"C-{n}", "A": str(uuid.uuid4())} for n in range(8_000)]
    path = written(tmp_path, "p.csv.gz", as_csv(people))
    path.write_bytes(path.read_bytes()[:-2_000])

    row = imported(shop, path)

    assert row.status == "failed"
    assert "cut off" in row.error
    assert 7_000 < row.stored == Inbox.objects.count() < 8_000


@pytest.mark.parametrize("format_", list(WRITERS))
def test_dry_run__of_a_file__says_what_would_change_and_changes_nothing(
    shop: Shop, tmp_path: Path, format_: str
) -> None:
    shop.event(ids=[("user", "C-1")], data={"City": "Oslo"})
    shop.absorb()
    shop.attribute("City", "string")
    shop.absorb()
    rows = [*PEOPLE, PEOPLE[1], {**PEOPLE[0], "UserId": ""}]

    row = imported(shop, written(tmp_path, "p", WRITERS[format_](rows)), format_, dry_run=True)

    assert row.status == "done"
    assert row.report is not None
    assert row.report.pop("columns") == ([] if format_ == "ndjson" else list(rows[0]))
    assert row.report == {
        "rows": 5,
        "good": 4,
        "bad": 1,
        "new_users": 2,
        "known_users": 1,
        "new_attributes": ["Address.Zip", "Note", "UserId"],
        "known_attributes": ["City"],
    }
    assert faults(row).keys() == {5}
    assert not Inbox.objects.exists()


def test_separators_and_byte_order_mark__as_spreadsheets_write_them__are_understood(shop: Shop, tmp_path: Path) -> None:
    imported(shop, written(tmp_path, "p.csv", b'\xef\xbb\xbfUserId;City\r\nC-1;"Rome; Lazio"\r\n'))
    shop.absorb()

    assert of(shop, "C-1").attributes == {"UserId": "C-1", "City": "Rome; Lazio"}


CELLS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["", "C-1", '"', "\\", "%s", "\\x41", "é", "\t", "\x7f"]
)
KEYS = ["UserId", "City", 'odd "key" \\\\ 100%', "Address.Zip", "Name", "Address.Street"]


def csv_rows() -> CsvRows:
    return CsvRows(KEYS, Destination(1, 7, ("UserId",), 1_700_000_000_000, Protection(Policy.HASH, UUID(int=0))))


PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters='"\\'), max_size=8)
NAMES = st.sampled_from(["C-1", "%s", "a b", "é", ""]) | CELLS
ROWS = st.tuples(NAMES, *[PLAIN | CELLS] * 5) | st.tuples(st.sampled_from(["C-1", "%s", "a b"]), *[PLAIN] * 5)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=st.lists(ROWS, min_size=1, max_size=4))
def test_csv_rows__by_the_quick_way__are_what_the_careful_way_makes_of_them(table: list[tuple[str, ...]]) -> None:
    rows = csv_rows()
    held = [[octets(cell.encode()) for cell in cells] for cells in table]
    quick = rows.events(held)
    if quick is None:
        return
    moment = copying.moment(1_700_000_000_000)
    careful = [rows.row(cells) for cells in held]  # what is bad is never read quickly
    assert quick == b"".join(copying.event(one.bucket, one.query, one.body, moment) for one in careful)
    assert [one.bucket for one in careful] == [buckets.of_value(cells[0]) for cells in table]
    if not any("," in cell for cells in held for cell in cells):
        assert rows.events([",".join(cells) for cells in held]) == quick, "a plain line is its cells"


@pytest.mark.parametrize(
    "cell", ["", "Oslo", "é", "%s", "0421", "a, b", "Rue 12", "1234567", "excellent" * 100, "日本"]
)
def test_csv_rows__that_need_no_escape_and_hold_nothing_personal__take_the_quick_way(cell: str) -> None:
    cells = [octets(one.encode()) for one in ("C-1", cell, "1.5", "x", "", "y")]
    assert csv_rows().events([cells, cells]) is not None


@pytest.mark.parametrize(
    "cell", ["ann@example.com", "0421 555-0123", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"]
)
def test_csv_rows__of_which_one_may_hold_personal_data__are_looked_at_one_by_one(cell: str) -> None:
    cells = [octets(one.encode()) for one in ("C-1", "Oslo", "1.5", "x", "", "y")]
    assert csv_rows().events([cells, [*cells[:4], cell, "y"], cells]) is None


def test_rows_of_all_kinds_in_one_file__each_become_what_they_would_alone(shop: Shop, tmp_path: Path) -> None:
    people = [
        {
            "UserId": f"C-{n}",
            "Mail": f"p{n}@example.com" if n % 97 == 0 else "",
            "City": "Malmö" if n % 5 else 'say "Ö"',
        }
        for n in range(1_500)
    ]
    bad = b"C-bad,\xff,x\n,,\nC-wide,a,b,c\n"
    row = imported(shop, written(tmp_path, "p.csv", as_csv(people) + bad))

    assert (row.stored, row.errors) == (1_500, 3)
    assert faults(row).keys() == {1501, 1502, 1503}
    shop.absorb()
    found = {profile.attributes["UserId"]: profile.attributes for profile in Profile.objects.all()}
    assert {key: held["City"] for key, held in found.items()} == {one["UserId"]: one["City"] for one in people}
    assert all(("Mail" in found[f"C-{n}"]) == (n % 97 == 0) for n in range(1_500))
    assert not any("@" in str(held) for held in found.values())


def shared_value(length: int, rows: int) -> bytes:
    """A Parquet file in which one long value stands in every row, but once in the file."""
    value = pyarrow.array(["x" * length])
    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, pyarrow.int32()), value)
    sink = BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"UserId": column}), sink, compression="zstd")
    return sink.getvalue()


BOMB = gzip.compress(b"\0" * 80_000_000)


@pytest.mark.parametrize(
    ("content", "format_", "why"),
    [
        (shared_value(200_000, 15_000), "parquet", "1000 times its size"),  # 3 GB
        (BOMB, "parquet", "200 times its size"),
        (BOMB, "csv", "200 times its size"),
    ],
    ids=["rows", "parquet.gz", "csv.gz"],
)
def test_file__that_is_small_and_holds_very_much__cannot_be_read(
    shop: Shop, tmp_path: Path, content: bytes, format_: str, why: str
) -> None:
    assert len(content) < 200_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    row = imported(shop, written(tmp_path, "p", content), format_)

    assert row.status == "failed"
    assert why in row.error
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 * 1024  # KiB


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        (gzip.compress(b"UserId\n" + b"x\n" * 10_000), "csv"),
        (gzip.compress(b'{"UserId": "x"}\n' * 2_000), "ndjson"),
        (gzip.compress(shared_value(20, 20)) + gzip.compress(b"x" * 20_000), "parquet"),
        (shared_value(1_000, 20), "parquet"),
    ],
    ids=["csv.gz", "ndjson.gz", "parquet.gz", "parquet"],
)
def test_file__that_unpacks_to_more_than_the_hub_takes__says_how_much_that_is(
    shop: Shop, tmp_path: Path, settings: Any, content: bytes, format_: str
) -> None:
    settings.UNPACKED_BYTES = 15_000

    row = imported(shop, written(tmp_path, "p", content), format_)

    assert row.status == "failed"
    assert "more than 15000 bytes" in row.error
