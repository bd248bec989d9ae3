"""MediaMath S2S: the document's example byte for byte, and files that an independent reader understands."""

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.connectors.base import Limits, Member, Operation, Segment
from integrations.connectors.conformance import Conformance, Example
from integrations.connectors.files import MemberChange, SftpDestination
from integrations.connectors.mediamath_s2s import audience_file
from integrations.connectors.mediamath_s2s.audience_file import LEAVE, NOW, FileHeader
from integrations.connectors.mediamath_s2s.connector import MediaMathS2S
from integrations.connectors.mediamath_s2s.settings import segment_fault
from tests.integrations.connectors.mediamath_s2s.reader import ParsedFile, read
from tests.integrations.connectors.payloads import HERE

USER = UUID("00000000-0000-4000-8000-000000000042")
AT = datetime(2014, 7, 30, 23, 0, tzinfo=UTC)
CREDENTIALS = {"username": "ep", "password": "s3cret"}
SETTINGS: dict[str, Any] = {"partner": "ExamplePartner", "segment_namespace": "ep"}
IDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(6)]


def connector(**more: Any) -> MediaMathS2S:
    given = SETTINGS | more
    MediaMathS2S.validate_settings(given)
    return MediaMathS2S(given, CREDENTIALS)


def change(segment: Any, user: str, operation: Operation = Operation.ADD, **more: Any) -> MemberChange:
    return MemberChange(Member(Segment(1, segment, 9, "Big", more, 1, 7), user, USER), operation)


def file_of(ready: MediaMathS2S, changes: Iterable[list[MemberChange]], at: datetime = AT) -> ParsedFile:
    """What stands in the file that holds these changes, given user by user."""
    partition = ready.partition(IDENTITY.member)
    name = ready.file_name(partition, at, 0)
    written = ready.header(partition, name, at) + b"".join(line for one in changes for line in ready.lines(one))
    return read(name, gzip.compress(written))


IDENTITY = change(1, IDS[0])


# ── the document ─────────────────────────────────────────────────────────────────────────────────────


def test_example_file__is_the_documents_byte_for_byte() -> None:
    name = audience_file.file_name(["ExamplePartner"], AT)
    rows = [
        audience_file.rows("2c3753c5-9a67-4600-f044-a5d7e0c5f6d7", [(10001, NOW), (10003, NOW), (10005, 1406850980)]),
        audience_file.rows("3d3353c3-9a67-4651-a443-a6d7e1c4fde8", [(10002, LEAVE)]),
        audience_file.rows("4e2754c5-5562-4601-1742-a9d7e2c3fef9", [(10002, NOW)]),
        audience_file.rows("4a5124c5-aab1-3222-1154-a2d7f2a33ef9", [(10002, NOW)], leave_all=True),
        audience_file.rows("7a513b12-ab1b-3fe2-bc54-a5d7f2a33911", [], leave_all=True),
    ]
    written = FileHeader(name, 1406761200, "ep").encode() + b"".join(line for lines in rows for line in lines)
    expected = (HERE / "mediamath_s2s" / "ExamplePartner_201407302300.log").read_bytes()
    assert written == expected

    held = {"4a5124c5-aab1-3222-1154-a2d7f2a33ef9": {"1", "2"}, "7a513b12-ab1b-3fe2-bc54-a5d7f2a33911": {"1"}}
    read(name, gzip.compress(written)).replay(held)
    assert held["4a5124c5-aab1-3222-1154-a2d7f2a33ef9"] == {"10002"}
    assert held["7a513b12-ab1b-3fe2-bc54-a5d7f2a33911"] == {"9999999"}


def test_what_the_connector_writes__begins_like_the_example() -> None:
    ready = connector()
    expected = (HERE / "mediamath_s2s" / "ExamplePartner_201407302300.log").read_bytes()
    name = ready.file_name("", AT, 0)
    assert expected.startswith(ready.header("", name, datetime.fromtimestamp(1406761200, UTC)))
    several = [change(10003, IDS[0]), change(10001, IDS[0]), change(10002, IDS[0], Operation.REMOVE)]
    assert list(ready.lines(several)) == [f"{IDS[0]} 10001:0 10002:-1 10003:0\n".encode()]


@pytest.mark.parametrize(
    ("more", "partition", "number", "name"),
    [
        ({}, "", 0, "ExamplePartner_201407302300.log.gz"),
        ({"agency": "Agency"}, "", 0, "Agency_ExamplePartner_201407302300.log.gz"),
        ({}, "Client", 0, "ExamplePartner_Client_201407302300.log.gz"),
        ({}, "", 2, "ExamplePartner_201407302302.log.gz"),
    ],
)
def test_name__says_whose_data_it_is(more: dict[str, Any], partition: str, number: int, name: str) -> None:
    assert connector(**more).file_name(partition, AT, number) == name


def test_private_data__have_files_of_their_own() -> None:
    ready = connector(client="Acme")
    assert ready.partition(change(1, IDS[0]).member) == "Acme"
    assert ready.partition(change(1, IDS[0], client="Other").member) == "Other"
    assert ready.partition(change(1, IDS[0], client="").member) == ""


def test_header__says_what_kind_of_ids_these_are() -> None:
    ready = connector(mobile=True, hash_segments=True, user_namespace="ep", user_table_id=99)
    header = file_of(ready, [[change("Big-1", IDS[0])]]).header
    assert [header[key] for key in ("Mobile", "HashSegments", "UserNamespace", "UserTableId")] == ["1", "1", "ep", "99"]


# ── lines ────────────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(1, 2500), st.integers(0, 2_147_483_647 - 3000))
@settings(max_examples=25)
def test_long_line__is_split_and_restates_the_id(segments: int, first: int) -> None:
    changes = [change(first + 1 + number, IDS[0]) for number in range(segments)]
    found = file_of(connector(), [changes])
    said = [segment for row in found.rows for segment, _ in row.statements]
    assert {row.user for row in found.rows} == {IDS[0]}
    assert said == [str(first + 1 + number) for number in range(segments)]


def test_remove_all__stands_on_the_first_of_several_lines() -> None:
    lines = list(audience_file.rows(IDS[0], [(number, NOW) for number in range(1, 2000)], leave_all=True))
    assert len(lines) > 1
    assert [b" -1 " in line for line in lines] == [True] + [False] * (len(lines) - 1)


histories = st.lists(
    st.lists(st.tuples(st.sampled_from(IDS), st.integers(1, 5), st.booleans()), max_size=30), min_size=1, max_size=6
)


@given(histories)
@settings(max_examples=60)
def test_files_replayed__give_the_wanted_state(history: list[list[tuple[str, int, bool]]]) -> None:
    """Each round somebody joins and leaves at will; what changed against the last file goes into the next one."""
    wanted: dict[str, set[str]] = {user: set() for user in IDS}
    told: dict[str, set[str]] = {user: set() for user in IDS}
    held: dict[str, set[str]] = {user: set() for user in IDS}
    for number, round_ in enumerate(history):
        for user, segment, joins in round_:
            (wanted[user].add if joins else wanted[user].discard)(str(segment))
        changes = [
            [change(int(one), user) for one in wanted[user] - told[user]]
            + [change(int(one), user, Operation.REMOVE) for one in told[user] - wanted[user]]
            for user in IDS
            if wanted[user] != told[user]
        ]
        file_of(connector(), changes, AT + timedelta(minutes=5 * number)).replay(held)
        told = {user: set(segments) for user, segments in wanted.items()}
        assert held == wanted


# ── where files go, what is refused ──────────────────────────────────────────────────────────────────


def test_data_centre__chooses_the_host() -> None:
    ready = connector(hosts_by_dc={"ewr": "ewr.example", "ams": "ams.example"}, path="/in")
    for extra, host in (
        ({"dc": "EWR"}, "ewr.example"),
        ({"dc": "hkg"}, ready.settings.host),
        ({}, ready.settings.host),
    ):
        found = ready.destination_of(extra)
        assert isinstance(found, SftpDestination)
        assert (found.host, found.port, found.path, found.username) == (host, 2222, "/in", "ep")
    assert ready.destination() == ready.destination_of({})
    elsewhere = connector(hosts_by_dc={"ewr": "ewr.example:2022"}).destination_of({"dc": "ewr"})
    assert isinstance(elsewhere, SftpDestination)
    assert (elsewhere.host, elsewhere.port) == ("ewr.example", 2022)


@pytest.mark.parametrize(
    "wrong",
    [
        {"partner": "Two Words"},
        {"partner": "a.b"},
        {"user_table_id": "x", "user_namespace": "ep"},
        {"partner": "under_score"},
        {"partner": ""},
        {"client": "a b"},
        {"user_table_id": "9"},
        {"segment_namespace": "abc"},
        {"segment_namespace": ""},
        {"user_namespace": "ep"},
        {"log_url": "ftp://x"},
        {"hosts_by_dc": {"newark": "x.example"}},
        {"mobile": "yes"},
        {"interval_minutes": 0},
        {"port": 70_000},
        {"hosts_by_dc": {"ewr": "a.example", "ams": "b.example"}, "interval_minutes": 2},
    ],
)
def test_settings__that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        connector(**wrong)


@pytest.mark.parametrize(
    ("segment", "hashed", "right"),
    [
        (1, False, True),
        (2_147_483_647, False, True),
        (0, False, False),
        (2_147_483_648, False, False),
        (-5, False, False),
        (9_999_999, False, False),
        ("abc", False, False),
        ("abc-1", True, True),
        ("a b", True, False),
        ("a:b", True, False),
        ("", True, False),
    ],
)
def test_segment__is_a_32_bit_number_or_hashed(segment: Any, hashed: bool, right: bool) -> None:
    assert (segment_fault(segment, hashed=hashed) is None) is right


def test_limits__are_the_documented_ones() -> None:
    assert MediaMathS2S.default_limits == Limits(files_per_hour=20, bytes_per_day=5 * 10**9)
    assert MediaMathS2S.most_bytes < 4 * 10**9


class TestConformance(Conformance):
    example = Example(
        connector=MediaMathS2S,
        settings=SETTINGS | {"agency": "Agency", "hosts_by_dc": {"ewr": "ewr.example"}},
        credentials=CREDENTIALS,
        ids=(IDS[0], IDS[1]),
    )


@pytest.mark.parametrize("strange", ["AMsySZa", "a b", "", "é", IDS[0] + "0"])
def test_id_that_is_no_mm_uuid__has_no_line(strange: str) -> None:
    assert list(connector().lines([change(1, strange)])) == []


def test_partners_own_ids__may_look_like_anything_without_blanks() -> None:
    ready = connector(user_namespace="ep", user_table_id="99")
    assert list(ready.lines([change(1, "AMsySZa")])) == [b"AMsySZa 1:0\n"]
    assert list(ready.lines([change(1, "a b")])) == []


def test_segment_of_two_activations__stands_once_and_who_joins_stays() -> None:
    both = [change(7, IDS[0]), change(7, IDS[0], Operation.REMOVE)]
    assert list(connector().lines(both)) == list(connector().lines(both[::-1])) == [f"{IDS[0]} 7:0\n".encode()]
