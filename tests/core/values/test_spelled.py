"""Texts as values: exact or refused, and what a source spells otherwise only where that was said."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.values.errors import UnreadableValueError
from core.values.moments import LAST_DAY, seconds_of
from core.values.numbers import HIGHEST, LOWEST
from core.values.spelled import THOUSANDS, Spelling, read

BERLIN = ZoneInfo("Europe/Berlin")
WHOLE = st.integers(LOWEST, HIGHEST)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.builds(datetime.combine, st.dates(date(1000, 1, 1), date(9998, 12, 31)), st.times())
WIDE_12 = "\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT TWO}"
GERMAN = Spelling(decimal=",", thousands=".")
ANYTHING = Spelling(decimal=",", thousands="_", dates="DD.MM.YYYY", empty=frozenset({"n/a"}), any_digits=True)


@given(WHOLE)
def test_whole_number__within_64_bits__is_read_as_itself_however_it_is_written(number: int) -> None:
    for text in (str(number), f"{number}.000", f" {number} ", f"{number}0e-1"):
        for type_ in ("integer", "number"):
            assert (read(text, type_), type(read(text, type_))) == (number, int)


@given(st.integers(max_value=LOWEST - 1) | st.integers(min_value=HIGHEST + 1))
def test_whole_number__beyond_64_bits__is_refused_and_never_rounded(number: int) -> None:
    for type_ in ("integer", "number"):
        with pytest.raises(UnreadableValueError):
            read(str(number), type_)


@given(FLOATS)
def test_float__is_read_as_itself_and_where_it_is_whole_as_it_is_written(number: float) -> None:
    found = read(repr(number), "number")
    assert isinstance(found, int | float)
    assert float(found) == number
    assert isinstance(found, float) or found == Decimal(repr(number))


@pytest.mark.parametrize(
    "text", ["1e400", "-1e400", "1e-400", "NaN", "inf", "Infinity", "1_000", WIDE_12, "1,5", "0x10"]
)
@pytest.mark.parametrize("type_", ["number", "integer", "time"])
def test_text__that_no_json_number_is__is_refused_without_being_told_how_to_read_it(text: str, type_: str) -> None:
    with pytest.raises(UnreadableValueError):
        read(text, type_)


@pytest.mark.parametrize("text", ["1.5", "1e-1", "9007199254740993.5", "0.99999999999999999999", "1e20"])
def test_number__that_is_not_whole_or_too_large__is_no_integer(text: str) -> None:
    with pytest.raises(UnreadableValueError):
        read(text, "integer")


@pytest.mark.parametrize(
    ("text", "spelling", "number"),
    [
        ("1.234,56", GERMAN, 1234.56),
        ("-1.234.567", GERMAN, -1_234_567),
        ("1234,56", GERMAN, 1234.56),
        ("1,234,567.5", Spelling(thousands=","), 1_234_567.5),
        ("1 234 567,5", Spelling(decimal=",", thousands=" "), 1_234_567.5),
        ("1\N{NARROW NO-BREAK SPACE}234", Spelling(thousands=" "), 1234),
        ("1'234", Spelling(thousands="'"), 1234),
        ("1_000", Spelling(thousands="_"), 1000),
        (WIDE_12 + "\N{FULLWIDTH COMMA}5", Spelling(decimal=",", any_digits=True), 12.5),
        ("٤٢", Spelling(any_digits=True), 42),
    ],
)
def test_number__in_the_spelling_that_was_said__is_read(text: str, spelling: Spelling, number: float) -> None:
    assert read(text, "number", spelling) == number


@pytest.mark.parametrize("text", ["1.23,4", "1.2345", "12.34", "1,234.5", "1..234", ".123,5", "1.234.56"])
def test_number__whose_groups_are_no_groups__is_refused(text: str) -> None:
    with pytest.raises(UnreadableValueError):
        read(text, "number", GERMAN)


@given(WHOLE, st.sampled_from([sign for sign in THOUSANDS if sign not in {"", "."}]))
def test_number__with_signs_between_thousands__is_read_as_itself(number: int, sign: str) -> None:
    assert read(f"{number:,}".replace(",", sign), "integer", Spelling(thousands=sign)) == number


@pytest.mark.parametrize("empty", ["", "  ", "n/a", "N/A "])
@pytest.mark.parametrize("type_", ["string", "number", "integer", "boolean", "time"])
def test_word_for_nothing__is_no_value_of_any_type(empty: str, type_: str) -> None:
    assert read(empty, type_, ANYTHING) is None


@given(MOMENTS)
def test_moment__of_iso_8601__is_exact_and_without_a_zone_in_the_one_that_was_said(moment: datetime) -> None:
    for zone in (UTC, BERLIN):
        expected = moment.replace(tzinfo=zone)
        found = read(moment.isoformat(), "time", Spelling(zone=zone))
        assert isinstance(found, int | float)
        assert abs(found - expected.timestamp()) < 1e-4
        assert read(f"{moment.isoformat()}Z", "time", Spelling(zone=zone)) == read(moment.isoformat(), "time")


@given(st.integers(10**11, LAST_DAY[0] - 1) | st.integers(LAST_DAY[1], 10**13 - 1))
def test_unix_time__in_milliseconds_microseconds_and_nanoseconds__is_known_by_its_size(ms: int) -> None:
    for number in (ms, ms * 1000, ms * 1_000_000, str(ms), f"{ms}.0"):
        found = read(number, "time") if isinstance(number, str) else seconds_of(number)
        assert isinstance(found, int | float)
        assert round(found * 1000) == ms
        assert seconds_of(found) == found  # type and size say seconds: reading it again changes nothing


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1710010112345", 1710010112.345),
        ("1710010112", 1710010112),
        ("-86400", -86400),
        ("2024-03-09", 1709938800),
        ("20240309", 1709938800),
        ("2024-03-09 12:00", 1709982000),
        ("2024-03-09T12:00:00+01:00", 1709982000),
        ("2024-03-09 12:00:00 +0100", 1709982000),
        ("2024-03-09 12:00:00.5 UTC", 1709985600.5),
        ("2024-03-31T02:30", 1711848600),  # clocks skip it: 03:30
        ("2024-10-27T02:30", 1729989000),  # it occurs twice: the first
        ("253402300799", 253402300799),
        ("253402300799000", 253402300799),
    ],
)
def test_moment__as_people_send_it__is_read(text: str, seconds: float) -> None:
    assert read(text, "time", Spelling(zone=BERLIN)) == seconds


@pytest.mark.parametrize(
    "text", ["20240309120000", "2024-02-30", "09.03.2024", "now", "1e25", "2024-03-09T25:00", "x" * 99]
)
def test_moment__that_could_be_another__is_refused(text: str) -> None:
    with pytest.raises(UnreadableValueError):
        read(text, "time")


@pytest.mark.parametrize(
    ("text", "dates", "moment"),
    [
        ("09.03.2024", "DD.MM.YYYY", "2024-03-09"),
        ("9.3.2024 14:05", "DD.MM.YYYY", "2024-03-09T14:05"),
        ("3/9/2024 2:05:09 PM", "MM/DD/YYYY", "2024-03-09T14:05:09"),
        ("12/31/99 12:30am", "MM/DD/YY", "1999-12-31T00:30"),
        ("2024/03/09T14:05", "YYYY/MM/DD", "2024-03-09T14:05"),
        ("09 03 2024 14:05", "DD MM YYYY", "2024-03-09T14:05"),
        ("090324", "DDMMYY", "2024-03-09"),
        ("45360.5833333333", "excel", "2024-03-09T14:00"),
        ("43898", "excel-1904", "2024-03-09"),
        ("59", "excel", "1900-02-28"),
        ("61", "excel", "1900-03-01"),
    ],
)
def test_date__in_the_format_that_was_said__is_read_in_its_zone(text: str, dates: str, moment: str) -> None:
    expected = datetime.fromisoformat(moment).replace(tzinfo=BERLIN).timestamp()
    assert read(text, "time", Spelling(dates=dates, zone=BERLIN)) == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("2024-03-09", "DD.MM.YYYY"),
        ("31.02.2024", "DD.MM.YYYY"),
        ("03.09.2024", "MM/DD/YYYY"),
        ("13/13/2024", "MM/DD/YYYY"),
        ("09.03.24", "DD.MM.YYYY"),
        ("1710010112", "DD.MM.YYYY"),
        ("9.3.2024 25:00", "DD.MM.YYYY"),
        ("9.3.2024 13:00 PM", "DD.MM.YYYY"),
        ("2024-03-09", "excel"),
        ("60", "excel"),
        ("0", "excel"),
        ("2958466", "excel"),
    ],
)
def test_date__in_another_format_than_was_said__is_refused(text: str, dates: str) -> None:
    with pytest.raises(UnreadableValueError):
        read(text, "time", Spelling(dates=dates))


@pytest.mark.parametrize(
    "options",
    [
        {"decimal": "x"},
        {"thousands": "x"},
        {"decimal": ",", "thousands": ","},
        {"dates": "DD.MM"},
        {"dates": "DD.DD.YYYY"},
        {"dates": "DMYYYY"},
        {"dates": ""},
    ],
)
def test_spelling__that_is_none__is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Spelling(**options)


@given(st.text(max_size=30), st.sampled_from(["number", "integer", "boolean", "time"]))
def test_any_text__is_read_or_refused_by_every_spelling(text: str, type_: str) -> None:
    for spelling in (Spelling(), GERMAN, ANYTHING, Spelling(dates="excel", any_digits=True)):
        try:
            found = read(text, type_, spelling)
        except UnreadableValueError:
            continue
        assert found is None or isinstance(found, bool | int | float)
