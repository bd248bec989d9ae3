"""The days of a time zone: which day a moment is in, and when a day begins. Clocks that change are taken account of.

A moment is unix milliseconds. A day is a number: the days from 1970-01-01 to its date. It begins when the clock first
shows its date, and ends when the next one begins: so a day may have 23 or 25 hours, and a date that a zone left out
(2011-12-30 in Samoa) has none.
"""

import logging
from datetime import date, datetime, time, timedelta, tzinfo
from functools import cache

from core.time_zones import DEFAULT, UnknownTimeZoneError, time_zone

log = logging.getLogger(__name__)

DAY_SECONDS, DAY_MS = 86_400, 86_400_000
LONGEST_DAY_MS = 2 * DAY_MS  # where a zone repeated a whole date
FIRST_DATE, LAST_DATE = date(2, 1, 1), date(9998, 12, 31)
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST, _LAST = FIRST_DATE.toordinal() - _EPOCH, LAST_DATE.toordinal() - _EPOCH
_KEPT = 4_096


def day_number(of: date) -> int:
    """Returns the number of a date."""
    return of.toordinal() - _EPOCH


def date_of(day: int) -> date | None:
    """Returns the date of a day; None where calendars of zones do not reach."""
    return date.fromordinal(day + _EPOCH) if _FIRST <= day <= _LAST else None


class DayCalendar:
    """The days of UTC, and of what lies beyond the years in which zones are known. Zones have a class of their own."""

    zone: tzinfo | None = None

    def day_of(self, moment: int) -> int:
        """Returns the day in which a moment lies."""
        return moment // DAY_MS

    def start_of(self, day: int) -> int:
        """Returns the moment at which a day begins. Later days never begin earlier."""
        return day * DAY_MS

    def span_of(self, day: int) -> tuple[int, int]:
        """Returns from when until when the day lasts."""
        return self.start_of(day), self.start_of(day + 1)


class _ZonedCalendar(DayCalendar):
    """The days of one zone. The last two that were asked for are kept: most moments are now, and one other."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone: tzinfo = zone
        self._present = self._earlier = (0, 0, 0)
        self._starts: dict[int, int] = {}

    def day_of(self, moment: int) -> int:
        start, end, day = self._present
        if start <= moment < end:
            return day
        found, before = self._earlier, self._present
        if not found[0] <= moment < found[1]:
            day = self._work_out(moment)
            found = (*self.span_of(day), day)
        self._present, self._earlier = found, before
        return found[2]

    def start_of(self, day: int) -> int:
        start = self._starts.get(day)
        if start is None:
            if len(self._starts) >= _KEPT:
                self._starts.clear()
            start = self._starts[day] = self._find_start(day)
        return start

    def _work_out(self, moment: int) -> int:
        day = moment // DAY_MS
        if _FIRST < day < _LAST:
            day = datetime.fromtimestamp(moment // 1000, self.zone).toordinal() - _EPOCH
        while self.start_of(day) > moment:
            day -= 1
        while self.start_of(day + 1) <= moment:  # the clock shows a date that was over, or jumps over one
            day += 1
        return day

    def _find_start(self, day: int) -> int:
        if not _FIRST <= day <= _LAST:
            return day * DAY_MS
        midnight = datetime.combine(date.fromordinal(day + _EPOCH), time.min, self.zone)
        first, again = (day * DAY_SECONDS - _seconds(one.utcoffset()) for one in (midnight, midnight.replace(fold=1)))
        if again < first:  # the clock leaves midnight out: the day begins where it jumps
            first = self._jump_between(again, first)
        return first * 1000

    def _jump_between(self, low: int, high: int) -> int:
        """Returns the second, after `low` up to `high`, from which on the clock shows what it shows at `high`."""
        offset = self._offset_at(high)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._offset_at(middle) == offset else (middle, high)
        return high

    def _offset_at(self, seconds: int) -> timedelta | None:
        return datetime.fromtimestamp(seconds, self.zone).utcoffset()


def _seconds(offset: timedelta | None) -> int:
    return 0 if offset is None else offset.days * DAY_SECONDS + offset.seconds


UTC_DAYS = DayCalendar()


@cache
def calendar_of(name: str) -> DayCalendar:
    """Returns the days of a time zone. Raises UnknownTimeZoneError."""
    return UTC_DAYS if name == DEFAULT else _ZonedCalendar(time_zone(name))


def days_of(name: str) -> DayCalendar:
    """Returns the days in which events of a customer are counted: UTC's where this machine does not know the zone.

    Nobody's events wait until it does; rules that ask about days say that they cannot be evaluated.
    """
    try:
        return calendar_of(name)
    except UnknownTimeZoneError as unknown:
        log.warning("days are counted in UTC: %s", unknown)
        return UTC_DAYS
