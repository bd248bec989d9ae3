"""Macros that should have been replaced by an id, and were not: by their shape, whatever their name.

Bidders, tag managers, mailing systems and template languages write `${…}`, `[[…]]`, `{{…}}`, `%%…%%`, `[NAME]`,
`<name>`, `__NAME__`, `$NAME`, `@@…@@`, `#{…}`, `*|NAME|*` and more. What an id is made of (letters, digits, and
the signs of Base64, addresses and mail addresses) makes none of these shapes.
"""

from urllib.parse import unquote

from core.patterns import linear, whole

LONGEST = 10_000
_USER_IDS = r"(?:USER_?ID|UUID|UID|MM_UUID|MT_UUID)"
_OF_USER_ID = linear(
    rf"\[\[?{_USER_IDS}\]\]?|\$\{{{_USER_IDS}\}}|\${_USER_IDS}(?:[^A-Z0-9_]|\z)|\{{\{{?{_USER_IDS}\}}\}}?"
    rf"|%%{_USER_IDS}%%",
    LONGEST,
    ignore_case=True,
)
_SIGNS = frozenset("[{$%")

_MARKS = (
    *("${", "{{", "}}", "[[", "]]", "%%", "#{", "%{", "%(", "<%", "<?", "@@", "##", "$(", "$[", "!{", "@{", "*|", "{%"),
    "[%",
)
"""No id holds one of these."""
_BEFORE, _BEHIND = "[{<(%$#@!~^*|&=?:", "]}>)%$#@!~^*|&=?:;"
_NAME = whole(r"[A-Za-z][A-Za-z0-9_ .:|-]{0,60}+")
_MOST_DIGITS, _MOST_DIGITS_OF_WORDS = 2, 4
"""Of a macro's name; of one whose words are joined by `_`. An id in brackets, such as a GUID, has more."""


def is_macro(value: str) -> bool:
    """Whether the whole text is a macro, or there is a macro in it that cannot be a part of an id."""
    if any(mark in value for mark in _MARKS):
        return True
    return _is_name(_inside(value)) or holds_user_id_macro(value)


def _inside(value: str) -> str:
    """Returns what stands between signs that mark a macro; empty where they are no such signs."""
    if value.startswith("__") and value.endswith("__"):
        return value.strip("_")
    inner = value.lstrip(_BEFORE)
    if inner == value or (inner[-1:] not in _BEHIND and value[0] != "$"):
        return ""
    return inner.rstrip(_BEHIND)


def holds_user_id_macro(text: str) -> bool:
    """Whether the text contains a macro that platforms replace by their user id, raw or percent-encoded once more.

    A text of more than `LONGEST` characters is not looked at: no id and no sync template is so long.
    """
    if len(text) > LONGEST or _SIGNS.isdisjoint(text):
        return False
    if _OF_USER_ID.search(text):
        return True
    return "%" in text and text.isascii() and _OF_USER_ID.search(unquote(text)) is not None


def _is_name(name: str) -> bool:
    if not _NAME(name):
        return False
    most = _MOST_DIGITS_OF_WORDS if "_" in name else _MOST_DIGITS
    return sum(map(str.isdigit, name)) <= most
