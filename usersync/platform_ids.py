"""What platforms send where a user id should be."""

import re

from integrations.user_id_macros import holds_macro

NO_ID = frozenset({"0", "-1", "null"})
"""A platform's ways to say that it does not know the user."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def is_macro(value: str) -> bool:
    """Whether a user-id macro was left unexpanded, raw or percent-encoded once more."""
    return not value.isalnum() and holds_macro(value)


def is_sound(value: str, limit: int) -> bool:
    """Whether an id can be stored and sent on: at most `limit` bytes, no control characters."""
    if len(value) > limit or (not value.isascii() and len(value.encode()) > limit):
        return False
    return value.isalnum() or _CONTROL.search(value) is None
