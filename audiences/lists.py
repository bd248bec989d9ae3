"""The SQL of lists: who is on the list of a static audience. All statements name the bucket first.

Whoever writes holds the locks of the buckets.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from core import buckets
from core.arrays import BigInts, Bools, Ints, SmallInts, Times, Uuids, columns

OF_USERS = """
SELECT l.user_id, l.audience_id FROM unnest(%s::smallint[], %s::uuid[]) AS k (bucket, user_id)
JOIN listed_user l ON l.bucket = k.bucket AND l.user_id = k.user_id AND l.listed
"""
LOAD = """
SELECT l.bucket, l.audience_id, l.user_id, l.listed, l.at
FROM unnest(%s::smallint[], %s::int[], %s::uuid[]) AS k (bucket, audience_id, user_id)
JOIN listed_user l ON l.bucket = k.bucket AND l.audience_id = k.audience_id AND l.user_id = k.user_id
"""
SAVE = """
INSERT INTO listed_user (bucket, audience_id, user_id, customer_id, listed, at)
SELECT * FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::int[], %s::bool[], %s::timestamptz[])
ON CONFLICT (bucket, audience_id, user_id) DO UPDATE SET listed = excluded.listed, at = excluded.at
"""
TAKE = """
DELETE FROM listed_user WHERE bucket = %s AND user_id = %s AND customer_id = %s RETURNING audience_id, listed, at
"""
FORGET_AUDIENCE = (
    "DELETE FROM listed_user WHERE bucket = %s AND audience_id = %s",
    "DELETE FROM list_change_bucket WHERE bucket = %s AND audience_id = %s",
)
EXISTING = "SELECT id FROM audience WHERE id = ANY(%s::int[]) AND status <> 'deleting'"
COUNT = """
INSERT INTO list_change_bucket AS kept (bucket, change_id, audience_id, changed, unchanged, unknown)
SELECT * FROM unnest(%s::smallint[], %s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (bucket, change_id) DO UPDATE SET changed = kept.changed + excluded.changed,
    unchanged = kept.unchanged + excluded.unchanged, unknown = kept.unknown + excluded.unknown
"""
KEY = (SmallInts, Ints, Uuids)


class ListKey(NamedTuple):
    """A user of a customer, and a static audience."""

    audience: int
    customer: int
    user: UUID


class Entry(NamedTuple):
    """Whether the user is on the list, as was said at that moment. Of two entries the later one holds."""

    listed: bool
    at: datetime


def of_users(cursor: Cursor[Any], users: Collection[UUID]) -> dict[UUID, set[int]]:
    """Returns the static audiences on whose lists each of these users is. Users on none are left out."""
    found: dict[UUID, set[int]] = {}
    if users:
        rows = sorted({(buckets.of_user(user), user.int, user) for user in users})
        keys = columns((SmallInts, Uuids), [(bucket, user) for bucket, _, user in rows])
        for user, audience in cursor.execute(OF_USERS, keys):
            found.setdefault(user, set()).add(audience)
    return found


def load(cursor: Cursor[Any], keys: Collection[ListKey]) -> dict[tuple[int, UUID], Entry]:
    """Returns the entries that are stored, by audience and user."""
    cursor.execute(LOAD, columns(KEY, [(buckets.of_user(key.user), key.audience, key.user) for key in _ordered(keys)]))
    return {(audience, user): Entry(listed, at) for _, audience, user, listed, at in cursor}


def save(cursor: Cursor[Any], entries: Mapping[ListKey, Entry]) -> None:
    rows = [
        (buckets.of_user(key.user), key.audience, key.user, key.customer, *entries[key]) for key in _ordered(entries)
    ]
    if rows:
        cursor.execute(SAVE, columns((*KEY, Ints, Bools, Times), rows))


def take(cursor: Cursor[Any], customer: int, user: UUID) -> dict[int, Entry]:
    """Delete the user's entries; return what they were, by audience."""
    cursor.execute(TAKE, [buckets.of_user(user), user, customer])
    return {audience: Entry(listed, at) for audience, listed, at in cursor}


def delete_of_audience(cursor: Cursor[Any], bucket: int, audience: int) -> None:
    """Delete the audience's list, and what became of its changes, in one bucket."""
    for statement in FORGET_AUDIENCE:
        cursor.execute(statement, [bucket, audience])


def existing(cursor: Cursor[Any], audiences: Collection[int]) -> set[int]:
    """Returns those of the audiences that there are, and that are not being deleted."""
    cursor.execute(EXISTING, [Ints.of(sorted(audiences))])
    return {audience for (audience,) in cursor}


def count(cursor: Cursor[Any], counts: Mapping[tuple[int, int, int], Sequence[int]]) -> None:
    """Add to what became of a change's ids, by (bucket, change, audience): changed, unchanged, unknown."""
    rows = sorted((*key, *numbers) for key, numbers in counts.items())
    if rows:
        cursor.execute(COUNT, columns((SmallInts, BigInts, Ints, BigInts, BigInts, BigInts), rows))


def _ordered(keys: Collection[ListKey]) -> list[ListKey]:
    return sorted(keys, key=lambda key: (buckets.of_user(key.user), key.audience, key.user.int))
