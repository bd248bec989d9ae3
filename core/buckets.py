"""Buckets: the hub's one unit of order, parallelism and distribution.

A user id's bucket is its last byte; any other id's bucket is a stable hash of its value. Both are plain Python and
must never change, because the rows that are already stored are found by them.

Each bucket has one writer at a time: the holder of its advisory lock. A lock is taken in a statement of its own, and
what it protects is read afterwards. In READ COMMITTED every statement sees the database as of its own start, so a read
that shares a statement with the lock can miss what the last holder committed.
"""

import uuid
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from psycopg import Cursor, errors

BUCKETS = 256

BUCKET_LOCKS = 0x646D70
"""The hub's own class of advisory locks."""

TRY_LOCK = "SELECT bucket FROM unnest(%s::int[]) AS bucket WHERE pg_try_advisory_xact_lock(%s, bucket)"

LOCK = "SELECT pg_advisory_xact_lock(%s, %s)"

_HASH = blake2b(digest_size=1)


def of_user(user_id: uuid.UUID) -> int:
    """Returns the bucket of one of our own user ids: its last byte."""
    return user_id.int & 0xFF


def of_value(value: str) -> int:
    """Returns the bucket of any other id (a platform's, a customer's, a device's)."""
    one = _HASH.copy()  # faster than making a hash with a digest of this size
    one.update(value.encode())
    return one.digest()[0]


def around(buckets: Sequence[int], start: int) -> tuple[list[int], list[int]]:
    """Returns the buckets from `start` on, and those before it. They must be in ascending order."""
    place = bisect_left(buckets, start)
    return list(buckets[place:]), list(buckets[:place])


def try_lock(cursor: Cursor[Any], buckets: Iterable[int]) -> set[int]:
    """Lock as many of these buckets as are free, until the transaction ends. Returns the locked ones; does not wait."""
    cursor.execute(TRY_LOCK, [sorted(buckets), BUCKET_LOCKS])
    return {bucket for (bucket,) in cursor}


def lock(cursor: Cursor[Any], bucket: int) -> None:
    """Lock one bucket until the transaction ends. Waits for its holder, so the caller must hold no other bucket."""
    cursor.execute(LOCK, [BUCKET_LOCKS, bucket])


def lock_within(cursor: Cursor[Any], bucket: int, patience_ms: int) -> bool:
    """As `lock`, but waits for so long only; returns whether the bucket is held.

    Whoever waits comes before those that only try.
    """
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{patience_ms}ms"])
    try:
        with cursor.connection.transaction():
            cursor.execute(LOCK, [BUCKET_LOCKS, bucket])
    except errors.LockNotAvailable:
        return False
    return True
