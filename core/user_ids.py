"""Our own user ids as text: the one form in which they are stored and sent."""

import re

LENGTH = 36
_USER_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def parse(text: str) -> str | None:
    """`text` in the form that user ids are stored in, or None if it is not a uuid4."""
    lower = text.lower()
    return lower if _USER_ID.fullmatch(lower) else None


def bucket_of(user: str) -> int:
    """The bucket of a user id in the stored form: as `buckets.of_user`, without making a UUID of it."""
    return int(user[-2:], 16)
