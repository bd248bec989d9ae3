"""How many users each platform knows: counted in each bucket by whoever changes mappings, summed when read.

The caller must hold the locks of the buckets.
"""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from core import buckets
from core.arrays import Ints, SmallInts, Times, Uuids, columns
from core.count_periods import PRESENT, CountTable
from usersync.store import FullMapping, UserOnPlatform

LEFT = """
SELECT k.customer_id, k.user_id, k.platform_id, count(*)
FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::int[]) AS k (bucket, customer_id, user_id, platform_id)
JOIN user_mapping m ON m.bucket = k.bucket AND m.user_id = k.user_id AND m.platform_id = k.platform_id
GROUP BY k.customer_id, k.user_id, k.platform_id
"""
TABLE = CountTable("mapped_users", ("platform_id",), ("users",), ("newest_sync",))

COUNT = f"""
INSERT INTO mapped_users AS kept (bucket, period, platform_id, users, newest_sync)
SELECT bucket, {PRESENT}, platform_id, change, newest
FROM unnest(%s::smallint[], %s::int[], %s::int[], %s::timestamptz[]) AS k (bucket, platform_id, change, newest)
ON CONFLICT (bucket, period, platform_id) DO UPDATE SET
    users = kept.users + excluded.users, newest_sync = greatest(kept.newest_sync, excluded.newest_sync)
"""
FORGET = "DELETE FROM mapped_users WHERE bucket = %s"
FORGET_PLATFORM = "DELETE FROM mapped_users WHERE bucket = %s AND platform_id = %s"
RECOUNT = """
INSERT INTO mapped_users (bucket, platform_id, users, newest_sync)
SELECT bucket, platform_id, count(DISTINCT user_id), max(synced_at) FROM user_mapping
WHERE bucket = %s GROUP BY bucket, platform_id
"""


# of platforms that are not being deleted
DIFFERENCES = """
SELECT bucket, platform_id, sum(users) FROM (
    SELECT bucket, platform_id, count(DISTINCT user_id) AS users FROM user_mapping WHERE bucket = ANY(%(buckets)s)
    GROUP BY bucket, platform_id
    UNION ALL SELECT bucket, platform_id, - users FROM mapped_users WHERE bucket = ANY(%(buckets)s)) AS both_ways
WHERE EXISTS (SELECT 1 FROM platform p WHERE p.pl = platform_id)
GROUP BY bucket, platform_id HAVING sum(users) <> 0 ORDER BY bucket, platform_id
"""


class MappingCounts(NamedTuple):
    """What changes of mappings have led to.

    `ids`: how many ids users have now on platforms where they have more or fewer than before. `turned`: 1 where those
    are the user's first ids there, -1 where the last one is gone.
    """

    ids: dict[UserOnPlatform, int]
    turned: dict[UserOnPlatform, int]


@dataclass(frozen=True, slots=True)
class MappingChanges:
    """What a batch did: the mappings it saved, the users of those that are new and of those that it deleted.

    `new_users`, as (customer, user), had no mappings before.
    """

    saved: Collection[FullMapping]
    added: Iterable[UserOnPlatform]
    removed: Iterable[UserOnPlatform]
    new_users: Container[tuple[int, UUID]]


def count(cursor: Cursor[Any], changes: MappingChanges) -> MappingCounts:
    """Update the counts by these changes: a user counts with the first id on a platform, until the last is gone."""
    counted = _users(cursor, changes)
    users: dict[tuple[int, int], int] = defaultdict(int)
    for (_, user, platform), change in counted.turned.items():
        users[buckets.of_user(user), platform] += change
    newest: dict[tuple[int, int], datetime] = {}
    for mapping in changes.saved:
        key = buckets.of_user(mapping.user_id), mapping.platform
        newest[key] = max(mapping.synced_at, newest.get(key, mapping.synced_at))
    rows = [(*key, users.get(key, 0), newest.get(key)) for key in sorted(users.keys() | newest.keys())]
    if rows:
        cursor.execute(COUNT, columns((SmallInts, Ints, Ints, Times), rows))
    return counted


def _users(cursor: Cursor[Any], changes: MappingChanges) -> MappingCounts:
    net: dict[UserOnPlatform, int] = defaultdict(int)
    for key in changes.added:
        net[key] += 1
    for key in changes.removed:
        net[key] -= 1
    left = _left(cursor, [key for key, change in net.items() if change and key[:2] not in changes.new_users])
    ids = {key: change if key[:2] in changes.new_users else left.get(key, 0) for key, change in net.items()}
    turned = {key: (ids[key] > 0) - (ids[key] > change) for key, change in net.items()}
    return MappingCounts(ids, {key: change for key, change in turned.items() if change})


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


def differences(cursor: Cursor[Any], in_buckets: Collection[int]) -> dict[tuple[int, int], int]:
    """Returns by how much the counts are too low, by (bucket, platform), where they are wrong.

    Reads all mappings of the buckets.
    """
    cursor.execute(DIFFERENCES, {"buckets": SmallInts.of(sorted(in_buckets))})
    return {(bucket, platform): int(users) for bucket, platform, users in cursor}


def correct(cursor: Cursor[Any], by: Mapping[tuple[int, int], int]) -> None:
    """Add to the counts, by (bucket, platform)."""
    rows = [(*key, users, None) for key, users in sorted(by.items())]
    cursor.execute(COUNT, columns((SmallInts, Ints, Ints, Times), rows))


def forget_platform(cursor: Cursor[Any], bucket: int, platform: int) -> None:
    """Delete the count of a platform that is deleted; the caller holds the bucket."""
    cursor.execute(FORGET_PLATFORM, [bucket, platform])
