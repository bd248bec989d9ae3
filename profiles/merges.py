"""Merges of profiles: which profile an id stands for, why two became one, and which ids were not allowed to merge.
And browsers that were not merged, but moved to the user who logged in with them.

The `profile_merge` table keeps the cause of each merge; the `shared_id` table keeps the ids that were set aside
because with them a user would have more ids than a person has. Whoever writes holds the locks of the buckets.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from core import buckets
from core.arrays import Ints, SmallInts, Texts, Times, Uuids, columns
from core.buckets import BUCKETS
from core.clock import moment
from profiles.messages import MergeCause
from profiles.models import Profile
from profiles.state import USER_KEY, ProfileState

MOST_BROWSERS = 200  # that are shown of one user

SAVE_MERGES = """
INSERT INTO profile_merge (bucket, customer_id, winner, loser, kind, value, pixel_id, at)
SELECT * FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::int[],
                     %s::timestamptz[])
ON CONFLICT (bucket, customer_id, winner, loser) DO NOTHING
"""
SAVE_SHARED_IDS = """
INSERT INTO shared_id AS kept (bucket, customer_id, user_id, kind, value, times, first_at, last_at)
SELECT bucket, customer_id, user_id, kind, value, times, %s, %s
FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::text[], %s::text[], %s::int[])
     AS k (bucket, customer_id, user_id, kind, value, times)
ON CONFLICT (bucket, customer_id, user_id, kind, value) DO UPDATE SET
    times = kept.times + excluded.times, last_at = excluded.last_at
"""
ERASE_MERGES = """
DELETE FROM profile_merge m USING unnest(%s::smallint[], %s::int[], %s::uuid[]) AS k (bucket, customer_id, user_id)
WHERE m.bucket = k.bucket AND m.customer_id = k.customer_id AND m.winner = k.user_id
"""
ERASE_SHARED_IDS = """
DELETE FROM shared_id s USING unnest(%s::smallint[], %s::int[], %s::uuid[]) AS k (bucket, customer_id, user_id)
WHERE s.bucket = k.bucket AND s.customer_id = k.customer_id AND s.user_id = k.user_id
"""


FORGET_KINDS = """
DELETE FROM shared_id WHERE bucket = %(bucket)s AND customer_id = %(customer)s AND kind = ANY(%(kinds)s)
"""
FORGET_CAUSES = """
UPDATE profile_merge SET value = ''
WHERE bucket = %(bucket)s AND customer_id = %(customer)s AND kind = ANY(%(kinds)s) AND value <> ''
"""
FORGET_CAUSE = """
UPDATE profile_merge SET value = '' WHERE bucket = %s AND customer_id = %s AND winner = %s AND kind = %s AND value = %s
"""
BUCKETS_SHARED = """
SELECT DISTINCT bucket FROM shared_id
WHERE bucket = ANY(%s::smallint[]) AND customer_id = %s AND value = %s AND kind = %s
"""
FORGET_SHARED_ID = "DELETE FROM shared_id WHERE bucket = %s AND customer_id = %s AND value = %s AND kind = %s"
LOSERS = "SELECT loser FROM profile_merge WHERE bucket = %s AND customer_id = %s AND winner = %s"


class MergeRecord(NamedTuple):
    """`winner`, in this bucket, took in what `loser` held. `at`: unix ms of the moment when the loser gave it up."""

    bucket: int
    customer: int
    winner: UUID
    loser: UUID
    cause: MergeCause
    at: int


class SharedIdKey(NamedTuple):
    """An id that was set aside because the user already has as many ids as a person may have."""

    bucket: int
    customer: int
    user_id: UUID
    kind: str
    value: str


def surviving_profile(customer: int, user_id: UUID) -> Profile | None:
    """Returns the profile that the user id stands for: its own, or the one that it was merged into in the end."""
    seen: set[UUID] = set()
    while user_id not in seen:
        seen.add(user_id)
        bucket = buckets.of_user(user_id)
        profile = Profile.objects.filter(bucket=bucket, customer_id=customer, user_id=user_id).first()
        if profile is None or profile.merged_into is None:
            return profile
        user_id = profile.merged_into
    return None


def browsers_logged_in(profile: Profile) -> dict[UUID, datetime | None]:
    """Returns the browsers whose last login was that of this customer's user, with its moment; the latest first.

    Each has a profile of its own, which may be somebody else's. Every bucket is named, so that the index is used.
    """
    keys = [value for kind, value in profile.ids if kind == USER_KEY]
    rows = Profile.objects.filter(bucket__in=range(BUCKETS), customer_id=profile.customer_id, login__in=keys)
    latest = rows.exclude(login="").order_by("-login_at", "user_id")
    return dict(latest.values_list("user_id", "login_at")[:MOST_BROWSERS])


def save_merges(cursor: Cursor[Any], merges: Iterable[MergeRecord]) -> None:
    by_key = {(m.bucket, m.customer, m.winner.int, m.loser.int): m for m in merges}
    rows = [
        (m.bucket, m.customer, m.winner, m.loser, m.cause.kind, m.cause.value, m.cause.pixel, moment(m.at))
        for _, m in sorted(by_key.items(), key=lambda item: item[0])
    ]
    if rows:
        cursor.execute(SAVE_MERGES, columns((SmallInts, Ints, Uuids, Uuids, Texts, Texts, Ints, Times), rows))


def losers_of(cursor: Cursor[Any], winner: ProfileState) -> list[UUID]:
    """Returns the users whose content the winner has taken in."""
    cursor.execute(LOSERS, [winner.bucket, winner.customer, winner.user_id])
    return [loser for (loser,) in cursor]


def buckets_with_shared_id(cursor: Cursor[Any], customer: int, kind: str, value: str) -> set[int]:
    """Returns the buckets of users for whom this id was set aside."""
    cursor.execute(BUCKETS_SHARED, [list(range(BUCKETS)), customer, value, kind])
    return {bucket for (bucket,) in cursor}


def forget_shared_id(cursor: Cursor[Any], bucket: int, customer: int, kind: str, value: str) -> None:
    """Forget in a bucket that this id was set aside, whoever had no room for it."""
    cursor.execute(FORGET_SHARED_ID, [bucket, customer, value, kind])


def forget_cause(cursor: Cursor[Any], winner: ProfileState, kind: str, value: str) -> None:
    """Forget that this id was the cause of merges into the winner."""
    cursor.execute(FORGET_CAUSE, [winner.bucket, winner.customer, winner.user_id, kind, value])


def forget_kinds(cursor: Cursor[Any], bucket: int, customer: int, kinds: Sequence[str]) -> None:
    """Forget the ids of these kinds in a bucket that were set aside, or were the cause of a merge."""
    values = {"bucket": bucket, "customer": customer, "kinds": Texts.of(kinds)}
    cursor.execute(FORGET_KINDS, values)
    cursor.execute(FORGET_CAUSES, values)


def save_shared_ids(cursor: Cursor[Any], times: Mapping[SharedIdKey, int], now: datetime) -> None:
    """Add to how often each id was set aside."""
    rows = sorted(((*key, count) for key, count in times.items()), key=lambda row: (*row[:2], row[2].int, *row[3:]))
    if rows:
        cursor.execute(SAVE_SHARED_IDS, [now, now, *columns((SmallInts, Ints, Uuids, Texts, Texts, Ints), rows)])


def erase(cursor: Cursor[Any], states: Iterable[ProfileState]) -> None:
    """Delete the merges and the shared ids of these users."""
    rows = sorted(((s.bucket, s.customer, s.user_id) for s in states), key=lambda row: (*row[:2], row[2].int))
    if rows:
        users = columns((SmallInts, Ints, Uuids), rows)
        cursor.execute(ERASE_MERGES, users)
        cursor.execute(ERASE_SHARED_IDS, users)
