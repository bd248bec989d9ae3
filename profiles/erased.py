"""Erased users, remembered by keyed hashes of their ids: what was accepted before must not bring anybody back.

Without the hub's keys, a hash tells nothing about the id. It is kept for as long as a row may still be under way.
"""

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from psycopg import Cursor

from core import buckets, user_ids
from core.arrays import Byteas, Ints, SmallInts, columns
from profiles.identities import IdentityKey

USER = "uuid"
"""The kind of our own user ids, beside those of `profiles.models.Identity`."""

ANY = "SELECT EXISTS (SELECT FROM erased)"
LOAD = """
SELECT k.number, e.at
FROM unnest(%s::smallint[], %s::int[], %s::bytea[], %s::int[]) AS k (bucket, customer_id, id_hash, number)
JOIN erased e ON e.bucket = k.bucket AND e.customer_id = k.customer_id AND e.id_hash = k.id_hash
"""
REMEMBER = """
INSERT INTO erased AS kept (bucket, customer_id, id_hash, at) VALUES (%s, %s, %s, %s)
ON CONFLICT (bucket, customer_id, id_hash) DO UPDATE SET at = greatest(kept.at, excluded.at)
"""
FORGET = "DELETE FROM erased WHERE bucket = ANY(%s::smallint[]) AND at < %s"


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


def remember(cursor: Cursor[Any], key: IdentityKey, at: datetime) -> None:
    """Remember that rows about this id that were accepted up to `at` must be dropped. The caller holds its bucket."""
    cursor.execute(REMEMBER, [bucket_of(key), key[0], id_hashes(key)[0], at])


def load(cursor: Cursor[Any], keys: Collection[IdentityKey]) -> dict[IdentityKey, datetime]:
    """Returns when each of these ids was erased; ids that never were are missing.

    While nobody is remembered as erased, this costs one small query and no hashes.
    """
    if not keys:
        return {}
    cursor.execute(ANY)
    if not (cursor.fetchone() or (False,))[0]:
        return {}
    asked = list(keys)
    rows = sorted(
        (bucket_of(key), key[0], id_hash, number) for number, key in enumerate(asked) for id_hash in id_hashes(key)
    )
    cursor.execute(LOAD, columns((SmallInts, Ints, Byteas, Ints), rows))
    return {asked[number]: at for number, at in cursor}


def forget(cursor: Cursor[Any], in_buckets: Iterable[int], before: datetime) -> None:
    """Delete the hashes of ids erased `before` then: no older row can be under way any more."""
    cursor.execute(FORGET, [sorted(in_buckets), before])
