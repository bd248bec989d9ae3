"""Buckets: the hub's one unit of order, parallelism and distribution.

A user id's bucket is its last byte; any other id's bucket is a stable hash of its value. Both are
plain Python and must never change: rows already stored are found by them.
"""

import os
import uuid
from hashlib import blake2b

BUCKETS = 256

_HASH = blake2b(digest_size=1)


def of_user(user_id: uuid.UUID) -> int:
    """The bucket of one of our own user ids: its last byte."""
    return user_id.int & 0xFF


def of_value(value: str) -> int:
    """The bucket of any other id (a platform's, a customer's, a device's)."""
    one = _HASH.copy()  # sooner made than a hash with a digest of its size
    one.update(value.encode())
    return one.digest()[0]


def new_user_id(bucket: int | None = None) -> uuid.UUID:
    """A random user id (uuid4); inside `bucket` where one is given."""
    raw = bytearray(os.urandom(16))
    if bucket is not None:
        raw[15] = bucket
    return uuid.UUID(bytes=bytes(raw), version=4)
