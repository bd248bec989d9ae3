"""Each bucket has one writer at a time: the holder of its advisory lock.

A lock is taken in a statement of its own, and what it protects is read afterwards: in READ COMMITTED
every statement sees the database as of its own start, so a read that shares a statement with the lock
can miss what the last holder committed.
"""

from collections.abc import Iterable
from typing import Any

from psycopg import Cursor

BUCKET_LOCKS = 0x646D70  # the hub's own class of advisory locks

TRY = "SELECT bucket FROM unnest(%s::int[]) AS bucket WHERE pg_try_advisory_xact_lock(%s, bucket)"


def try_lock(cursor: Cursor[Any], buckets: Iterable[int]) -> set[int]:
    """Lock as many of these buckets as are free, until the transaction ends; answers those."""
    cursor.execute(TRY, [sorted(buckets), BUCKET_LOCKS])
    return {bucket for (bucket,) in cursor}
