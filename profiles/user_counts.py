"""How many users each customer knows (the `known_users` table).

Whoever saves profiles counts them, per bucket, in the same transaction. Readers sum up the buckets, so that no row is
written by several transactions at once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db.models import Sum
from psycopg import Cursor

from core.arrays import Ints, SmallInts, columns
from core.count_periods import PRESENT, CountTable
from profiles.models import KnownUsers
from profiles.state import ProfileState

TABLE = CountTable("known_users", ("customer_id",), ("users",))

COUNT = f"""
INSERT INTO known_users AS kept (bucket, period, customer_id, users)
SELECT bucket, {PRESENT}, customer_id, change
FROM unnest(%s::smallint[], %s::int[], %s::int[]) AS k (bucket, customer_id, change)
ON CONFLICT (bucket, period, customer_id) DO UPDATE SET users = kept.users + excluded.users
"""
FORGET = "DELETE FROM known_users WHERE bucket = %s"
RECOUNT = """
INSERT INTO known_users (bucket, customer_id, users)
SELECT bucket, customer_id, count(*) FROM profile
WHERE bucket = %s AND confirmed AND merged_into IS NULL AND NOT opted_out
GROUP BY bucket, customer_id
"""


DIFFERENCES = """
SELECT bucket, customer_id, sum(users) FROM (
    SELECT bucket, customer_id, count(*) AS users FROM profile
    WHERE bucket = ANY(%(buckets)s) AND confirmed AND merged_into IS NULL AND NOT opted_out GROUP BY bucket, customer_id
    UNION ALL SELECT bucket, customer_id, - users FROM known_users WHERE bucket = ANY(%(buckets)s)) AS both_ways
GROUP BY bucket, customer_id HAVING sum(users) <> 0 ORDER BY bucket, customer_id
"""


def count(cursor: Cursor[Any], saved: Iterable[ProfileState]) -> None:
    """Count the profiles that have just been saved, where they became known users or ceased to be."""
    changes: dict[tuple[int, int], int] = defaultdict(int)
    for state in saved:
        if state.counted != state.eligible:
            state.counted = state.eligible
            changes[state.bucket, state.customer] += 1 if state.eligible else -1
    rows = sorted((*key, change) for key, change in changes.items() if change)
    if rows:
        cursor.execute(COUNT, columns((SmallInts, Ints, Ints), rows))


def recount(cursor: Cursor[Any], bucket: int) -> None:
    """Count a bucket anew, after profiles were loaded without absorb. The caller holds the bucket's lock."""
    cursor.execute(FORGET, [bucket])
    cursor.execute(RECOUNT, [bucket])


def differences(cursor: Cursor[Any], buckets: Collection[int]) -> dict[tuple[int, int], int]:
    """Returns by how much the counts are too low, by (bucket, customer), where they are wrong.

    Reads all profiles of the buckets.
    """
    cursor.execute(DIFFERENCES, {"buckets": SmallInts.of(sorted(buckets))})
    return {(bucket, customer): int(users) for bucket, customer, users in cursor}


def correct(cursor: Cursor[Any], by: Mapping[tuple[int, int], int]) -> None:
    """Add to the counts, by (bucket, customer)."""
    cursor.execute(COUNT, columns((SmallInts, Ints, Ints), sorted((*key, users) for key, users in by.items())))


def known_users() -> dict[int, int]:
    """Returns the number of known users by customer."""
    rows = KnownUsers.objects.values("customer_id").annotate(known=Sum("users"))
    return {row["customer_id"]: row["known"] for row in rows}
