"""Ids of users who were erased: their platforms are told to remove them, and nobody is named any more.

Such a delivery bears the erasure's id in place of the user's, so that what becomes of it can be noted.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from core.arrays import Ints, Uuids
from core.buckets import BUCKETS

# the next epoch, as when an id changes hands: wants that are still under way are older
TAKE_BACK = """
UPDATE delivery SET user_id = %(erasure)s, epoch = greatest(epoch, %(epoch)s), version = 0, wanted = false,
    attempts = 0, dead = false, error = '', changed_at = %(now)s,
    due_at = CASE WHEN claim IS NOT NULL AND due_at IS NOT NULL THEN due_at
                  WHEN acknowledged IS DISTINCT FROM false THEN %(now)s::timestamptz END
WHERE bucket = %(bucket)s AND activation_id = ANY(%(activations)s) AND platform_user_id = %(id)s
  AND user_id = ANY(%(users)s)
"""
FORGET_LETTERS = """
DELETE FROM dead_letter
WHERE bucket = %(bucket)s AND activation_id = ANY(%(activations)s) AND platform_user_id = %(id)s
"""
OF_USERS = """
SELECT DISTINCT platform_id, platform_user_id FROM delivery
WHERE bucket = ANY(%s::smallint[]) AND user_id = ANY(%s::uuid[])
"""
LEFT = """
SELECT bucket, activation_id, platform_user_id, platform_id, acknowledged, due_at IS NULL AND claim IS NULL
FROM delivery WHERE bucket = ANY(%s::smallint[]) AND user_id = %s
ORDER BY bucket, activation_id, platform_user_id LIMIT %s
"""
FORGET = """
DELETE FROM delivery WHERE bucket = %s AND activation_id = %s AND platform_user_id = %s AND user_id = %s
"""


class Owed(NamedTuple):
    """A platform that was, or has to be, told. `acknowledged` false: it has removed the id; `idle`: nothing is due."""

    bucket: int
    activation: int
    platform_user_id: str
    platform: int
    acknowledged: bool | None
    idle: bool


def ids_of(cursor: Any, users: Sequence[UUID]) -> list[tuple[int, str]]:
    """The (platform, id)s that the users have, or had when nobody has them now."""
    cursor.execute(OF_USERS, [list(range(BUCKETS)), list(users)])
    return [(platform, value) for platform, value in cursor]


def take_back(
    cursor: Cursor[Any],
    bucket: int,
    activations: Sequence[int],
    platform_user_id: str,
    users: Sequence[UUID],
    erasure: UUID,
    epoch: int,
    now: datetime,
) -> int:
    """In the id's bucket: nothing is wanted for it any more; answers for how many activations there is a delivery."""
    values = {
        "bucket": bucket,
        "activations": Ints.of(activations),
        "id": platform_user_id,
        "users": Uuids.of(users),
        "erasure": erasure,
        "epoch": epoch,
        "now": now,
    }
    cursor.execute(TAKE_BACK, values)
    owed = cursor.rowcount
    cursor.execute(FORGET_LETTERS, values)
    return owed


def owed(cursor: Cursor[Any], erasure: UUID, most: int) -> list[Owed]:
    """What platforms still have to be told of, or were."""
    cursor.execute(LEFT, [list(range(BUCKETS)), erasure, most])
    return [Owed(*row) for row in cursor]


def forget(cursor: Cursor[Any], one: Owed, erasure: UUID) -> None:
    cursor.execute(FORGET, [one.bucket, one.activation, one.platform_user_id, erasure])
