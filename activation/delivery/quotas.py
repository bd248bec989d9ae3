"""Quotas of an hour and of a day, reserved in PostgreSQL before anything is sent.

What is reserved and then not sent stays spent: a quota is never overrun, whatever dies or is flushed.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Cursor

from core.database import Connection
from integrations.errors import RateLimitedError
from integrations.limits import Limits

RESERVE = """
INSERT INTO platform_spending AS kept (platform_id, what, since, spent)
SELECT %(platform)s, %(what)s, %(since)s, %(amount)s WHERE %(amount)s <= %(most)s
ON CONFLICT (platform_id, what, since) DO UPDATE SET spent = kept.spent + excluded.spent
WHERE kept.spent + excluded.spent <= %(most)s
"""
FORGET = "DELETE FROM platform_spending WHERE since < %s"
KEPT = timedelta(days=40)

CALLS, BYTES, FILES = "per_day", "bytes_per_day", "files_per_hour"
_WORDS = {CALLS: "calls a day", BYTES: "bytes a day", FILES: "files an hour"}


class QuotaExhaustedError(RateLimitedError):
    """A quota has no room before the next period: nothing was sent."""


def reserve(cursor: Cursor[Any], platform: int, limits: Limits, now: datetime, **amounts: int) -> None:
    """Reserve `amounts` by limit's name, in a transaction of the caller's.

    Raises `QuotaExhaustedError` until the next period where a quota has no room; the caller's transaction must not
    commit then.
    """
    for what, amount in sorted(amounts.items()):
        most = getattr(limits, what)
        if most is not None and not _reserve(cursor, platform, what, period(what, now), amount, most):
            raise QuotaExhaustedError(f"the platform's {most:,} {_WORDS[what]} are used up", _left(what, now))


def is_limited(limits: Limits, *names: str) -> bool:
    return any(getattr(limits, name) is not None for name in names)


def period(what: str, now: datetime) -> datetime:
    """Returns when the present period began: days at midnight UTC, hours on the hour."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour if what == FILES else hour.replace(hour=0)


def forget(connection: Connection, now: datetime) -> None:
    """Delete the counts of periods long past."""
    connection.execute(FORGET, [now - KEPT])


def _reserve(cursor: Cursor[Any], platform: int, what: str, since: datetime, amount: int, most: int) -> bool:
    values = {"platform": platform, "what": what, "since": since, "amount": amount, "most": most}
    cursor.execute(RESERVE, values)
    return bool(cursor.rowcount)


def _left(what: str, now: datetime) -> float:
    length = timedelta(hours=1) if what == FILES else timedelta(days=1)
    return (period(what, now) + length - now).total_seconds()
