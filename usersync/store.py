"""SQL of the match table, read and written a batch at a time. Writers must hold the buckets' locks."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from core import buckets
from core.arrays import Ints, SmallInts, Texts, Times, Uuids, columns

# only columns that the index itself holds
OF_USERS = """
SELECT m.user_id, m.platform_id, m.platform_user_id, m.customer_id, m.epoch
FROM unnest(%s::smallint[], %s::uuid[], %s::int[]) AS k (bucket, user_id, customer_id)
JOIN user_mapping m ON m.bucket = k.bucket AND m.user_id = k.user_id AND m.customer_id = k.customer_id
"""

WHOLE = """
SELECT m.user_id, m.platform_id, m.platform_user_id, m.customer_id, m.epoch, m.extra::text, m.synced_at, m.expires_at
FROM unnest(%s::smallint[], %s::uuid[], %s::int[]) AS k (bucket, user_id, customer_id)
JOIN user_mapping m ON m.bucket = k.bucket AND m.user_id = k.user_id AND m.customer_id = k.customer_id
"""

SAVE = """
INSERT INTO user_mapping AS kept
       (bucket, user_id, platform_id, platform_user_id, customer_id, epoch, extra, synced_at, expires_at)
SELECT bucket, user_id, platform_id, platform_user_id, customer_id, epoch, extra::jsonb, synced_at, expires_at
FROM unnest(%s::smallint[], %s::uuid[], %s::int[], %s::text[], %s::int[], %s::int[], %s::text[],
            %s::timestamptz[], %s::timestamptz[])
     AS k (bucket, user_id, platform_id, platform_user_id, customer_id, epoch, extra, synced_at, expires_at)
ON CONFLICT (bucket, user_id, platform_id, platform_user_id) DO UPDATE SET
    epoch = excluded.epoch, extra = excluded.extra, synced_at = excluded.synced_at,
    expires_at = excluded.expires_at
WHERE excluded.epoch >= kept.epoch
RETURNING customer_id, CASE WHEN xmax = 0 THEN user_id END, platform_id
"""

DELETE = """
DELETE FROM user_mapping m
USING unnest(%s::smallint[], %s::uuid[], %s::int[], %s::text[], %s::int[])
      AS k (bucket, user_id, platform_id, platform_user_id, epoch)
WHERE m.bucket = k.bucket AND m.user_id = k.user_id AND m.platform_id = k.platform_id
  AND m.platform_user_id = k.platform_user_id AND m.epoch <= k.epoch
RETURNING m.customer_id, m.user_id, m.platform_id
"""

END_OF_PAGE = """
SELECT user_id FROM user_mapping WHERE bucket = %s AND user_id > %s ORDER BY user_id OFFSET %s LIMIT 1
"""
DELETE_PAGE = """
DELETE FROM user_mapping WHERE bucket = %s AND user_id > %s AND user_id <= %s AND platform_id = %s
"""
LAST = UUID(int=2**128 - 1)

UserOnPlatform = tuple[int, UUID, int]  # customer, user, platform

MAPPING = (SmallInts, Uuids, Ints, Texts, Ints, Ints, Texts, Times, Times)


@dataclass(slots=True)  # not frozen: absorb makes thousands a second
class MappedId:
    """A platform's id of a user; the user is the `epoch`-th owner of the id."""

    user_id: UUID
    platform: int
    platform_user_id: str
    customer: int
    epoch: int

    @property
    def key(self) -> tuple[int, UUID, int, str]:
        return buckets.of_user(self.user_id), self.user_id, self.platform, self.platform_user_id


@dataclass(slots=True)
class FullMapping(MappedId):
    """A mapping with all its columns. `extra` is a JSON object as text."""

    extra: str
    synced_at: datetime
    expires_at: datetime | None


def of_users(cursor: Cursor[Any], users: Collection[tuple[int, UUID]]) -> dict[tuple[int, UUID], list[MappedId]]:
    """Load all platform ids of these (customer, user) pairs."""
    found: dict[tuple[int, UUID], list[MappedId]] = {key: [] for key in users}
    if not users:
        return found
    ordered = sorted(((buckets.of_user(user), user, customer) for customer, user in users), key=_order)
    cursor.execute(OF_USERS, columns((SmallInts, Uuids, Ints), ordered))
    for row in cursor.fetchall():
        known = MappedId(*row)
        found[known.customer, known.user_id].append(known)
    return found


def of_user(cursor: Cursor[Any], customer: int, user: UUID) -> list[FullMapping]:
    """Load all mappings of one user."""
    cursor.execute(WHOLE, columns((SmallInts, Uuids, Ints), [(buckets.of_user(user), user, customer)]))
    return [FullMapping(*row) for row in cursor]


def save(cursor: Cursor[Any], mappings: Iterable[FullMapping]) -> list[UserOnPlatform]:
    """Save mappings, each key at most once, never over one with a later owner. Returns the users of the new ones."""
    rows = sorted(((*m.key, m.customer, m.epoch, m.extra, m.synced_at, m.expires_at) for m in mappings), key=_order)
    if not rows:
        return []
    cursor.execute(SAVE, columns(MAPPING, rows))
    return [row for row in cursor if row[1] is not None]


def delete(cursor: Cursor[Any], keys: Collection[tuple[int, UUID, int, str, int]]) -> list[UserOnPlatform]:
    """Delete the mappings of these (bucket, user, platform, id, epoch), unless they were given again in a later epoch.

    Returns the users of the deleted ones.
    """
    if not keys:
        return []
    cursor.execute(DELETE, columns((SmallInts, Uuids, Ints, Texts, Ints), sorted(keys, key=_order)))
    return cursor.fetchall()


def delete_page_of_platform(cursor: Cursor[Any], bucket: int, platform: int, after: UUID, size: int) -> UUID | None:
    """Delete the platform's mappings among about the next `size` of the bucket.

    Returns the user after whom to go on; None after the last page.
    """
    cursor.execute(END_OF_PAGE, [bucket, after, size - 1])
    end: UUID | None = (cursor.fetchone() or (None,))[0]
    cursor.execute(DELETE_PAGE, [bucket, after, end or LAST, platform])
    return end


def _order(row: Sequence[Any]) -> tuple[Any, ...]:
    """Of rows that begin with bucket and user."""
    return row[0], row[1].int, *row[2:4]
