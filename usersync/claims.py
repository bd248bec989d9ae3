"""The SQL of `match_claim`: matches that browsers which are not confirmed yet would take from somebody else.

A claim lies in the bucket of its user and holds the sync as it came. Whoever writes holds the bucket's lock. Claims are
few: only a browser without our cookie that follows a mail link to an id which somebody has leaves one.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from core import buckets
from core.arrays import BigInts, Ints, SmallInts, Texts, Times, Uuids, columns

KEEP = """
INSERT INTO match_claim (bucket, id, customer_id, user_id, platform_id, platform_user_id, sync, received_at)
SELECT bucket, id, customer_id, user_id, platform_id, platform_user_id, sync::jsonb, received_at
FROM unnest(%s::smallint[], %s::bigint[], %s::int[], %s::uuid[], %s::int[], %s::text[], %s::text[], %s::timestamptz[])
     AS k (bucket, id, customer_id, user_id, platform_id, platform_user_id, sync, received_at)
ON CONFLICT (bucket, id) DO NOTHING
"""
TAKE = """
DELETE FROM match_claim c
USING unnest(%s::smallint[], %s::int[], %s::uuid[]) AS k (bucket, customer_id, user_id)
WHERE c.bucket = k.bucket AND c.customer_id = k.customer_id AND c.user_id = k.user_id
RETURNING c.bucket, c.id, c.customer_id, c.user_id, c.platform_id, c.platform_user_id, c.sync::text, c.received_at
"""
FORGET_PLATFORM = "DELETE FROM match_claim WHERE bucket = %s AND platform_id = %s"

ROW = (SmallInts, BigInts, Ints, Uuids, Ints, Texts, Texts, Times)

Claimant = tuple[int, UUID]
"""Customer and user."""


class MatchClaimRow(NamedTuple):
    """`id`: of the inbox row that it was; `sync`: the encoded `Sync`, accepted at `received_at`."""

    bucket: int
    id: int
    customer: int
    user: UUID
    platform: int
    platform_user_id: str
    sync: str
    received_at: datetime


def keep(cursor: Cursor[Any], claims: Iterable[MatchClaimRow]) -> None:
    """Keep claims until their users are confirmed."""
    rows = sorted(claims, key=lambda one: one[:2])
    if rows:
        cursor.execute(KEEP, columns(ROW, rows))


def take(cursor: Cursor[Any], users: Collection[Claimant]) -> list[MatchClaimRow]:
    """Delete the claims of these users; returns them, the oldest of each user first."""
    if not users:
        return []
    cursor.execute(TAKE, columns((SmallInts, Ints, Uuids), _in_order(users)))
    return sorted((MatchClaimRow(*row) for row in cursor), key=lambda one: one[:2])


def forget_platform(cursor: Cursor[Any], bucket: int, platform: int) -> None:
    """Forget what is claimed of a platform that is deleted."""
    cursor.execute(FORGET_PLATFORM, [bucket, platform])


def _in_order(users: Iterable[Claimant]) -> Sequence[tuple[int, int, UUID]]:
    return sorted(((buckets.of_user(user), customer, user) for customer, user in users), key=lambda one: one[:2])
