"""Why profiles are what they are: merges and their causes, and ids that were set aside instead of merging."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from core.arrays import Ints, SmallInts, Texts, Times, Uuids, columns
from core.clock import moment
from profiles.messages import Cause
from profiles.state import ProfileState

MERGE = """
INSERT INTO profile_merge (bucket, customer_id, winner, loser, kind, value, pixel_id, at)
SELECT * FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::int[],
                     %s::timestamptz[])
ON CONFLICT (bucket, customer_id, winner, loser) DO NOTHING
"""
HOT = """
INSERT INTO hot_id AS kept (bucket, customer_id, user_id, kind, value, times, first_at, last_at)
SELECT bucket, customer_id, user_id, kind, value, times, %s, %s
FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::text[], %s::text[], %s::int[])
     AS k (bucket, customer_id, user_id, kind, value, times)
ON CONFLICT (bucket, customer_id, user_id, kind, value) DO UPDATE SET
    times = kept.times + excluded.times, last_at = excluded.last_at
"""


ERASE = (
    """
DELETE FROM profile_merge m USING unnest(%s::smallint[], %s::int[], %s::uuid[]) AS k (bucket, customer_id, user_id)
WHERE m.bucket = k.bucket AND m.customer_id = k.customer_id AND m.winner = k.user_id
""",
    """
DELETE FROM hot_id h USING unnest(%s::smallint[], %s::int[], %s::uuid[]) AS k (bucket, customer_id, user_id)
WHERE h.bucket = k.bucket AND h.customer_id = k.customer_id AND h.user_id = k.user_id
""",
)


class Merged(NamedTuple):
    """`loser` gave itself up, at `at` (unix ms), and `winner`, of this bucket, took in what it held."""

    bucket: int
    customer: int
    winner: UUID
    loser: UUID
    cause: Cause
    at: int


class HotKey(NamedTuple):
    """An id that the user has no room for."""

    bucket: int
    customer: int
    user_id: UUID
    kind: str
    value: str


def save_merges(cursor: Cursor[Any], merged: Iterable[Merged]) -> None:
    by_key = {(m.bucket, m.customer, m.winner.int, m.loser.int): m for m in merged}
    rows = [
        (m.bucket, m.customer, m.winner, m.loser, m.cause.kind, m.cause.value, m.cause.pixel, moment(m.at))
        for _, m in sorted(by_key.items(), key=lambda item: item[0])
    ]
    if rows:
        cursor.execute(MERGE, columns((SmallInts, Ints, Uuids, Uuids, Texts, Texts, Ints, Times), rows))


def save_hot_ids(cursor: Cursor[Any], times: Mapping[HotKey, int], now: datetime) -> None:
    """Count how often each was set aside."""
    rows = sorted(((*key, count) for key, count in times.items()), key=lambda row: (*row[:2], row[2].int, *row[3:]))
    if rows:
        cursor.execute(HOT, [now, now, *columns((SmallInts, Ints, Uuids, Texts, Texts, Ints), rows)])


def erase(cursor: Cursor[Any], states: Iterable[ProfileState]) -> None:
    """Forget what was noted in the buckets of these users, about them."""
    rows = sorted(((s.bucket, s.customer, s.user_id) for s in states), key=lambda row: (*row[:2], row[2].int))
    for statement in ERASE if rows else ():
        cursor.execute(statement, columns((SmallInts, Ints, Uuids), rows))
