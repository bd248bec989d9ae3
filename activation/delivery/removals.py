"""Those who left where the platform cannot be told: it forgets them by itself, or keeps them."""

from datetime import datetime, timedelta
from typing import Any

from psycopg import Cursor

from activation.delivery.targets import Target
from core.arrays import Ints, SmallInts
from core.buckets import BUCKETS

LET_GO = """
UPDATE delivery SET due_at = NULL, claim = NULL, attempts = 0, error = ''
WHERE activation_id = ANY(%(activations)s) AND NOT wanted AND bucket = ANY(%(buckets)s) AND due_at <= %(now)s
"""
# members are sent once more when a fifth of their time is left
REFRESH = """
UPDATE delivery SET due_at = %(now)s, changed_at = %(now)s
WHERE bucket = ANY(%(buckets)s) AND expires_at <= %(soon)s AND activation_id = ANY(%(activations)s)
  AND wanted AND due_at IS NULL AND NOT dead
"""
EXPIRED = """
UPDATE delivery SET acknowledged = false, expires_at = NULL, changed_at = %(now)s
WHERE bucket = ANY(%(buckets)s) AND expires_at <= %(now)s AND activation_id = ANY(%(activations)s)
  AND NOT wanted AND claim IS NULL
"""
REFRESHED_AT = 0.2


def let_go(cursor: Cursor[Any], target: Target, buckets: list[int], now: datetime) -> None:
    """Where the platform cannot be told of leavers, nothing is due for them."""
    if not target.connector.removal.is_sent:
        cursor.execute(LET_GO, _values(target, buckets, now))


def renew(cursor: Cursor[Any], target: Target, now: datetime) -> int:
    """Have members sent again before the platform forgets them; answers how many."""
    days = target.connector.ttl_days
    if not days or not target.segments:
        return 0
    values = _values(target, list(range(BUCKETS)), now)
    cursor.execute(EXPIRED, values)
    cursor.execute(REFRESH, {**values, "soon": now + timedelta(days=days) * REFRESHED_AT})
    return cursor.rowcount


def _values(target: Target, buckets: list[int], now: datetime) -> dict[str, Any]:
    return {"activations": Ints.of(sorted(target.segments)), "buckets": SmallInts.of(buckets), "now": now}
