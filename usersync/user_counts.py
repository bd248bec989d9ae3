"""How many users each platform knows: counted in each bucket by whoever changes mappings, summed when read.

The caller must hold the locks of the buckets.
"""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from core import buckets
from core.arrays import Ints, SmallInts, Times, Uuids, columns
from usersync.store import FullMapping, UserOnPlatform

LEFT = """
SELECT k.customer_id, k.user_id, k.platform_id, count(*)
FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::int[]) AS k (bucket, customer_id, user_id, platform_id)
JOIN user_mapping m ON m.bucket = k.bucket AND m.user_id = k.user_id AND m.platform_id = k.platform_id
GROUP BY k.customer_id, k.user_id, k.platform_id
"""
COUNT = """
INSERT INTO mapped_users AS kept (bucket, platform_id, users, newest_sync)
SELECT bucket, platform_id, change, newest
FROM unnest(%s::smallint[], %s::int[], %s::int[], %s::timestamptz[]) AS k (bucket, platform_id, change, newest)
ON CONFLICT (bucket, platform_id) DO UPDATE SET
    users = kept.users + excluded.users, newest_sync = greatest(kept.newest_sync, excluded.newest_sync)
"""
FORGET = "DELETE FROM mapped_users WHERE bucket = %s"
FORGET_PLATFORM = "DELETE FROM mapped_users WHERE bucket = %s AND platform_id = %s"
RECOUNT = """
INSERT INTO mapped_users (bucket, platform_id, users, newest_sync)
SELECT bucket, platform_id, count(DISTINCT user_id), max(synced_at) FROM user_mapping
WHERE bucket = %s GROUP BY bucket, platform_id
"""


@dataclass(frozen=True, slots=True)
class MappingChanges:
    """What a batch did: the mappings it saved, the users of those that are new and of those that it deleted.

    `new_users`, as (customer, user), had no mappings before.
    """

    saved: Collection[FullMapping]
    added: Iterable[UserOnPlatform]
    removed: Iterable[UserOnPlatform]
    new_users: Container[tuple[int, UUID]]


def count(cursor: Cursor[Any], changes: MappingChanges) -> dict[UserOnPlatform, int]:
    """Update the counts by these changes: a user counts with the first id on a platform, until the last is gone.

    Returns how many ids the users have now of whom the changes made ids more or fewer.
    """
    users, ids = _users(cursor, changes)
    newest: dict[tuple[int, int], datetime] = {}
    for mapping in changes.saved:
        key = buckets.of_user(mapping.user_id), mapping.platform
        newest[key] = max(mapping.synced_at, newest.get(key, mapping.synced_at))
    rows = [(*key, users.get(key, 0), newest.get(key)) for key in sorted(users.keys() | newest.keys())]
    if rows:
        cursor.execute(COUNT, columns((SmallInts, Ints, Ints, Times), rows))
    return ids


def _users(
    cursor: Cursor[Any], changes: MappingChanges
) -> tuple[dict[tuple[int, int], int], dict[UserOnPlatform, int]]:
    """Returns by how many users each (bucket, platform) has grown, and how many ids changed users have now."""
    net: dict[UserOnPlatform, int] = defaultdict(int)
    for key in changes.added:
        net[key] += 1
    for key in changes.removed:
        net[key] -= 1
    left = _left(cursor, [key for key, change in net.items() if change and key[:2] not in changes.new_users])
    ids = {key: change if key[:2] in changes.new_users else left.get(key, 0) for key, change in net.items()}
    grown: dict[tuple[int, int], int] = defaultdict(int)
    for key, change in net.items():
        _, user, platform = key
        grown[buckets.of_user(user), platform] += (ids[key] > 0) - (ids[key] > change)
    return grown, ids


def _left(cursor: Cursor[Any], asked: list[UserOnPlatform]) -> dict[UserOnPlatform, int]:
    """Returns how many ids each of them has now."""
    if not asked:
        return {}
    rows = sorted(((buckets.of_user(key[1]), *key) for key in asked), key=_order)
    cursor.execute(LEFT, columns((SmallInts, Ints, Uuids, Ints), rows))
    return {(customer, user, platform): ids for customer, user, platform, ids in cursor}


def _order(row: tuple[int, int, UUID, int]) -> tuple[int, ...]:
    return row[0], row[1], row[2].int, row[3]


def recount(cursor: Cursor[Any], bucket: int) -> None:
    """Count a bucket anew after mappings were loaded without absorb; the caller must hold its lock."""
    cursor.execute(FORGET, [bucket])
    cursor.execute(RECOUNT, [bucket])


def forget_platform(cursor: Cursor[Any], bucket: int, platform: int) -> None:
    """Delete the count of a platform that is deleted; the caller holds the bucket."""
    cursor.execute(FORGET_PLATFORM, [bucket, platform])
