"""Identities: which user an id names, and the SQL of the `identity` table.

An identity lives in the bucket of its value. Batches are read and written in the order of their keys, so that two
of them cannot deadlock. Whoever writes holds the locks of the buckets.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from core import buckets
from core.arrays import Ints, SmallInts, Texts, Times, Uuids, columns
from core.buckets import BUCKETS

IdentityKey = tuple[int, str, str]
"""Customer, kind and value."""

PLATFORM = "platform:"
"""How the kinds of platforms' own ids begin; the platform's number follows."""

EUID = "euid:"
"""The same of ids by which requests name users."""

LOAD = """
SELECT i.customer_id, i.kind, i.value, i.user_id, i.epoch, i.expires_at
FROM unnest(%s::smallint[], %s::int[], %s::text[], %s::text[]) AS k (bucket, customer_id, kind, value)
JOIN identity i
  ON i.bucket = k.bucket AND i.customer_id = k.customer_id AND i.kind = k.kind AND i.value = k.value
"""
SAVE = """
INSERT INTO identity AS kept (bucket, customer_id, kind, value, user_id, epoch, expires_at, former_user_id, since)
SELECT bucket, customer_id, kind, value, user_id, epoch, expires_at, former_user_id, coalesce(since, %s)
FROM unnest(%s::smallint[], %s::int[], %s::text[], %s::text[], %s::uuid[], %s::int[], %s::timestamptz[], %s::uuid[],
            %s::timestamptz[])
     AS k (bucket, customer_id, kind, value, user_id, epoch, expires_at, former_user_id, since)
ON CONFLICT (bucket, customer_id, kind, value) DO UPDATE SET
    user_id = excluded.user_id, epoch = excluded.epoch, expires_at = excluded.expires_at,
    former_user_id = excluded.former_user_id,
    since = CASE WHEN kept.epoch = excluded.epoch THEN kept.since ELSE excluded.since END
"""
ERASE = """
DELETE FROM identity i
USING unnest(%s::smallint[], %s::int[], %s::text[], %s::text[]) AS k (bucket, customer_id, kind, value)
WHERE i.bucket = k.bucket AND i.customer_id = k.customer_id AND i.kind = k.kind AND i.value = k.value
"""
ERASE_WITHOUT_OWNER = """
DELETE FROM identity WHERE bucket = %s AND kind = %s AND value = %s AND user_id IS NULL
RETURNING customer_id, kind, value, epoch
"""
DELETE_OF_KIND = """
DELETE FROM identity WHERE bucket = %(bucket)s AND customer_id = %(customer)s AND kind = %(kind)s AND value = ANY(ARRAY(
    SELECT value FROM identity WHERE bucket = %(bucket)s AND customer_id = %(customer)s AND kind = %(kind)s
    ORDER BY value LIMIT %(limit)s))
"""
FORMER_OWNER = """
SELECT former_user_id FROM identity WHERE bucket = %s AND customer_id = %s AND kind = %s AND value = %s
"""
SINCE = "SELECT since FROM identity WHERE bucket = %s AND customer_id = %s AND kind = %s AND value = %s"
GIVEN_UP_BY = """
SELECT customer_id, former_user_id, kind, value FROM identity
WHERE bucket = ANY(%s::smallint[]) AND former_user_id = ANY(%s::uuid[])
"""
POSTPONE = """
UPDATE identity i SET expires_at = %s
FROM unnest(%s::smallint[], %s::int[], %s::text[], %s::text[]) AS k (bucket, customer_id, kind, value)
WHERE i.bucket = k.bucket AND i.customer_id = k.customer_id AND i.kind = k.kind AND i.value = k.value
  AND i.expires_at <= %s
"""
EXPIRED = """
SELECT bucket, expires_at, customer_id, kind, value FROM identity
WHERE bucket = ANY(%s::smallint[]) AND expires_at > %s AND expires_at <= %s
ORDER BY bucket, expires_at LIMIT %s
"""

KEY = (SmallInts, Ints, Texts, Texts)
ROW = (*KEY, Uuids, Ints, Times, Uuids, Times)


@dataclass(slots=True)
class IdentityState:
    """The user whom an id names; None after the user gave it up. `epoch` counts the owners.

    At `expires_at` the owner loses the id, unless something renews it before (None: never). `former`: who has just
    given it up; `since`: when what gave it to this owner was accepted. Both are written, not loaded (`former_owner` and
    `owned_since` read them), because look-ups read nothing but the index.
    """

    user_id: UUID | None
    epoch: int = 0
    expires_at: datetime | None = None
    dirty: bool = False
    former: UUID | None = None
    since: datetime | None = None

    def give_to(self, user_id: UUID | None, since: datetime | None = None) -> None:
        self.former = self.user_id if user_id is None else None
        self.user_id, self.since = user_id, since
        self.epoch += 1
        self.dirty = True
        if user_id is None:
            self.expires_at = None

    def take_from_erased(self) -> None:
        """The owner is erased: the id names nobody, and nothing says whose it was."""
        if self.user_id is not None:
            self.give_to(None)
        self.former, self.dirty = None, True

    def expire_at(self, moment: datetime | None) -> None:
        if moment != self.expires_at:
            self.expires_at = moment
            self.dirty = True


class ExpiredIdentity(NamedTuple):
    """An id that its owner loses at `at`."""

    bucket: int
    at: datetime
    customer: int
    kind: str
    value: str

    @property
    def key(self) -> IdentityKey:
        return self.customer, self.kind, self.value


def identity_kind(platform: int) -> str:
    """Returns the identity kind of a platform's own ids."""
    return f"{PLATFORM}{platform}"


def euid_kind(platform: int) -> str:
    """Returns the identity kind of the ids of a platform by which requests name users."""
    return f"{EUID}{platform}"


def platform_of(kind: str) -> int | None:
    """Returns the platform whose own ids are of this kind, None for other kinds."""
    return int(kind.removeprefix(PLATFORM)) if kind.startswith(PLATFORM) else None


def load(cursor: Cursor[Any], keys: Collection[IdentityKey]) -> dict[IdentityKey, IdentityState]:
    if not keys:
        return {}
    cursor.execute(LOAD, columns(KEY, _in_order(keys)))
    return {(row[0], row[1], row[2]): IdentityState(*row[3:]) for row in cursor}


def save(cursor: Cursor[Any], states: Iterable[tuple[IdentityKey, IdentityState]], now: datetime) -> None:
    rows = sorted(
        (
            (buckets.of_value(key[2]), *key, one.user_id, one.epoch, one.expires_at, one.former, one.since)
            for key, one in states
        ),
        key=lambda row: row[:4],
    )
    if rows:
        cursor.execute(SAVE, [now, *columns(ROW, rows)])


def erase(cursor: Cursor[Any], keys: Collection[IdentityKey]) -> None:
    if keys:
        cursor.execute(ERASE, columns(KEY, _in_order(keys)))


def erase_without_owner(cursor: Cursor[Any], kind: str, value: str) -> dict[IdentityKey, int]:
    """Delete the id, whatever its customer, unless somebody owns it. Returns the last epoch of what was deleted."""
    cursor.execute(ERASE_WITHOUT_OWNER, [buckets.of_value(value), kind, value])
    return {(row[0], row[1], row[2]): row[3] for row in cursor}


def delete_of_kind(cursor: Cursor[Any], bucket: int, customer: int, kind: str, limit: int) -> int:
    """Delete up to `limit` ids of a kind that names nobody any more. Returns how many there were."""
    cursor.execute(DELETE_OF_KIND, {"bucket": bucket, "customer": customer, "kind": kind, "limit": limit})
    return cursor.rowcount


def former_owner(cursor: Cursor[Any], key: IdentityKey) -> UUID | None:
    """Returns who gave up an id that nobody owns, where that is known."""
    cursor.execute(FORMER_OWNER, [buckets.of_value(key[2]), *key])
    return (cursor.fetchone() or (None,))[0]


def owned_since(cursor: Cursor[Any], key: IdentityKey) -> datetime | None:
    """Returns when what gave the id to its owner was accepted."""
    cursor.execute(SINCE, [buckets.of_value(key[2]), *key])
    return (cursor.fetchone() or (None,))[0]


def given_up_by(cursor: Cursor[Any], users: Collection[UUID]) -> list[tuple[int, UUID, str, str]]:
    """Returns (customer, user, kind, value) of ids that the users gave up and that nobody owns."""
    cursor.execute(GIVEN_UP_BY, [list(range(BUCKETS)), list(users)])
    return cursor.fetchall()


def expired(
    cursor: Cursor[Any], in_buckets: Sequence[int], after: datetime, upto: datetime, limit: int
) -> list[ExpiredIdentity]:
    """Returns ids whose time ran out between `after` and `upto`, the longest expired of each bucket first."""
    cursor.execute(EXPIRED, [SmallInts.of(in_buckets), after, upto, limit])
    return [ExpiredIdentity(*row) for row in cursor]


def postpone(cursor: Cursor[Any], keys: Collection[IdentityKey], until: datetime) -> None:
    """Let ids whose time has run out end later."""
    if keys:
        cursor.execute(POSTPONE, [until, *columns(KEY, _in_order(keys)), until])


def _in_order(keys: Iterable[IdentityKey]) -> list[tuple[int, int, str, str]]:
    return sorted((buckets.of_value(value), customer, kind, value) for customer, kind, value in keys)
