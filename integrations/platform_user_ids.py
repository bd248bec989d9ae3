"""What platforms send where one of their user ids should be: a word for "no id", or a macro that nobody replaced."""

import re
from urllib.parse import unquote

NO_ID = frozenset({"0", "-1", "null"})
"""A platform's ways to say that it does not know the user."""

_NAMES = r"(?:USER_?ID|UUID|UID|MM_UUID|MT_UUID)"
_MACRO = re.compile(
    rf"\[\[?{_NAMES}\]\]?|\$\{{{_NAMES}\}}|\${_NAMES}(?![A-Z0-9_])|\{{\{{?{_NAMES}\}}\}}?|%%{_NAMES}%%",
    re.IGNORECASE,
)


def is_macro(value: str) -> bool:
    """Whether an id is a user-id macro that was left unexpanded, raw or percent-encoded once more."""
    return not value.isalnum() and holds_macro(value)


def holds_macro(text: str) -> bool:
    """Whether the text contains a macro that platforms replace by their user id, raw or percent-encoded once more."""
    if _MACRO.search(text):
        return True
    return "%" in text and text.isascii() and _MACRO.search(unquote(text)) is not None
