"""The macros that platforms put their user id in place of."""

import re
from urllib.parse import unquote

_NAMES = r"(?:USER_?ID|UUID|UID|MM_UUID|MT_UUID)"
_MACRO = re.compile(
    rf"\[\[?{_NAMES}\]\]?|\$\{{{_NAMES}\}}|\${_NAMES}(?![A-Z0-9_])|\{{\{{?{_NAMES}\}}\}}?|%%{_NAMES}%%",
    re.IGNORECASE,
)


def holds_macro(text: str) -> bool:
    """Whether a user-id macro stands in the text, raw or percent-encoded once more."""
    if _MACRO.search(text):
        return True
    return "%" in text and text.isascii() and _MACRO.search(unquote(text)) is not None
