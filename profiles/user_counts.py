"""How many users each customer knows (the `known_users` table).

Whoever saves profiles counts them, per bucket, in the same transaction. Readers sum up the buckets, so that no row is
written by several transactions at once.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Sum
from psycopg import Cursor

from core.arrays import Ints, SmallInts, columns
from profiles.models import KnownUsers
from profiles.state import ProfileState

COUNT = """
INSERT INTO known_users AS kept (bucket, customer_id, users)
SELECT bucket, customer_id, change FROM unnest(%s::smallint[], %s::int[], %s::int[]) AS k (bucket, customer_id, change)
ON CONFLICT (bucket, customer_id) DO UPDATE SET users = kept.users + excluded.users
"""
FORGET = "DELETE FROM known_users WHERE bucket = %s"
RECOUNT = """
INSERT INTO known_users (bucket, customer_id, users)
SELECT bucket, customer_id, count(*) FROM profile
WHERE bucket = %s AND confirmed AND merged_into IS NULL AND NOT opted_out
GROUP BY bucket, customer_id
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


def known_users() -> dict[int, int]:
    """Returns the number of known users by customer."""
    rows = KnownUsers.objects.values("customer_id").annotate(known=Sum("users"))
    return {row["customer_id"]: row["known"] for row in rows}
