"""Conditions that time alone can turn: each is true or false, and until when.

`now` and the moments returned are unix milliseconds. A moment t lies within the last d where
0 <= now - t < d, so t itself is inside and t + d is not; within the next d where 0 < t - now <= d,
so t - d is inside and t itself is not.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from audiences.rules.operators import Operator
from audiences.rules.subject import Json
from audiences.rules.values import announced, seconds_to_ms
from core.days import DayCalendar

Verdict = tuple[bool, int | None]
"""Truth, and the earliest moment at which it may be another although nothing happened; none: never."""

Span = tuple[int, int]


def last_span(moment: int, length: int) -> Span:
    """From when until when `moment` lies within the last `length`."""
    return moment, moment + length


def next_span(moment: int, length: int) -> Span:
    """From when until when `moment` lies within the next `length`."""
    return moment - length, moment


SPANS: dict[Operator, Callable[[int, int], Span]] = {
    Operator.WITHIN_LAST: last_span,
    Operator.WITHIN_NEXT: next_span,
}


def in_any_span(spans: Iterable[Span], now: int) -> Verdict:
    """Whether now lies in one of the spans: true until the last of those around it ends, else false until
    the next one begins.
    """
    ending, beginning = None, None
    for start, end in spans:
        if start <= now < end:
            ending = end if ending is None else max(ending, end)
        elif now < start:
            beginning = start if beginning is None else min(beginning, start)
    if ending is not None:
        return True, announced(ending)
    return False, None if beginning is None else announced(beginning)


def moments_in(value: Json) -> list[int]:
    """The moments a value holds, in milliseconds: its numbers are unix seconds, the rest is no moment."""
    elements: list[Any] = value if isinstance(value, list) else [value]
    return [seconds_to_ms(element) for element in elements if type(element) in (int, float)]


def recent_count(
    activity: Mapping[str, Any] | None, days: int, test: Callable[[int], bool], now: int, calendar: DayCalendar
) -> Verdict:
    """A test of how often a pixel was seen in the last `days` days of the calendar, today included."""
    today = calendar.day_of(now)
    count, changes = 0, dict[int, int]()
    for day_text, seen in activity.get("days", {}).items() if activity else ():
        day = int(day_text)
        if day <= today - days:
            continue
        if day <= today:
            count += seen
        else:
            changes[day] = changes.get(day, 0) + seen
        changes[day + days] = changes.get(day + days, 0) - seen
    truth = test(count)
    for day in sorted(changes):
        count += changes[day]
        if test(count) is not truth:
            return truth, announced(calendar.start_of(day))
    return truth, None
