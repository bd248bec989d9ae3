"""The hub's one clock for what time alone changes. A test sets it ahead instead of waiting."""

from datetime import UTC, datetime, timedelta

ahead = timedelta(0)


def now() -> datetime:
    return datetime.now(UTC) + ahead
