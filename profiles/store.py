"""The SQL of the `profile` and `opt_out` tables: read and written a batch at a time.

Batches are read and written in the order of their keys, so that two of them cannot deadlock. Whoever writes holds the
locks of the buckets.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import Cursor

from core import buckets
from core.arrays import Bools, Ints, Moments, SmallInts, Texts, Times, Uuids, columns
from core.buckets import BUCKETS
from core.clock import milliseconds, moment
from core.json_values import loads
from profiles import excess
from profiles.state import ProfileState

ProfileKey = tuple[int, UUID]
"""Customer and user id."""

KEY = (SmallInts, Ints, Uuids)
SEEN = (*KEY, Texts, Texts, Texts)
ROW = (*KEY, Moments, Texts, Texts, Texts, Texts, Texts, Bools, Uuids, Bools, Texts, Times)

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

WITH_PROFILES = """
SELECT k.bucket FROM unnest(%s::smallint[]) AS k (bucket)
WHERE EXISTS (SELECT 1 FROM profile p WHERE p.bucket = k.bucket AND p.customer_id = %s)
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
    updated_at = excluded.updated_at, seen_at = NULL
"""

# of rows that are there: neither a conflict to find out, nor columns to write that hold the same already
SAVE_SEEN = """
UPDATE profile p SET attributes = k.attributes::jsonb, times = k.times::jsonb, activity = k.activity::jsonb,
    updated_at = %s, seen_at = NULL
FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::text[], %s::text[], %s::text[])
     AS k (bucket, customer_id, user_id, attributes, times, activity)
WHERE p.bucket = k.bucket AND p.customer_id = k.customer_id AND p.user_id = k.user_id
"""

OPTED_OUT = """
SELECT o.user_id FROM unnest(%s::smallint[], %s::uuid[]) AS k (bucket, user_id)
JOIN opt_out o ON o.bucket = k.bucket AND o.user_id = k.user_id
"""
OPT_OUT = """
INSERT INTO opt_out (bucket, user_id, since) VALUES (%s, %s, %s) ON CONFLICT (bucket, user_id) DO NOTHING
"""
OPT_IN = "DELETE FROM opt_out WHERE bucket = %s AND user_id = %s"

ERASE_PROFILES = """
DELETE FROM profile p USING unnest(%s::smallint[], %s::int[], %s::uuid[]) AS k (bucket, customer_id, user_id)
WHERE p.bucket = k.bucket AND p.customer_id = k.customer_id AND p.user_id = k.user_id
"""
UNSEEN_USERS = """
SELECT user_id FROM profile
WHERE bucket = %s AND customer_id = %s AND coalesce(seen_at, updated_at) < %s AND merged_into IS NULL AND user_id > %s
ORDER BY user_id LIMIT %s
"""
SEEN_SINCE = """
SELECT coalesce(seen_at, updated_at) > %s FROM profile WHERE bucket = %s AND customer_id = %s AND user_id = %s
"""
LOGGED_IN = """
SELECT DISTINCT bucket FROM profile
WHERE bucket = ANY(%s::smallint[]) AND customer_id = %s AND login = ANY(%s::text[]) AND login <> ''
"""
LOG_OUT = """
UPDATE profile SET login = '', login_at = NULL
WHERE bucket = %s AND customer_id = %s AND login = ANY(%s::text[]) AND login <> '' AND login_at <= %s
"""
FORGET_IDS = """
UPDATE profile SET ids = (
    SELECT coalesce(jsonb_agg(pair.id ORDER BY pair.number), '[]'::jsonb)
    FROM jsonb_array_elements(profile.ids) WITH ORDINALITY AS pair (id, number) WHERE pair.id ->> 0 <> %(kind)s)
WHERE bucket = %(bucket)s AND customer_id = %(customer)s AND ids @> jsonb_build_array(jsonb_build_array(%(kind)s::text))
"""
SAVE_CONVERTED = """
UPDATE profile p SET attributes = k.attributes::jsonb, times = k.times::jsonb,
    seen_at = coalesce(p.seen_at, p.updated_at), updated_at = %s
FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::text[], %s::text[])
     AS k (bucket, customer_id, user_id, attributes, times)
WHERE p.bucket = k.bucket AND p.customer_id = k.customer_id AND p.user_id = k.user_id
"""
SAVE_ACTIVITY = """
UPDATE profile p SET activity = k.activity::jsonb
FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::text[]) AS k (bucket, customer_id, user_id, activity)
WHERE p.bucket = k.bucket AND p.customer_id = k.customer_id AND p.user_id = k.user_id
"""

UNCONFIRMED = """
SELECT bucket, created_at, customer_id, user_id FROM profile
WHERE bucket = ANY(%s::smallint[]) AND created_at > %s AND created_at <= %s
  AND NOT confirmed AND merged_into IS NULL AND NOT opted_out
ORDER BY bucket, created_at LIMIT %s
"""
ERASE_UNCONFIRMED = f"""{ERASE_PROFILES}
  AND NOT p.confirmed AND p.merged_into IS NULL AND NOT p.opted_out
RETURNING p.bucket, p.customer_id, p.user_id
"""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class UnconfirmedProfile(NamedTuple):
    """A profile that only a cookie named, made at `at`."""

    bucket: int
    at: datetime
    customer: int
    user: UUID


def load_profiles(cursor: Cursor[Any], keys: Collection[ProfileKey]) -> dict[ProfileKey, ProfileState]:
    if not keys:
        return {}
    ordered = sorted(((buckets.of_user(user), customer, user) for customer, user in keys), key=_order)
    cursor.execute(LOAD_PROFILES, columns(KEY, ordered))
    return {(state.customer, state.user_id): state for state in map(_profile, cursor.fetchall())}


def page_of_profiles(cursor: Cursor[Any], bucket: int, customer: int, after: UUID, size: int) -> list[ProfileState]:
    """Returns the next `size` profiles of the bucket, by user id."""
    cursor.execute(PAGE_OF_PROFILES, [bucket, customer, after, size])
    return [_profile(row) for row in cursor]


def buckets_with_profiles(cursor: Cursor[Any], in_buckets: Collection[int], customer: int) -> set[int]:
    """Returns those of the buckets in which the customer has anybody."""
    cursor.execute(WITH_PROFILES, [SmallInts.of(sorted(in_buckets)), customer])
    return {bucket for (bucket,) in cursor}


def save_profiles(cursor: Cursor[Any], states: Iterable[ProfileState], now: datetime) -> None:
    """Save the profiles. Most have only been seen: of these, only what an event changes is written."""
    rows, seen = [], []
    for state in states:
        rest = _rest(state)
        if rest == state.stored:
            changed = _encode(state.attributes), _encode(state.times), _encode(state.activity)
            seen.append((*_key_of(state), *changed))
        else:
            rows.append(_row(state, rest))
    if seen:
        cursor.execute(SAVE_SEEN, [now, *columns(SEEN, sorted(seen, key=_order))])
    if rows:
        cursor.execute(SAVE_PROFILES, [now, *columns(ROW, sorted(rows, key=_order))])


def save_converted(cursor: Cursor[Any], states: Iterable[ProfileState], now: datetime) -> None:
    """Save attributes with their times. The profile has changed, but the user does not count as seen."""
    rows = sorted(((*_key_of(state), _encode(state.attributes), _encode(state.times)) for state in states), key=_order)
    if rows:
        cursor.execute(SAVE_CONVERTED, [now, *columns((*KEY, Texts, Texts), rows)])


def save_activity(cursor: Cursor[Any], states: Iterable[ProfileState]) -> None:
    """Save the activity alone. `updated_at` stays: it says when the user was last seen."""
    rows = [(s.bucket, s.customer, s.user_id, _encode(s.activity)) for s in states]
    if rows:
        cursor.execute(SAVE_ACTIVITY, columns((*KEY, Texts), rows))


def erase_profiles(cursor: Cursor[Any], states: Collection[ProfileState]) -> None:
    """Delete the profiles, and mark the states as unconfirmed so that they are no longer counted as known users."""
    rows = sorted(((state.bucket, state.customer, state.user_id) for state in states), key=_order)
    if rows:
        cursor.execute(ERASE_PROFILES, columns(KEY, rows))
        excess.erase(cursor, rows)
    for state in states:
        state.confirmed = False


def unseen_users(
    cursor: Cursor[Any], bucket: int, customer: int, before: datetime, after: UUID, limit: int
) -> list[UUID]:
    """Returns users who were last seen `before` then, by id: up to `limit` that follow `after`."""
    cursor.execute(UNSEEN_USERS, [bucket, customer, before, after, limit])
    return [user for (user,) in cursor]


def seen_since(cursor: Cursor[Any], profile: ProfileState, moment: datetime) -> bool:
    """Returns whether the user was seen after that moment, as far as it is saved."""
    cursor.execute(SEEN_SINCE, [moment, profile.bucket, profile.customer, profile.user_id])
    return bool((cursor.fetchone() or (False,))[0])


def buckets_logged_in(cursor: Cursor[Any], customer: int, keys: Sequence[str]) -> set[int]:
    """Returns the buckets of browsers that one of these customer's users has logged in with, as somebody else's."""
    cursor.execute(LOGGED_IN, [list(range(BUCKETS)), customer, list(keys)])
    return {bucket for (bucket,) in cursor}


def log_out(cursor: Cursor[Any], bucket: int, customer: int, keys: Sequence[str], upto: datetime) -> None:
    """Forget these logins, if they were not later than `upto`, in a bucket, which the caller holds."""
    cursor.execute(LOG_OUT, [bucket, customer, list(keys), upto])


def forget_ids(cursor: Cursor[Any], bucket: int, customer: int, kind: str) -> None:
    """Forget which ids of a kind name the users of a bucket, which the caller holds. Reads all of its profiles."""
    cursor.execute(FORGET_IDS, {"bucket": bucket, "customer": customer, "kind": kind})


def unconfirmed(
    cursor: Cursor[Any], in_buckets: Sequence[int], after: datetime, upto: datetime, limit: int
) -> list[UnconfirmedProfile]:
    """Returns profiles that were made between `after` and `upto` and whose id never came back, the oldest first."""
    cursor.execute(UNCONFIRMED, [SmallInts.of(in_buckets), after, upto, limit])
    return [UnconfirmedProfile(*row) for row in cursor]


def erase_unconfirmed(cursor: Cursor[Any], found: Iterable[UnconfirmedProfile]) -> list[ProfileKey]:
    """Delete these profiles, except those that were confirmed, merged or opted out since they were found.

    Returns those that are deleted.
    """
    rows = sorted(((one.bucket, one.customer, one.user) for one in found), key=_order)
    if not rows:
        return []
    cursor.execute(ERASE_UNCONFIRMED, columns(KEY, rows))
    erased = sorted(cursor.fetchall(), key=_order)
    excess.erase(cursor, erased)
    return [(customer, user) for _, customer, user in erased]


def opted_out(cursor: Cursor[Any], users: Collection[UUID]) -> set[UUID]:
    """Returns those of the users who opted out."""
    if not users:
        return set()
    rows = sorted(((buckets.of_user(user), user) for user in users), key=lambda row: (row[0], row[1].int))
    cursor.execute(OPTED_OUT, columns((SmallInts, Uuids), rows))
    return {user for (user,) in cursor}


def opt_out(cursor: Cursor[Any], user: UUID, now: datetime) -> None:
    cursor.execute(OPT_OUT, [buckets.of_user(user), user, now])


def opt_in(cursor: Cursor[Any], user: UUID) -> None:
    cursor.execute(OPT_IN, [buckets.of_user(user), user])


def _order(row: Sequence[Any]) -> tuple[int, int, int]:
    """The order of rows that begin with bucket, customer and user."""
    return row[0], row[1], row[2].int


def _profile(row: Sequence[Any]) -> ProfileState:
    bucket, customer, user_id, created_at, attributes, dimensions, times, activity, ids, *rest = row
    confirmed, merged_into, opted_out, login, login_at = rest
    state = ProfileState(
        bucket=bucket,
        customer=customer,
        user_id=user_id,
        created_at=milliseconds(created_at),
        attributes=loads(attributes),
        dimensions={} if dimensions == "{}" else loads(dimensions),
        times=_decode(times),
        activity=_decode(activity),
        ids=[] if ids == "[]" else _decode(ids),
        confirmed=confirmed,
        merged_into=merged_into,
        opted_out=opted_out,
        login=login,
        login_at=0 if login_at is None else milliseconds(login_at),
        counted=confirmed and merged_into is None and not opted_out,
        attribute_bytes=len(attributes) if attributes.isascii() else len(attributes.encode()),
    )
    state.stored = _rest(state)
    return state


def _key_of(state: ProfileState) -> tuple[int, int, UUID]:
    return state.bucket, state.customer, state.user_id


def _rest(state: ProfileState) -> tuple[Any, ...]:
    """Returns what a row holds that few events change, in a form that later changes of the state leave as it is."""
    return (
        _encode(state.dimensions),
        _encode(state.ids),
        state.confirmed,
        state.merged_into,
        state.opted_out,
        state.login,
        state.login_at,
    )


def _row(state: ProfileState, rest: tuple[Any, ...]) -> tuple[Any, ...]:
    dimensions, ids, confirmed, merged_into, opted_out, login, login_at = rest
    return (
        *_key_of(state),
        state.created_at * 1000,
        _encode(state.attributes),
        dimensions,
        _encode(state.times),
        _encode(state.activity),
        ids,
        confirmed,
        merged_into,
        opted_out,
        login,
        moment(login_at) if login_at else None,
    )
