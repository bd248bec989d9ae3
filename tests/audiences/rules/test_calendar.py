"""Conditions on the days of the customer's time zone: both readings say what a calendar on the wall would say."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiences.rules.calendar import anniversary
from audiences.rules.errors import RuleError
from audiences.rules.evaluate import compile_rule
from audiences.rules.parse import parse
from audiences.rules.render import render
from audiences.rules.subject import PlainSubject
from core.days import calendar_of
from core.time_zones import time_zone
from tests.audiences.rules.conftest import Profiles
from tests.audiences.rules.world import DAY, ZONES, RuleJson, RuleWorld, group, parsed, rule

TODAY, MONTH = rule("attribute.at", "isToday"), rule("attribute.at", "isThisMonth")


def near(length: str) -> RuleJson:
    return rule("attribute.at", "anniversaryWithinNext", length)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def answer(asked: RuleJson, zone: str, value: Any, now: str) -> tuple[bool, str | None]:
    """Whether it holds, and until when by the clock of the zone."""
    given_ = datetime.fromisoformat(value).timestamp() if isinstance(value, str) else value
    truth, until = compile_rule(parsed(asked, world=RuleWorld(zone)))(PlainSubject({"at": given_}), ms(now))
    clock = None if until is None else datetime.fromtimestamp(until / 1000, time_zone(zone)).isoformat()
    return truth, clock


@pytest.mark.parametrize(
    ("asked", "zone", "value", "now", "truth", "until"),
    [
        # a day of 23 hours, and one of 25
        (TODAY, "Europe/Berlin", "2026-03-29T23:59:59+02:00", "2026-03-28T23:00Z", True, "2026-03-30T00:00:00+02:00"),
        (TODAY, "Europe/Berlin", "2026-10-25T00:00+02:00", "2026-10-25T22:59Z", True, "2026-10-26T00:00:00+01:00"),
        (TODAY, "Europe/Berlin", "2026-10-25T00:00+02:00", "2026-10-25T23:00Z", False, None),
        # what is to come is looked at when its day begins
        (TODAY, "Asia/Kathmandu", "2026-05-03T12:00+05:45", "2026-05-01T00:00Z", False, "2026-05-03T00:00:00+05:45"),
        # Samoa left out 2011-12-30, and Brazil the first hour of a day
        (TODAY, "Pacific/Apia", "2011-12-31T00:00+14:00", "2011-12-30T10:00Z", True, "2012-01-01T00:00:00+14:00"),
        (TODAY, "Pacific/Apia", "2011-12-29T23:59-10:00", "2011-12-30T10:00Z", False, None),
        (TODAY, "America/Sao_Paulo", "2018-11-04T01:00-02:00", "2018-11-04T03:00Z", True, "2018-11-05T00:00:00-02:00"),
        # half an hour of summer
        (
            TODAY,
            "Australia/Lord_Howe",
            "2026-10-04T23:59+11:00",
            "2026-10-03T13:30Z",
            True,
            "2026-10-05T00:00:00+11:00",
        ),
        # a moment finer than a millisecond stays in its day
        (TODAY, "UTC", 1_772_323_199.9999, "2026-02-28T12:00Z", True, "2026-03-01T00:00:00+00:00"),
        (MONTH, "Europe/Berlin", "2026-03-31T23:30+02:00", "2026-02-28T23:00Z", True, "2026-04-01T00:00:00+02:00"),
        (MONTH, "Europe/Berlin", "2026-03-31T23:30+02:00", "2026-02-28T22:59Z", False, "2026-03-01T00:00:00+01:00"),
        (MONTH, "UTC", "2025-12-31T23:59Z", "2025-12-01T00:00Z", True, "2026-01-01T00:00:00+00:00"),
        # birthdays: from so many days before until the end of the day
        (
            near("P7D"),
            "Europe/Berlin",
            "1990-05-08T00:00+02:00",
            "2026-04-30T21:59Z",
            False,
            "2026-05-01T00:00:00+02:00",
        ),
        (
            near("P7D"),
            "Europe/Berlin",
            "1990-05-08T00:00+02:00",
            "2026-04-30T22:00Z",
            True,
            "2026-05-09T00:00:00+02:00",
        ),
        (
            near("P7D"),
            "Europe/Berlin",
            "1990-05-08T00:00+02:00",
            "2026-05-08T21:59Z",
            True,
            "2026-05-09T00:00:00+02:00",
        ),
        (
            near("P7D"),
            "Europe/Berlin",
            "1990-05-08T00:00+02:00",
            "2026-05-08T22:00Z",
            False,
            "2027-05-01T00:00:00+02:00",
        ),
        (
            near("P7D"),
            "Europe/Berlin",
            "1990-01-02T00:00+01:00",
            "2025-12-26T12:00Z",
            True,
            "2026-01-03T00:00:00+01:00",
        ),
        (
            near("PT12H"),
            "Asia/Kathmandu",
            "1990-05-08T00:00+05:30",
            "2026-05-07T06:15Z",
            True,
            "2026-05-09T00:00:00+05:45",
        ),
        (
            near("P1D"),
            "Europe/Berlin",
            "1990-03-30T00:00+02:00",
            "2026-03-28T23:00Z",
            True,
            "2026-03-31T00:00:00+02:00",
        ),
        # 29 February is 28 February in years without one
        (near("PT1S"), "UTC", "2000-02-29T00:00Z", "2026-02-28T00:00Z", True, "2026-03-01T00:00:00+00:00"),
        (near("PT1S"), "UTC", "2000-02-29T00:00Z", "2028-02-28T12:00Z", False, "2028-02-28T23:59:59+00:00"),
        (near("PT1S"), "UTC", "2000-02-28T00:00Z", "2028-02-29T00:00Z", False, "2029-02-27T23:59:59+00:00"),
        # whatever the year; but for those that stand for something else
        (near("P7D"), "UTC", "2030-05-08T00:00Z", "2026-05-04T00:00Z", True, "2026-05-09T00:00:00+00:00"),
        (near("P999D"), "UTC", "0001-01-01T00:00Z", "2026-01-01T00:00Z", False, None),
        (near("P7D"), "UTC", True, "1970-01-01T00:00Z", False, None),
        (TODAY, "UTC", None, "2026-01-01T00:00Z", False, None),
        (TODAY, "UTC", 1e300, "2026-01-01T00:00Z", False, None),
    ],
)
def test_predicate__calendar__turns_with_the_days_of_the_zone(
    asked: RuleJson, zone: str, value: Any, now: str, truth: bool, until: str | None
) -> None:
    assert answer(asked, zone, value, now) == (truth, until)


@pytest.mark.parametrize(
    ("zone", "written", "moment"),
    [
        ("Europe/Berlin", "2026-03-01", "2026-02-28T23:00Z"),
        ("Asia/Kathmandu", "2026-03-01T12:00", "2026-03-01T06:15Z"),
        ("Asia/Kathmandu", "2026-03-01T12:00Z", "2026-03-01T12:00Z"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00Z"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30Z"),
    ],
)
def test_time__without_a_zone__is_the_customers(zone: str, written: str, moment: str) -> None:
    asked = parsed(rule("attribute.at", ">=", written), world=RuleWorld(zone))
    at = ms(moment) / 1000

    assert [compile_rule(asked)(PlainSubject({"at": one}), 0)[0] for one in (at - 1, at)] == [False, True]


def test_sentence__times__are_those_of_the_zone() -> None:
    seen = rule("pixel.12.last", "isThisMonth")
    asked = parsed(rule("attribute.at", ">=", "2026-03-01"), TODAY, near("P7D"), seen, world=RuleWorld("Europe/Berlin"))

    assert render(asked, {"time_zone": "Europe/Berlin"}) == (
        "attribute at is at or after 2026-03-01T00:00:00+01:00 and attribute at is today"
        " and attribute at has its anniversary within the next 7 days and pixel 12 last seen in this month"
    )


@pytest.mark.parametrize("operator", ["isToday", "isThisMonth", "anniversaryWithinNext"])
@pytest.mark.parametrize("field", ["attribute.number", "attribute.text", "pixel.12.count", "audience"])
def test_calendar_operator__of_what_is_no_time__is_refused(field: str, operator: str) -> None:
    with pytest.raises(RuleError, match="does not fit"):
        parse(group(rule(field, operator, "P7D")), RuleWorld())


@pytest.mark.parametrize("value", [None, 7, "7 days", "P1M", "P1Y", ""])
def test_anniversary__without_a_duration__is_refused(value: Any) -> None:
    with pytest.raises(RuleError):
        parsed(rule("attribute.at", "anniversaryWithinNext", value))


# an oracle that knows nothing of spans: dates on the wall

NOWS = st.integers(1_230_768_000, 1_924_905_600)  # 2009 to 2030
LENGTHS = st.sampled_from([1, 7, 30, 364, 365, 366, 500])


@dataclass(frozen=True)
class Scene:
    """A time, unix seconds, in a year of its own, not far in the calendar from now (unix seconds)."""

    zone: str
    now: int
    at: float


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    zone, now = draw(st.sampled_from([zone for zone in ZONES if zone != "America/St_Johns"])), draw(NOWS)
    today = on_the_wall(now, zone)
    near_today = today + timedelta(days=draw(st.sampled_from([*range(-3, 10), 28, 29, 30, 31, 32, 363, 364, 365, 366])))
    year = draw(st.just(near_today.year) | st.sampled_from([1601, 1904, 1996, 2000, 2001, 2399]))
    clock = datetime.combine(anniversary(near_today, year), time.min, time_zone(zone))
    seconds = draw(st.sampled_from([0, -1, 1, 86_399, 86_399.9995, 43_200]) | st.integers(0, 86_399))
    return Scene(zone, now, (clock - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) + seconds)


def on_the_wall(seconds: float, zone: str) -> date:
    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=math.floor(seconds))
    return whole.astimezone(time_zone(zone)).date()


def expected(scene: Scene, length: int) -> list[bool]:
    """What is true of today, this month, and an anniversary within so many days."""
    today, of = on_the_wall(scene.now, scene.zone), on_the_wall(scene.at, scene.zone)
    days = [today + timedelta(days=ahead) for ahead in range(length + 1)]
    is_near = any(anniversary(of, day.year) == day for day in days)
    return [of == today, (of.year, of.month) == (today.year, today.month), is_near and 1600 <= of.year <= 2399]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(shown=st.lists(scenes(), min_size=2, max_size=4), length=LENGTHS)
def test_both_readings__calendar__say_what_the_wall_says_and_look_again_in_time(
    profiles: Profiles, shown: list[Scene], length: int
) -> None:
    rules = (TODAY, MONTH, near(f"P{length}D"))
    profiles.store([PlainSubject({"at": [scene.at, "x"]}) for scene in shown])
    for place, (scene, subject) in enumerate(zip(shown, profiles.stored, strict=True)):
        groups = [parsed(one, world=RuleWorld(scene.zone)) for one in rules]
        now = scene.now * 1000
        found = [compile_rule(group)(subject, now) for group in groups]

        assert [truth for truth, _ in found] == expected(scene, length)
        assert profiles.ask(groups, now)[place] == expected(scene, length)
        for (truth, until), look, asked in zip(found, profiles.ask_until(groups, now)[place], groups, strict=True):
            assert until is None or now < until
            assert until is None or (look is not None and now < look <= until)
            assert until is None or compile_rule(asked)(subject, until - 1)[0] is truth
            assert until is None or length > 300 or compile_rule(asked)(subject, until)[0] is not truth


@settings(max_examples=300, deadline=None)
@given(zone=st.sampled_from(ZONES), moment=st.integers(-70 * 10**12, 260 * 10**12))
def test_days__any_moment__lies_in_its_day_and_days_follow_each_other(zone: str, moment: int) -> None:
    calendar = calendar_of(zone)
    day = calendar.day_of(moment)

    start, end = calendar.span_of(day)
    assert start <= moment < end <= start + 2 * DAY
    assert calendar.start_of(day - 1) <= start
    assert (calendar.day_of(start), calendar.day_of(end - 1)) == (day, day)
