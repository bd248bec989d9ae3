"""Ids that nobody brought back: browsers without cookies leave a profile at every visit, which goes after a day."""

from datetime import timedelta

from core import clock
from core.buckets import try_lock
from core.database import Connection
from profiles import store as profiles

LIMIT = 500
KEPT = timedelta(days=1)


def forget(connection: Connection) -> int:
    """Delete one batch of those whose day is over; answers how many. They are in no audience and on no platform."""
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        before = clock.now() - KEPT
        waiting = profiles.buckets_with_unconfirmed(cursor, before, LIMIT)
        held = try_lock(cursor, waiting) if waiting else set()
        return profiles.erase_unconfirmed(cursor, held, before, LIMIT) if held else 0
