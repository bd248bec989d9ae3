"""Ids that nobody brought back: browsers without cookies leave a profile at every visit, which goes after a day."""

from datetime import timedelta

from core import clock
from core.buckets import BUCKETS, try_lock
from core.database import Connection
from profiles import store as profiles

LIMIT = 500
KEPT = timedelta(days=1)

WAITING = """
SELECT DISTINCT bucket FROM (
    SELECT bucket FROM profile
    WHERE bucket = ANY(%s::smallint[]) AND created_at <= %s AND NOT confirmed AND merged_into IS NULL AND NOT opted_out
    ORDER BY bucket, created_at LIMIT %s
) AS front
"""


def forget(connection: Connection) -> int:
    """Delete one batch of those whose day is over; answers how many. They are in no audience and on no platform."""
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        before = clock.now() - KEPT
        cursor.execute(WAITING, [list(range(BUCKETS)), before, LIMIT])
        waiting = [bucket for (bucket,) in cursor]
        held = try_lock(cursor, waiting) if waiting else set()
        return profiles.forget_unconfirmed(cursor, held, before, LIMIT) if held else 0
