"""The hub's one clock, and unix milliseconds.

Whatever depends on the time of day asks this module, so that a test sets `ahead` instead of waiting. What measures a
duration (a time-out, a pace) uses `time.monotonic()` instead.
"""

import time
from datetime import UTC, datetime, timedelta

ahead = timedelta(0)
"""How far the clock is ahead of the machine's. Only tests set it."""

_MILLISECOND = timedelta(milliseconds=1)


def now() -> datetime:
    return datetime.now(UTC) + ahead


def now_ms() -> int:
    """Unix milliseconds. Makes no datetime: the edge calls it for every request."""
    ms = time.time_ns() // 1_000_000
    return ms + ahead // _MILLISECOND if ahead else ms


def now_seconds() -> int:
    """Unix seconds, whole: what requests are signed with."""
    return now_ms() // 1000


def milliseconds(moment: datetime) -> int:
    """Unix milliseconds, rounded."""
    return round(moment.timestamp() * 1000)


def moment(ms: int) -> datetime:
    """Returns the moment of a unix time in milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC)
