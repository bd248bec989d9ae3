"""How many users each customer knows: counted per bucket by whoever saves profiles, summed when read."""

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
    """Count these profiles, which have just been saved, as what they are now."""
    changes: dict[tuple[int, int], int] = defaultdict(int)
    for state in saved:
        if state.counted != state.eligible:
            state.counted = state.eligible
            changes[state.bucket, state.customer] += 1 if state.eligible else -1
    rows = sorted((*key, change) for key, change in changes.items() if change)
    if rows:
        cursor.execute(COUNT, columns((SmallInts, Ints, Ints), rows))


def recount(cursor: Cursor[Any], bucket: int) -> None:
    """Count anew what was loaded past absorb; the caller holds the bucket."""
    cursor.execute(FORGET, [bucket])
    cursor.execute(RECOUNT, [bucket])


def known_users() -> dict[int, int]:
    """The number of users by customer."""
    rows = KnownUsers.objects.values("customer_id").annotate(known=Sum("users"))
    return {row["customer_id"]: row["known"] for row in rows}
