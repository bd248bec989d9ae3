"""Who was erased, remembered by keyed hashes alone: what was under way then must not bring anybody back.

A mark tells nothing about the id without the hub's keys. It stays for as long as a row may be under way.
"""

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from psycopg import Cursor

from core import buckets
from core.arrays import Byteas, Ints, SmallInts, columns
from profiles.store import IdentityKey

USER = "uuid"
"""The kind of our own user ids, beside those of `profiles.Identity`."""

ANY = "SELECT EXISTS (SELECT FROM erased)"
LOAD = """
SELECT k.number, e.at
FROM unnest(%s::smallint[], %s::int[], %s::bytea[], %s::int[]) AS k (bucket, customer_id, mark, number)
JOIN erased e ON e.bucket = k.bucket AND e.customer_id = k.customer_id AND e.mark = k.mark
"""
REMEMBER = """
INSERT INTO erased AS kept (bucket, customer_id, mark, at) VALUES (%s, %s, %s, %s)
ON CONFLICT (bucket, customer_id, mark) DO UPDATE SET at = greatest(kept.at, excluded.at)
"""
FORGET = "DELETE FROM erased WHERE bucket = ANY(%s::smallint[]) AND at < %s"


def bucket_of(key: IdentityKey) -> int:
    _, kind, value = key
    return int(value[-2:], 16) if kind == USER else buckets.of_value(value)


def marks(key: IdentityKey) -> list[bytes]:
    """Of an id, under each of the hub's keys; new ones are written under the first."""
    customer, kind, value = key
    message = f"{customer}\0{kind}\0{value}".encode()
    return [hashlib.blake2b(message, digest_size=16, key=secret).digest() for secret in _secrets()]


@cache
def _secrets() -> list[bytes]:
    return [bytes.fromhex(secret) for secret in settings.ENVIRONMENT.derived_secrets("erased")]


def remember(cursor: Cursor[Any], key: IdentityKey, at: datetime) -> None:
    """Whatever was accepted about this id up to then is to be dropped. The caller holds the id's bucket."""
    cursor.execute(REMEMBER, [bucket_of(key), key[0], marks(key)[0], at])


def load(cursor: Cursor[Any], keys: Collection[IdentityKey]) -> dict[IdentityKey, datetime]:
    """When those of the ids that were erased were; nothing is asked where nobody was."""
    if not keys:
        return {}
    cursor.execute(ANY)
    if not (cursor.fetchone() or (False,))[0]:
        return {}
    asked = list(keys)
    rows = sorted((bucket_of(key), key[0], mark, number) for number, key in enumerate(asked) for mark in marks(key))
    cursor.execute(LOAD, columns((SmallInts, Ints, Byteas, Ints), rows))
    return {asked[number]: at for number, at in cursor}


def forget(cursor: Cursor[Any], in_buckets: Iterable[int], before: datetime) -> None:
    """No row can be under way any more that a mark from before then would stop."""
    cursor.execute(FORGET, [sorted(in_buckets), before])
