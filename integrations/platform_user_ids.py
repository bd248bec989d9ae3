"""What platforms send where one of their user ids should be: a word for "no id", or a macro that nobody replaced."""

from urllib.parse import unquote

from core.patterns import linear

NO_ID = frozenset({"0", "-1", "null"})
"""A platform's ways to say that it does not know the user."""

_NAMES = r"(?:USER_?ID|UUID|UID|MM_UUID|MT_UUID)"
LONGEST = 10_000
_MACRO = linear(
    rf"\[\[?{_NAMES}\]\]?|\$\{{{_NAMES}\}}|\${_NAMES}(?:[^A-Z0-9_]|\z)|\{{\{{?{_NAMES}\}}\}}?|%%{_NAMES}%%",
    LONGEST,
    ignore_case=True,
)
_SIGNS = frozenset("[{$%")
"""One of them begins every macro."""


def is_macro(value: str) -> bool:
    """Whether an id is a user-id macro that was left unexpanded, raw or percent-encoded once more."""
    return not value.isalnum() and holds_macro(value)


def holds_macro(text: str) -> bool:
    """Whether the text contains a macro that platforms replace by their user id, raw or percent-encoded once more.

    A text of more than `LONGEST` characters is not looked at: no id and no sync template is so long.
    """
    if len(text) > LONGEST or _SIGNS.isdisjoint(text):
        return False
    if _MACRO.search(text):
        return True
    return "%" in text and text.isascii() and _MACRO.search(unquote(text)) is not None
