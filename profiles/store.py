"""Profiles and identities, read and written a batch at a time. Keys come sorted: batches cannot deadlock."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Cursor

from core import buckets
from core.arrays import Bools, Ints, SmallInts, Texts, Times, Uuids, columns
from core.clock import milliseconds, moment
from core.json_values import loads
from profiles.state import ProfileState

PROFILE = (SmallInts, Ints, Uuids, Times, Texts, Texts, Texts, Texts, Texts, Bools, Uuids, Bools, Texts, Times)

ProfileKey = tuple[int, UUID]
IdentityKey = tuple[int, str, str]

COLUMNS = """p.bucket, p.customer_id, p.user_id, p.created_at, p.attributes::text, p.dimensions::text,
       p.times::text, p.activity::text, p.ids::text, p.confirmed, p.merged_into, p.opted_out, p.login, p.login_at"""

LOAD_PROFILES = f"""
SELECT {COLUMNS}
FROM unnest(%s::smallint[], %s::int[], %s::uuid[]) AS k (bucket, customer_id, user_id)
JOIN profile p ON p.bucket = k.bucket AND p.customer_id = k.customer_id AND p.user_id = k.user_id
"""

PAGE_OF_PROFILES = f"""
SELECT {COLUMNS} FROM profile p
WHERE p.bucket = %s AND p.customer_id = %s AND p.user_id > %s
ORDER BY p.user_id LIMIT %s
"""

SAVE_PROFILES = """
INSERT INTO profile (bucket, customer_id, user_id, created_at, attributes, dimensions, times, activity, ids,
                     confirmed, merged_into, opted_out, login, login_at, updated_at)
SELECT bucket, customer_id, user_id, created_at, attributes::jsonb, dimensions::jsonb, times::jsonb,
       activity::jsonb, ids::jsonb, confirmed, merged_into, opted_out, login, login_at, %s
FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::timestamptz[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::bool[], %s::uuid[], %s::bool[], %s::text[], %s::timestamptz[])
     AS k (bucket, customer_id, user_id, created_at, attributes, dimensions, times, activity, ids, confirmed,
           merged_into, opted_out, login, login_at)
ON CONFLICT (bucket, customer_id, user_id) DO UPDATE SET
    attributes = excluded.attributes, dimensions = excluded.dimensions, times = excluded.times,
    activity = excluded.activity, ids = excluded.ids, confirmed = excluded.confirmed,
    merged_into = excluded.merged_into, opted_out = excluded.opted_out,
    login = excluded.login, login_at = excluded.login_at,
    updated_at = excluded.updated_at
"""

OPTED_OUT = """
SELECT o.user_id FROM unnest(%s::smallint[], %s::uuid[]) AS k (bucket, user_id)
JOIN opt_out o ON o.bucket = k.bucket AND o.user_id = k.user_id
"""
OPT_OUT = """
INSERT INTO opt_out (bucket, user_id, since) VALUES (%s, %s, %s) ON CONFLICT (bucket, user_id) DO NOTHING
"""
OPT_IN = "DELETE FROM opt_out WHERE bucket = %s AND user_id = %s"

LOAD_IDENTITIES = """
SELECT i.customer_id, i.kind, i.value, i.user_id, i.epoch, i.expires_at
FROM unnest(%s::smallint[], %s::int[], %s::text[], %s::text[]) AS k (bucket, customer_id, kind, value)
JOIN identity i
  ON i.bucket = k.bucket AND i.customer_id = k.customer_id AND i.kind = k.kind AND i.value = k.value
"""

SAVE_IDENTITIES = """
INSERT INTO identity AS kept (bucket, customer_id, kind, value, user_id, epoch, expires_at, since)
SELECT bucket, customer_id, kind, value, user_id, epoch, expires_at, %s
FROM unnest(%s::smallint[], %s::int[], %s::text[], %s::text[], %s::uuid[], %s::int[], %s::timestamptz[])
     AS k (bucket, customer_id, kind, value, user_id, epoch, expires_at)
ON CONFLICT (bucket, customer_id, kind, value) DO UPDATE SET
    user_id = excluded.user_id, epoch = excluded.epoch, expires_at = excluded.expires_at,
    since = CASE WHEN kept.epoch = excluded.epoch THEN kept.since ELSE excluded.since END
"""
IDENTITY = (SmallInts, Ints, Texts, Texts, Uuids, Ints, Times)

ERASE_PROFILES = """
DELETE FROM profile p USING unnest(%s::smallint[], %s::int[], %s::uuid[]) AS k (bucket, customer_id, user_id)
WHERE p.bucket = k.bucket AND p.customer_id = k.customer_id AND p.user_id = k.user_id
"""
ERASE_IDENTITIES = """
DELETE FROM identity i
USING unnest(%s::smallint[], %s::int[], %s::text[], %s::text[]) AS k (bucket, customer_id, kind, value)
WHERE i.bucket = k.bucket AND i.customer_id = k.customer_id AND i.kind = k.kind AND i.value = k.value
"""

EXPIRED = """
SELECT customer_id, kind, value FROM identity
WHERE bucket = ANY(%s::smallint[]) AND expires_at <= %s
ORDER BY bucket, expires_at LIMIT %s
"""

UNCONFIRMED = """
SELECT bucket, customer_id, user_id FROM profile
WHERE bucket = ANY(%s::smallint[]) AND created_at <= %s AND NOT confirmed AND merged_into IS NULL AND NOT opted_out
ORDER BY bucket, created_at LIMIT %s
"""
FORGET_UNCONFIRMED = """
DELETE FROM profile p USING unnest(%s::smallint[], %s::int[], %s::uuid[]) AS k (bucket, customer_id, user_id)
WHERE p.bucket = k.bucket AND p.customer_id = k.customer_id AND p.user_id = k.user_id
"""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class IdentityState:
    """Whom an id names: nobody (None) where it was given up. `epoch` counts the owners.

    At `expires_at` the owner loses it, unless something renews it before (None: never).
    """

    user_id: UUID | None
    epoch: int = 0
    expires_at: datetime | None = None
    dirty: bool = False

    def give_to(self, user_id: UUID | None) -> None:
        self.user_id = user_id
        self.epoch += 1
        self.dirty = True
        if user_id is None:
            self.expires_at = None

    def expire_at(self, moment: datetime | None) -> None:
        if moment != self.expires_at:
            self.expires_at = moment
            self.dirty = True


def load_profiles(cursor: Cursor[Any], keys: Collection[ProfileKey]) -> dict[ProfileKey, ProfileState]:
    if not keys:
        return {}
    cursor.execute(LOAD_PROFILES, columns((SmallInts, Ints, Uuids), sorted(map(_profile_key, keys), key=_order)))
    return {(state.customer, state.user_id): state for state in map(_profile, cursor)}


def page_of_profiles(cursor: Cursor[Any], bucket: int, customer: int, after: UUID, size: int) -> list[ProfileState]:
    cursor.execute(PAGE_OF_PROFILES, [bucket, customer, after, size])
    return [_profile(row) for row in cursor]


def save_profiles(cursor: Cursor[Any], states: Iterable[ProfileState], now: datetime) -> None:
    rows = sorted((_profile_row(state) for state in states), key=_order)
    if rows:
        cursor.execute(SAVE_PROFILES, [now, *columns(PROFILE, rows)])


def opted_out(cursor: Cursor[Any], users: Collection[UUID]) -> set[UUID]:
    """Which of these users want not to be known."""
    if not users:
        return set()
    rows = sorted(((buckets.of_user(user), user) for user in users), key=lambda row: (row[0], row[1].int))
    cursor.execute(OPTED_OUT, columns((SmallInts, Uuids), rows))
    return {user for (user,) in cursor}


def opt_out(cursor: Cursor[Any], user: UUID, now: datetime) -> None:
    cursor.execute(OPT_OUT, [buckets.of_user(user), user, now])


def opt_in(cursor: Cursor[Any], user: UUID) -> None:
    cursor.execute(OPT_IN, [buckets.of_user(user), user])


def load_identities(cursor: Cursor[Any], keys: Collection[IdentityKey]) -> dict[IdentityKey, IdentityState]:
    if not keys:
        return {}
    ordered = sorted((buckets.of_value(value), customer, kind, value) for customer, kind, value in keys)
    cursor.execute(LOAD_IDENTITIES, columns((SmallInts, Ints, Texts, Texts), ordered))
    return {(row[0], row[1], row[2]): IdentityState(*row[3:]) for row in cursor}


def save_identities(cursor: Cursor[Any], states: Iterable[tuple[IdentityKey, IdentityState]], now: datetime) -> None:
    rows = sorted(
        (
            (buckets.of_value(value), customer, kind, value, state.user_id, state.epoch, state.expires_at)
            for (customer, kind, value), state in states
        ),
        key=lambda row: row[:4],
    )
    if rows:
        cursor.execute(SAVE_IDENTITIES, [now, *columns(IDENTITY, rows)])


def erase_profiles(cursor: Cursor[Any], states: Collection[ProfileState]) -> None:
    """They are gone, and count as nobody from now on."""
    rows = sorted(((state.bucket, state.customer, state.user_id) for state in states), key=_order)
    if rows:
        cursor.execute(ERASE_PROFILES, columns((SmallInts, Ints, Uuids), rows))
    for state in states:
        state.confirmed = False


def erase_identities(cursor: Cursor[Any], keys: Collection[IdentityKey]) -> None:
    if keys:
        rows = sorted((buckets.of_value(value), customer, kind, value) for customer, kind, value in keys)
        cursor.execute(ERASE_IDENTITIES, columns((SmallInts, Ints, Texts, Texts), rows))


def expired_identities(
    cursor: Cursor[Any], in_buckets: Collection[int], now: datetime, limit: int
) -> list[IdentityKey]:
    """Ids whose time has run out."""
    cursor.execute(EXPIRED, [sorted(in_buckets), now, limit])
    return cursor.fetchall()


def forget_unconfirmed(cursor: Cursor[Any], in_buckets: Collection[int], before: datetime, limit: int) -> int:
    """Delete profiles that were made before, and that nothing but an id which never came back has named."""
    cursor.execute(UNCONFIRMED, [sorted(in_buckets), before, limit])
    rows = sorted(cursor.fetchall(), key=_order)
    if rows:
        cursor.execute(FORGET_UNCONFIRMED, columns((SmallInts, Ints, Uuids), rows))
    return len(rows)


def _profile_key(key: ProfileKey) -> tuple[int, int, UUID]:
    customer, user_id = key
    return buckets.of_user(user_id), customer, user_id


def _order(row: Sequence[Any]) -> tuple[int, int, int]:
    """Of rows that begin with bucket, customer and user."""
    return row[0], row[1], row[2].int


def _profile(row: Sequence[Any]) -> ProfileState:
    (
        bucket,
        customer,
        user_id,
        created_at,
        attributes,
        dimensions,
        times,
        activity,
        ids,
        confirmed,
        merged_into,
        opted_out,
        login,
        login_at,
    ) = row
    return ProfileState(
        bucket,
        customer,
        user_id,
        milliseconds(created_at),
        loads(attributes),
        loads(dimensions),
        _decode(times),
        _decode(activity),
        _decode(ids),
        confirmed,
        merged_into,
        opted_out,
        login,
        0 if login_at is None else milliseconds(login_at),
        counted=confirmed and merged_into is None and not opted_out,
    )


def _profile_row(state: ProfileState) -> tuple[Any, ...]:
    return (
        state.bucket,
        state.customer,
        state.user_id,
        moment(state.created_at),
        _encode(state.attributes),
        _encode(state.dimensions),
        _encode(state.times),
        _encode(state.activity),
        _encode(state.ids),
        state.confirmed,
        state.merged_into,
        state.opted_out,
        state.login,
        moment(state.login_at) if state.login_at else None,
    )
