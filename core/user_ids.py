"""Our own user ids (uuid4), and their text form: the one form in which they are stored and sent."""

import uuid
from functools import lru_cache
from os import urandom as random_bytes

from core.errors import InvalidParameterError
from core.patterns import whole
from core.query import Parameters

LENGTH = 36
ANY_CASE = r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-4[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}"
"""A pattern of what `parse` takes."""

_USER_ID = whole(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new(bucket: int | None = None) -> uuid.UUID:
    """Make a random user id; one that falls into `bucket` if that is given."""
    raw = bytearray(random_bytes(16))
    if bucket is not None:
        raw[15] = bucket
    return uuid.UUID(bytes=bytes(raw), version=4)


def parse(text: str) -> str | None:
    """Returns the stored form of `text`, or None if it is not a uuid4."""
    lower = text.lower()
    return lower if _USER_ID(lower) else None


as_uuid = lru_cache(4096)(uuid.UUID)
"""The UUID of a user id in its stored form. Those asked a moment ago are remembered: making one takes a microsecond."""


def of_parameter(values: Parameters) -> str | None:
    """Returns the user id of the parameter `uuid`, or None if there is none. Raises InvalidParameterError."""
    if "uuid" not in values:
        return None
    user = parse(values["uuid"] or "")
    if user is None:
        raise InvalidParameterError("uuid")
    return user


def bucket_of(user: str) -> int:
    """Returns the bucket of a user id in its stored form: as `buckets.of_user`, without making a UUID of it."""
    return int(user[-2:], 16)
