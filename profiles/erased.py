"""Erased users, remembered by keyed hashes of their ids: what was accepted before must not bring anybody back.

Without the hub's keys, a hash tells nothing about the id. It is kept for as long as a row may still be under way. A
platform's id that was forgotten leaves the number of its last owner (`epoch`) in the same way, so that what is under
way for a former owner is not taken for the next one's.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from psycopg import Cursor

from core import buckets, user_ids
from core.arrays import Byteas, Ints, SmallInts, Times, Uuids, columns
from profiles.identities import IdentityKey

USER = "uuid"
"""The kind of our own user ids, beside those of `profiles.models.Identity`."""

NOBODY = UUID(int=0)
"""The id of an erasure that nobody asked for, because the user was not seen for too long."""

ANY = "SELECT EXISTS (SELECT 1 FROM erased)"
LOAD = """
SELECT k.number, e.at, e.erasure, e.key_hash
FROM unnest(%s::smallint[], %s::int[], %s::bytea[], %s::int[]) AS k (bucket, customer_id, id_hash, number)
JOIN erased e ON e.bucket = k.bucket AND e.customer_id = k.customer_id AND e.id_hash = k.id_hash
"""
REMEMBER = """
INSERT INTO erased AS kept (bucket, customer_id, id_hash, at, erasure, key_hash)
SELECT * FROM unnest(%s::smallint[], %s::int[], %s::bytea[], %s::timestamptz[], %s::uuid[], %s::bytea[])
ON CONFLICT (bucket, customer_id, id_hash) DO UPDATE SET
    at = excluded.at, erasure = excluded.erasure, key_hash = excluded.key_hash
WHERE excluded.at >= kept.at
"""
FORGET = "DELETE FROM erased WHERE bucket = ANY(%s::smallint[]) AND at < %s"

ANY_EPOCH = "SELECT EXISTS (SELECT 1 FROM forgotten_id)"
LOAD_EPOCHS = """
SELECT k.number, max(f.epoch)
FROM unnest(%s::smallint[], %s::int[], %s::bytea[], %s::int[]) AS k (bucket, customer_id, id_hash, number)
JOIN forgotten_id f ON f.bucket = k.bucket AND f.customer_id = k.customer_id AND f.id_hash = k.id_hash
GROUP BY k.number
"""
REMEMBER_EPOCHS = """
INSERT INTO forgotten_id AS kept (bucket, customer_id, id_hash, epoch, at)
SELECT bucket, customer_id, id_hash, epoch, %s
FROM unnest(%s::smallint[], %s::int[], %s::bytea[], %s::int[]) AS k (bucket, customer_id, id_hash, epoch)
ON CONFLICT (bucket, customer_id, id_hash) DO UPDATE SET epoch = greatest(kept.epoch, excluded.epoch), at = excluded.at
"""
FORGET_EPOCHS = "DELETE FROM forgotten_id WHERE bucket = ANY(%s::smallint[]) AND at < %s"

HASHED = (SmallInts, Ints, Byteas, Ints)


class Mark(NamedTuple):
    """An id was erased: rows that were accepted up to `at` are dropped. `erasure`: whose proof notes the outcome.

    `key_hash`: the hash of the customer's own id of the person; None where it is known under no such id.
    """

    at: datetime
    erasure: UUID
    key_hash: bytes | None = None


def bucket_of(key: IdentityKey) -> int:
    _, kind, value = key
    return user_ids.bucket_of(value) if kind == USER else buckets.of_value(value)


def id_hashes(key: IdentityKey) -> list[bytes]:
    """Returns the hash of an id under each of the hub's keys. New rows are written under the first key."""
    customer, kind, value = key
    message = f"{customer}\0{kind}\0{value}".encode()
    return [hashlib.blake2b(message, digest_size=16, key=secret).digest() for secret in _secrets()]


@cache
def _secrets() -> list[bytes]:
    return [bytes.fromhex(secret) for secret in settings.ENVIRONMENT.derived_secrets("erased")]


def remember(cursor: Cursor[Any], marks: Mapping[IdentityKey, Mark]) -> None:
    """Remember that rows about these ids that were accepted before must be dropped. The caller holds their buckets."""
    rows = sorted(((bucket_of(key), key[0], id_hashes(key)[0], *mark) for key, mark in marks.items()), key=_order)
    if rows:
        cursor.execute(REMEMBER, columns((SmallInts, Ints, Byteas, Times, Uuids, Byteas), rows))


def load(cursor: Cursor[Any], keys: Collection[IdentityKey]) -> dict[IdentityKey, Mark]:
    """Returns the marks of those of these ids that were erased.

    While nobody is remembered as erased, this costs one small query and no hashes.
    """
    asked = list(keys)
    if not asked or not _any(cursor, ANY):
        return {}
    cursor.execute(LOAD, columns(HASHED, _hashed(asked)))
    found: dict[IdentityKey, Mark] = {}
    for number, *rest in cursor:
        mark = Mark(*rest)  # one under each of the hub's keys, while they are rotated
        found[asked[number]] = later(mark, found.get(asked[number]))
    return found


def later(mark: Mark, other: Mark | None) -> Mark:
    """Returns the mark of the later erasure."""
    return mark if other is None or other.at <= mark.at else other


def remember_epochs(cursor: Cursor[Any], epochs: Mapping[IdentityKey, int], now: datetime) -> None:
    """Remember the last epochs of ids that are forgotten. The caller holds their buckets."""
    rows = sorted((bucket_of(key), key[0], id_hashes(key)[0], epoch) for key, epoch in epochs.items())
    if rows:
        cursor.execute(REMEMBER_EPOCHS, [now, *columns(HASHED, rows)])


def load_epochs(cursor: Cursor[Any], keys: Collection[IdentityKey]) -> dict[IdentityKey, int]:
    """Returns the last epochs of those of these ids that were forgotten."""
    asked = list(keys)
    if not asked or not _any(cursor, ANY_EPOCH):
        return {}
    cursor.execute(LOAD_EPOCHS, columns(HASHED, _hashed(asked)))
    return {asked[number]: epoch for number, epoch in cursor}


def _order(row: tuple[Any, ...]) -> tuple[int, int, bytes]:
    return row[0], row[1], row[2]


def _any(cursor: Cursor[Any], statement: str) -> bool:
    cursor.execute(statement)
    return bool((cursor.fetchone() or (False,))[0])


def _hashed(keys: list[IdentityKey]) -> list[tuple[int, int, bytes, int]]:
    """Returns each key's hashes with its number in the list, in the order of the tables."""
    return sorted(
        (bucket_of(key), key[0], id_hash, number) for number, key in enumerate(keys) for id_hash in id_hashes(key)
    )


def forget(cursor: Cursor[Any], in_buckets: Iterable[int], before: datetime) -> None:
    """Delete what was remembered `before` then: no older row can be under way any more."""
    values = [sorted(in_buckets), before]
    cursor.execute(FORGET, values)
    cursor.execute(FORGET_EPOCHS, values)
