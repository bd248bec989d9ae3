"""The SQL of memberships and of audience sizes, a batch at a time. All statements name the bucket first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from core import buckets
from core.arrays import Bools, Ints, SmallInts, Times, Uuids, columns
from core.count_periods import PAST, PRESENT, CountTable

LOAD_ALL = """
SELECT m.audience_id, m.user_id, m.customer_id, m.member, m.since, m.version, m.look_again_at
FROM unnest(%s::smallint[], %s::uuid[]) AS k (bucket, user_id)
JOIN membership m ON m.bucket = k.bucket AND m.user_id = k.user_id"""
LOAD = LOAD_ALL + " AND m.audience_id = ANY(%s::int[])"
# PostgreSQL prepares the array anew for each user: 500 users took 80 ms with 3,000 ids, and 15 ms without any.
MOST_NAMED = 100

SAVE = """
INSERT INTO membership (bucket, audience_id, user_id, customer_id, member, since, version,
                        look_again_at)
SELECT * FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::int[], %s::bool[], %s::timestamptz[],
                     %s::int[], %s::timestamptz[])
ON CONFLICT (bucket, audience_id, user_id) DO UPDATE SET
    member = excluded.member, since = excluded.since, version = excluded.version,
    look_again_at = excluded.look_again_at
"""

# of rows that are there
SAVE_STORED = """
UPDATE membership m SET member = k.member, since = k.since, version = k.version, look_again_at = k.look_again_at
FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::int[], %s::bool[], %s::timestamptz[], %s::int[],
            %s::timestamptz[])
     AS k (bucket, audience_id, user_id, customer_id, member, since, version, look_again_at)
WHERE m.bucket = k.bucket AND m.audience_id = k.audience_id AND m.user_id = k.user_id
"""

SIZES = CountTable("audience_bucket", ("audience_id",), ("size", "entered", "gone"))

COUNT = f"""
INSERT INTO audience_bucket AS kept (bucket, period, audience_id, size, entered, gone)
SELECT bucket, {PRESENT}, audience_id, entered - gone, entered, gone
FROM unnest(%s::smallint[], %s::int[], %s::int[], %s::int[]) AS k (bucket, audience_id, entered, gone)
ON CONFLICT (bucket, period, audience_id) DO UPDATE SET
    size = kept.size + excluded.size, entered = kept.entered + excluded.entered, gone = kept.gone + excluded.gone
"""

CORRECT = f"""
INSERT INTO audience_bucket AS kept (bucket, period, audience_id, size)
SELECT bucket, {PRESENT}, audience_id, by
FROM unnest(%s::smallint[], %s::int[], %s::int[]) AS k (bucket, audience_id, by)
ON CONFLICT (bucket, period, audience_id) DO UPDATE SET size = kept.size + excluded.size
"""

DIFFERENCES = """
SELECT bucket, audience_id, sum(members) FROM (
    SELECT bucket, audience_id, count(*) AS members FROM membership WHERE bucket = ANY(%(buckets)s) AND member
    GROUP BY bucket, audience_id
    UNION ALL SELECT bucket, audience_id, - size FROM audience_bucket WHERE bucket = ANY(%(buckets)s)) AS both_ways
GROUP BY bucket, audience_id HAVING sum(members) <> 0 ORDER BY bucket, audience_id
"""

# the version stands in the row of the past, which is never deleted before the audience is
BUILT = f"""
INSERT INTO audience_bucket (bucket, period, audience_id, version, size)
SELECT k.bucket, {PAST}, %s, %s, 0 FROM unnest(%s::smallint[]) AS k (bucket)
ON CONFLICT (bucket, period, audience_id) DO UPDATE SET version = excluded.version
"""

WITH_MEMBERS = """
SELECT k.bucket FROM unnest(%s::smallint[]) AS k (bucket)
WHERE EXISTS (SELECT 1 FROM membership m WHERE m.bucket = k.bucket AND m.audience_id = %s)
"""

PAGE_OF_MEMBERS = """
SELECT user_id, customer_id, version FROM membership
WHERE bucket = %s AND audience_id = %s AND user_id > %s AND member
ORDER BY user_id LIMIT %s
"""

DUE = """
SELECT bucket, look_again_at, audience_id, user_id, customer_id FROM membership
WHERE bucket = ANY(%s::smallint[]) AND look_again_at > %s AND look_again_at <= %s
ORDER BY bucket, look_again_at LIMIT %s
"""

LOOK_AGAIN = """
UPDATE membership m SET look_again_at = %s
FROM unnest(%s::smallint[], %s::int[], %s::uuid[]) AS k (bucket, audience_id, user_id)
WHERE m.bucket = k.bucket AND m.audience_id = k.audience_id AND m.user_id = k.user_id
"""

FORGET = """
DELETE FROM membership WHERE bucket = %s AND user_id = %s AND customer_id = %s RETURNING audience_id, member
"""

FORGET_AUDIENCE = (
    "DELETE FROM membership WHERE bucket = %s AND audience_id = %s",
    "DELETE FROM audience_bucket WHERE bucket = %s AND audience_id = %s",
)

MEMBERSHIP = (SmallInts, Ints, Uuids, Ints, Bools, Times, Ints, Times)


@dataclass(slots=True)
class MembershipState:
    """Whether a user is in one audience. `look_again_at` is when time alone may change that.

    `version` counts how often the user entered or left. `stored`: there is a row of it.
    """

    customer: int
    member: bool
    since: datetime
    version: int
    look_again_at: datetime | None
    dirty: bool = False
    stored: bool = False


class DueMembership(NamedTuple):
    """A membership that time alone may have changed, at `at`."""

    bucket: int
    at: datetime
    audience: int
    user: UUID
    customer: int


UserMemberships = dict[int, MembershipState]  # of one user, by audience
MembershipsByUser = dict[UUID, UserMemberships]


def load(cursor: Cursor[Any], users: Collection[UUID], audiences: Collection[int]) -> MembershipsByUser:
    """Returns the stored memberships of these users in these audiences. Users without any are left out."""
    if not users or not audiences:
        return {}
    ordered = sorted((user.int & 0xFF, user.int, user) for user in users)
    keys = columns((SmallInts, Uuids), [(bucket, user) for bucket, _, user in ordered])
    named = len(audiences) <= MOST_NAMED
    cursor.execute(*((LOAD, [*keys, Ints.of(sorted(audiences))]) if named else (LOAD_ALL, keys)))
    found: MembershipsByUser = {}
    for audience, user, customer, member, since, version, look_again_at in cursor.fetchall():
        if not named and audience not in audiences:
            continue
        state = MembershipState(customer, member, since, version, look_again_at, stored=True)
        found.setdefault(user, {})[audience] = state
    return found


def save(cursor: Cursor[Any], changed: MembershipsByUser) -> None:
    """Write the memberships that are dirty."""
    rows = sorted(
        (user.int & 0xFF, audience, user.int, user, state)
        for user, held in changed.items()
        for audience, state in held.items()
        if state.dirty
    )
    for statement, stored in ((SAVE_STORED, True), (SAVE, False)):
        values = [
            (bucket, audience, user, s.customer, s.member, s.since, s.version, s.look_again_at)
            for bucket, audience, _, user, s in rows
            if s.stored is stored
        ]
        if values:
            cursor.execute(statement, columns(MEMBERSHIP, values))


def count_moves(cursor: Cursor[Any], moves: Mapping[tuple[int, int], Sequence[int]]) -> None:
    """Add to the counts how many users entered and left, by (bucket, audience)."""
    rows = sorted((*key, entered, left) for key, (entered, left) in moves.items() if entered or left)
    if rows:
        cursor.execute(COUNT, columns((SmallInts, Ints, Ints, Ints), rows))


def differences(cursor: Cursor[Any], in_buckets: Collection[int]) -> dict[tuple[int, int], int]:
    """Returns by how much the sizes are too low, by (bucket, audience), where they are wrong.

    Reads all memberships of the buckets.
    """
    cursor.execute(DIFFERENCES, {"buckets": SmallInts.of(sorted(in_buckets))})
    return {(bucket, audience): int(members) for bucket, audience, members in cursor}


def correct(cursor: Cursor[Any], by: Mapping[tuple[int, int], int]) -> None:
    """Add to the sizes, by (bucket, audience). Nobody has entered or left."""
    rows = sorted((*key, members) for key, members in by.items())
    cursor.execute(CORRECT, columns((SmallInts, Ints, Ints), rows))


def mark_built(cursor: Cursor[Any], in_buckets: Collection[int], audience: int, version: int) -> None:
    """Record that the members in these buckets are those of this version of the audience."""
    cursor.execute(BUILT, [audience, version, SmallInts.of(sorted(in_buckets))])


def buckets_with_members(cursor: Cursor[Any], in_buckets: Collection[int], audience: int) -> set[int]:
    """Returns those of the buckets in which somebody is, or was, in the audience."""
    cursor.execute(WITH_MEMBERS, [SmallInts.of(sorted(in_buckets)), audience])
    return {bucket for (bucket,) in cursor}


def page_of_members(
    cursor: Cursor[Any], bucket: int, audience: int, after: UUID, size: int
) -> list[tuple[UUID, int, int]]:
    """Returns the next members after a user, as (user, customer, version)."""
    cursor.execute(PAGE_OF_MEMBERS, [bucket, audience, after, size])
    return cursor.fetchall()


def due(
    cursor: Cursor[Any], in_buckets: Sequence[int], after: datetime, upto: datetime, limit: int
) -> list[DueMembership]:
    """Returns memberships to look again at between `after` and `upto`, the earliest of each bucket first."""
    cursor.execute(DUE, [SmallInts.of(in_buckets), after, upto, limit])
    return [DueMembership(*row) for row in cursor]


def look_again(cursor: Cursor[Any], keys: Collection[tuple[int, int, UUID]], at: datetime | None) -> None:
    """Set the moment to look again at these memberships (bucket, audience, user). None: time alone changes nothing."""
    if keys:
        ordered = sorted(keys, key=lambda key: (key[0], key[1], key[2].int))
        cursor.execute(LOOK_AGAIN, [at, *columns((SmallInts, Ints, Uuids), ordered)])


def delete_of_user(cursor: Cursor[Any], customer: int, user: UUID) -> list[int]:
    """Delete a user's memberships; return the audiences of which the user was a member."""
    cursor.execute(FORGET, [buckets.of_user(user), user, customer])
    return [audience for audience, member in cursor if member]


def delete_of_audience(cursor: Cursor[Any], bucket: int, audience: int) -> None:
    """Delete the audience's memberships and counts in one bucket."""
    for statement in FORGET_AUDIENCE:
        cursor.execute(statement, [bucket, audience])
