"""The time of an event: what the sender says, else what the browser's clock says, else now.

`at` is what the sender states, in unix seconds: a wrong one is refused. `bdt` and `btzo` come from the browser's own
clock, which may be wrong: what is unreadable is ignored, and a clock that is ahead counts as now.
"""

from datetime import UTC, datetime, timedelta

from core.clock import milliseconds
from core.errors import InvalidParameterError
from core.patterns import whole
from core.query import Parameters

EARLIEST = 946_684_800_000
"""2000-01-01 in unix milliseconds: an event's own time is not before it, and at most a day ahead of now."""

_DAY = 86_400_000
_MOMENT = whole(r"[0-9]{1,11}+(?:\.[0-9]{1,9}+)?+")
_SECONDS, _MILLISECONDS = whole(r"[0-9]{10}"), whole(r"[0-9]{13}")
_MINUTES = whole(r"[+-]?[0-9]{1,3}+")
_LOCAL_TIME = whole(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6}+)?+)?+(?:Z|[+-]\d\d:\d\d)?+")
_MOST_MINUTES = 14 * 60


def event_time(values: Parameters, now: int) -> int:
    """Returns the event's own time in unix milliseconds, as `now` is. Raises InvalidParameterError for a bad `at`."""
    if "at" in values:
        return _stated(values["at"] or "", now)
    if "bdt" in values:
        return _by_the_browser(values["bdt"] or "", values.get("btzo") or "", now)
    return now


def _stated(text: str, now: int) -> int:
    if not _MOMENT(text):
        raise InvalidParameterError("at")
    at = round(float(text) * 1000)
    if not EARLIEST <= at <= now + _DAY:
        raise InvalidParameterError("at")
    return at


def _by_the_browser(date: str, zone: str, now: int) -> int:
    at = _browser_time(date, zone)
    return now if at is None or at < EARLIEST else min(at, now)


def _browser_time(date: str, zone: str) -> int | None:
    """Returns unix milliseconds. A unix time needs no zone, nor does a date that brings its own."""
    if _MILLISECONDS(date):
        return int(date)
    if _SECONDS(date):
        return int(date) * 1000
    if not _LOCAL_TIME(date):
        return None
    try:
        moment = datetime.fromisoformat(date)
        if moment.tzinfo is None:
            west = _minutes_west(zone)
            if west is None:
                return None
            moment = moment.replace(tzinfo=UTC) + timedelta(minutes=west)
        return milliseconds(moment)
    except (ValueError, OverflowError):  # a 30th of February; the end of the calendar
        return None


def _minutes_west(zone: str) -> int | None:
    """Reads JavaScript's `getTimezoneOffset()`: UTC minus local time, so −120 for a summer in Berlin."""
    if not _MINUTES(zone) or abs(int(zone)) > _MOST_MINUTES:
        return None
    return int(zone)
