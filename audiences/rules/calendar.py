"""Conditions that turn with the days of the customer's time zone: a time is today, in this month, or its anniversary
is near.

An anniversary is the day of a year that has the time's month and day, whatever the year of the time; 28 February stands
for 29 February in years without one. It is near from `days` whole days and `rest_ms` before it begins, until it ends.
"""

from calendar import isleap
from collections.abc import Callable
from datetime import date
from functools import lru_cache, partial

from audiences.rules.nodes import CalendarTest
from audiences.rules.operators import Operator
from audiences.rules.subject import Json
from audiences.rules.values import seconds_to_whole_ms
from audiences.rules.windows import Span, Verdict, in_any_span
from core.days import LAST_DATE, DayCalendar, calendar_of, date_of, day_number

ALL_DAYS = 366  # so many days ahead there is always an anniversary
FIRST_YEAR, LAST_YEAR = 1600, 2399
"""Times of other years have no anniversary: they stand for something else, such as an unknown birthday."""

_Spans = Callable[[int, int], list[Span]]
"""(moment of the value, now) → from when until when the condition holds because of it, as far as now is concerned."""


def calendar_verdict(node: CalendarTest) -> Callable[[list[int], int], Verdict]:
    """Returns a function of some moments and now."""
    calendar = calendar_of(node.zone)
    spans: _Spans
    match node.operator:
        case Operator.IS_TODAY:
            spans = _ahead(calendar, calendar.span_of)
        case Operator.IS_THIS_MONTH:
            spans = _ahead(calendar, partial(month_span, calendar))
        case _:
            spans = _anniversaries(calendar, node.days, node.rest_ms)

    return lambda moments, now: in_any_span([span for moment in moments for span in spans(moment, now)], now)


def whole_moments_in(value: Json) -> list[int]:
    """Returns the moments that a value holds, in whole milliseconds: its numbers are unix seconds."""
    elements = value if type(value) is list else [value]
    return [seconds_to_whole_ms(one) for one in elements if type(one) is int or type(one) is float]


def month_span(calendar: DayCalendar, day: int) -> Span | None:
    """Returns from when until when the month of a day lasts; None where calendars do not reach."""
    found = date_of(day)
    if found is None:
        return None
    year, month = divmod(found.year * 12 + found.month, 12)  # of the next month, whose number is one less
    return calendar.start_of(day - found.day + 1), calendar.start_of(day_number(date(year, month + 1, 1)))


def _ahead(calendar: DayCalendar, span_of: Callable[[int], Span | None]) -> _Spans:
    """The span of the day, or month, in which the moment lies: none where that is over, as of most moments."""

    def spans(moment: int, now: int) -> list[Span]:
        present = span_of(calendar.day_of(now))
        if present is None or moment < present[0]:
            return []
        span = present if moment < present[1] else span_of(calendar.day_of(moment))
        return [] if span is None else [span]

    return spans


def _anniversaries(calendar: DayCalendar, days: int, rest_ms: int) -> _Spans:
    def spans(moment: int, now: int) -> list[Span]:
        born, today = date_of(calendar.day_of(moment)), date_of(calendar.day_of(now))
        if born is None or today is None or not FIRST_YEAR <= born.year <= LAST_YEAR:
            return []
        years = range(today.year, min(today.year + 3, LAST_DATE.year))
        found = [day_number(anniversary(born, year)) for year in years]
        return [(calendar.start_of(day - days) - rest_ms, calendar.start_of(day + 1)) for day in found]

    return spans


def anniversary(born: date, year: int) -> date:
    """Returns the day of a year on which the anniversary is."""
    if born.month == 2 and born.day == 29 and not isleap(year):
        return date(year, 2, 28)
    return born.replace(year=year)


def near_days(calendar: DayCalendar, days: int, rest_ms: int, now: int) -> tuple[int, int]:
    """Returns the first and the last day whose anniversaries are near now: those between them are too."""
    today = calendar.day_of(now)
    last = today + days
    while calendar.start_of(last + 1 - days) - rest_ms <= now:
        last += 1
    while calendar.start_of(last - days) - rest_ms > now:
        last -= 1
    return today, last


@lru_cache(maxsize=64)
def born_spans(zone: str, first: int, last: int) -> tuple[Span, ...]:
    """Returns the spans of all moments that have an anniversary from the day `first` to the day `last`."""
    calendar = calendar_of(zone)
    earliest, latest = (day_number(date(year, 1, 1)) for year in (FIRST_YEAR, LAST_YEAR + 1))
    begin, end = date_of(first), date_of(last + 1)
    if begin is None or end is None:
        return ()
    if last - first >= ALL_DAYS:
        return ((calendar.start_of(earliest), calendar.start_of(latest)),)
    spans = []
    for year in range(FIRST_YEAR - 1, LAST_YEAR + 1):
        ends = _in_year(begin, year), _in_year(end, year + end.year - begin.year)
        low, high = (calendar.start_of(min(max(day, earliest), latest)) for day in ends)
        if low < high:
            spans.append((low, high))
    return tuple(spans)


def _in_year(day: date, year: int) -> int:
    """Returns the number of the day with this month and day in another year; 1 March where there is no 29 February."""
    is_missing = (day.month, day.day) == (2, 29) and not isleap(year)
    return day_number(date(year, 3, 1) if is_missing else day.replace(year=year))
