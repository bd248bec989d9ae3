"""Lanes: ranges of a platform's buckets, leased with a fencing number.

One request is in flight a lane at a time, so an id's operations keep their order. A lease outlasts any
request sent under it; a holder whose lease has run out changes nothing. Leases are counted by the database's
time: the clocks of the machines may differ.

Each holder has a row of its own, by its fencing number, and the next one deletes it. While a snapshot is held,
PostgreSQL keeps all versions of a row and reads past them: a lane in one row became slower with each holder.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Cursor

from core.arrays import Ints
from core.buckets import BUCKETS
from core.database import DatabaseClock

LANES = 4
# the lane in which a platform's segments are created, one after another
CREATION = -1
# the lane in which the files of a platform that takes files are written, one after another
FILES = -2
# the time beyond a request's own that its claim and its finish may take
MARGIN = timedelta(seconds=5)

# The former holder's row is deleted rather than left: it cannot be renewed, whatever its holder's clock says.
LEASE = """
WITH last AS MATERIALIZED (
SELECT fence FROM lane WHERE platform_id = %(platform)s AND lane = %(lane)s ORDER BY fence DESC LIMIT 1),
former AS (
DELETE FROM lane WHERE platform_id = %(platform)s AND lane = %(lane)s AND fence = (SELECT fence FROM last)
    AND (leased_until IS NULL OR leased_until <= %(now)s)
RETURNING fence, leased_until IS NOT NULL AS was_left, open),
taken AS (
INSERT INTO lane (platform_id, lane, fence, leased_until, open)
SELECT %(platform)s, %(lane)s, fence + 1, %(until)s, open FROM former
UNION ALL SELECT %(platform)s, %(lane)s, 1, %(until)s, false WHERE NOT EXISTS (SELECT 1 FROM last)
ON CONFLICT (platform_id, lane, fence) DO NOTHING
RETURNING fence)
SELECT fence, coalesce((SELECT was_left FROM former), false) FROM taken
"""
RENEW = """
UPDATE lane SET leased_until = %(until)s
WHERE platform_id = %(platform)s AND lane = %(lane)s AND fence = %(fence)s AND leased_until > %(now)s
"""
OPEN = "UPDATE lane SET open = %s WHERE platform_id = %s AND lane = %s AND fence = %s"
WITH_OPEN_FILES = "SELECT platform_id FROM lane WHERE platform_id = ANY(%s::int[]) AND lane = %s AND open"
IS_OPEN = "SELECT open FROM lane WHERE platform_id = %s AND lane = %s AND fence = %s"
REST = "UPDATE lane SET leased_until = %s WHERE platform_id = %s AND lane = %s AND fence = %s"
RELEASE = "UPDATE lane SET leased_until = NULL WHERE platform_id = %s AND lane = %s AND fence = %s"


def lane_of(bucket: int) -> int:
    return bucket * LANES // BUCKETS


def buckets_of(lane: int) -> list[int]:
    if lane < 0:
        return list(range(BUCKETS))
    return [bucket for bucket in range(BUCKETS) if lane_of(bucket) == lane]


def lanes_of(deliveries: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Returns the (platform, lane)s of these (platform, bucket)s."""
    return {(platform, lane_of(bucket)) for platform, bucket in deliveries}


@dataclass(slots=True)
class Lease:
    """The right to send in one lane until a moment of the database's clock.

    `was_left`: the former holder did not give the lane back. It may have died.
    """

    platform: int
    lane: int
    fence: int
    until: datetime
    clock: DatabaseClock
    was_left: bool

    def renew(self, cursor: Cursor[Any], duration: timedelta) -> bool:
        """Extend the lease by `duration` from now. False where it has run out or is somebody else's."""
        now = self.clock.now()
        until = now + duration
        values = {"platform": self.platform, "lane": self.lane, "fence": self.fence, "until": until, "now": now}
        cursor.execute(RENEW, values)
        self.until = until if cursor.rowcount else self.until
        return bool(cursor.rowcount)

    @property
    def left(self) -> timedelta:
        """How long it still holds; negative where it has run out."""
        return self.until - self.clock.now()

    def outlasts(self, duration: timedelta) -> bool:
        """Whether it still holds at the end of what begins now."""
        return duration <= self.left

    def open(self, cursor: Cursor[Any]) -> None:
        """Keep what is due in the lane due until the lane is closed, even if its holder dies."""
        cursor.execute(OPEN, [True, self.platform, self.lane, self.fence])

    def is_open(self, cursor: Cursor[Any]) -> bool:
        """Whether an earlier holder opened the lane and did not come to close it."""
        cursor.execute(IS_OPEN, [self.platform, self.lane, self.fence])
        return bool((cursor.fetchone() or (False,))[0])

    def close(self, cursor: Cursor[Any]) -> None:
        """Undo `open`: all that was sent is finished, or its state is marked as unknown."""
        cursor.execute(OPEN, [False, self.platform, self.lane, self.fence])

    def rest(self, cursor: Cursor[Any], until: datetime) -> None:
        """Let nobody have the lane before `until`."""
        cursor.execute(REST, [until, self.platform, self.lane, self.fence])

    def release(self, cursor: Cursor[Any]) -> None:
        cursor.execute(RELEASE, [self.platform, self.lane, self.fence])


def with_open_files(cursor: Cursor[Any], platforms: Collection[int]) -> set[int]:
    """Returns those of the platforms whose lane of files is open: what is due there may stand in a file already."""
    cursor.execute(WITH_OPEN_FILES, [Ints.of(sorted(platforms)), FILES])
    return {platform for (platform,) in cursor}


def log_bucket(lane: int) -> int:
    """Returns the bucket in which a lane's requests are logged."""
    return buckets_of(lane)[0]


def lease(
    cursor: Cursor[Any], platform: int, lane: int, duration: timedelta, clock: DatabaseClock | None = None
) -> Lease | None:
    """Lease the lane. None where somebody holds it.

    Reads the database's clock first, in a statement of its own, unless the caller has just read it.
    """
    clock = clock or DatabaseClock.read(cursor)
    now = clock.now()
    until = now + duration
    cursor.execute(LEASE, {"platform": platform, "lane": lane, "until": until, "now": now})
    row = cursor.fetchone()
    return None if row is None else Lease(platform, lane, row[0], until, clock, bool(row[1]))
