"""When an event happened."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidParameterError
from profiles.events.times import EARLIEST, event_time

NOW = round(datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp() * 1000)
MINUTE = 60_000


@pytest.mark.parametrize(
    ("values", "minutes_ago"),
    [
        ({}, 0),
        ({"at": str(NOW / 1000 - 90)}, 1.5),
        ({"at": str(NOW / 1000 - 60), "bdt": "2024-05-01T10:00:00Z"}, 1),
        ({"bdt": "2024-05-01T13:50:00", "btzo": "-120"}, 10),
        ({"bdt": "2024-05-01 06:59:30.5", "btzo": "300"}, 0.5 - 0.5 / 60),
        ({"bdt": "2024-05-01T11:00:00Z", "btzo": "300"}, 60),
        ({"bdt": "2024-05-01T15:30+05:30"}, 120),
        ({"bdt": str(NOW // 1000 - 60)}, 1),
        ({"bdt": str(NOW - 1000)}, 1 / 60),
    ],
)
def test_time__of_an_event__is_what_is_told_else_what_the_browser_says(
    values: dict[str, str | None], minutes_ago: float
) -> None:
    assert event_time(values, NOW) == NOW - round(minutes_ago * MINUTE)


@pytest.mark.parametrize(
    "values",
    [
        {"bdt": "2024-05-01T11:00:00"},
        {"bdt": "2024-05-01T11:00:00", "btzo": "Berlin"},
        {"bdt": "2024-05-01T11:00:00", "btzo": "900"},
        {"bdt": "2024-02-30T11:00:00Z"},
        {"bdt": "May 1"},
        {"bdt": None},
        {"bdt": ""},
        {"bdt": "1970-01-01T00:00:00Z"},
        {"bdt": "2024-05-01T12:00:01Z"},
        {"bdt": "0001-01-01T00:00:00+13:59"},
    ],
)
def test_browsers_clock__that_says_nothing_usable_or_is_ahead__means_now(values: dict[str, str | None]) -> None:
    assert event_time(values, NOW) == NOW


@pytest.mark.parametrize("at", ["", None, "soon", "-5", "946684799", str(NOW / 1000 + 86_401)])
def test_at__that_is_no_time_of_an_event__is_refused(at: str | None) -> None:
    with pytest.raises(InvalidParameterError):
        event_time({"at": at, "bdt": "2024-05-01T11:00:00Z"}, NOW)


@given(date=st.text(max_size=30) | st.datetimes().map(datetime.isoformat), zone=st.text(max_size=5))
def test_browsers_clock__whatever_it_says__gives_a_time_that_can_be(date: str, zone: str) -> None:
    assert EARLIEST <= event_time({"bdt": date, "btzo": zone}, NOW) <= NOW
