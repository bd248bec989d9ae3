"""Which ids name nobody: the one place that decides it, for every kind of id and every way in.

An id that many browsers send, because a tag, a table or a device had nothing better, would melt all of them into one
person. Such an id is known by heart (`placeholders`), or by its shape: a macro, zeros, one sign again and again, signs
without a letter or digit, an object or an error written as text. A customer can add words of its own.
"""

from collections.abc import Sequence, Set
from enum import StrEnum
from html import unescape
from unicodedata import normalize
from urllib.parse import unquote

from core.ids import placeholders
from core.ids.macros import is_macro
from core.patterns import whole

LONGEST = 1024
"""Characters. Longer texts are no ids: others refuse them."""

OwnWords = Set[str]
"""A customer's own words for nobody, in the form of `own_word`."""

NO_WORDS: OwnWords = frozenset()

_DEVICE = "device:"
_QUOTES = "\"'`\u00b4\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb,;\ufeff\u200b"
_LEAST_EQUAL_DIGITS = 9
"""Of the same digit again and again: a counter gets so far only where a customer has a hundred million users."""
_EQUAL_LETTERS = (8, 16, 32, 36, 40, 64)
"""Characters of GUIDs and hashes: of one letter again and again they are placeholders, unlike other texts."""
_DEEPEST = 4
_LONGEST_PHRASE = 64

_USUAL = "_.@+/=:|"

_REPEATED = whole(r"(?:undefined|null|nan|none|nil)++")
_TRUNCATED = whole(r"[+-]?[0-9](?:[.,][0-9]{1,16}+)?+e\+?[0-9]{1,3}+")
_OBJECT = whole(
    r"\[object [a-z0-9 ]*+\]|\[function[^\]]*+\]|function\b[^(]*+\(.*+|\(?[a-z, ]*+\)? ?=>.*+"
    r"|promise \{.*+|optional\(nil\)|java\.lang\..*+|symbol\(.*+"
)
_LETTERS_AND_NUMBER = whole(
    r"(?:[A-Za-z]{1,16}+-?+0{0,16}+[1-9][0-9]{0,16}+\n)*+[A-Za-z]{1,16}+-?+0{0,16}+[1-9][0-9]{0,16}+"
)
_TO_BLANK = {ord(sign): " " for sign in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}
_NO_SIGNS = {ord(sign): None for sign in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ "}


class Nobody(StrEnum):
    """Why an id names nobody. The values are stored and shown."""

    WORD = "word"
    MACRO = "macro"
    PLACEHOLDER = "placeholder"
    HASH = "hash"
    BROKEN = "broken"
    OWN_WORD = "own word"


_KNOWN: dict[str, Nobody] = {
    **dict.fromkeys(placeholders.hashes(), Nobody.HASH),
    **dict.fromkeys(placeholders.hashes_in_base64(), Nobody.HASH),
    **dict.fromkeys(placeholders.placeholders(), Nobody.PLACEHOLDER),
    **dict.fromkeys(placeholders.words(), Nobody.WORD),
}
_known = _KNOWN.get


def why_nobody(kind: str, value: str, own: OwnWords = NO_WORDS, depth: int = 0) -> Nobody | None:
    """Returns why the id names nobody; None if it may name somebody.

    `kind` as in `core.messages`; `depth`: how many layers (quotes, percent signs, entities) were taken off the value.
    Most ids are letters and digits mixed, and are done after two look-ups.
    """
    plain = value.lower()
    found = _known(plain)
    if found is not None:
        return found
    if own and plain in own:
        return Nobody.OWN_WORD
    if value.isalnum():
        return None if _is_mixed(plain) else _of_digits_or_letters(kind, value, plain, own, depth)
    return None if _is_ordinary(plain) else _of_signs(kind, value, plain, own, depth)


def all_ordinary(values: Sequence[str], own: OwnWords = NO_WORDS) -> bool:
    """Whether all of these may surely name somebody: letters and then a number, `C-4711`. A cheap look at many.

    Where it says no, `why_nobody` has to be asked for each.
    """
    if not _LETTERS_AND_NUMBER("\n".join(values)):  # no placeholder is so, as a test says
        return False
    return not own or own.isdisjoint(map(str.lower, values))


def own_word(text: str) -> str:
    """Returns the form in which a customer's own word is kept and compared."""
    return _bare(text).lower()


def _is_mixed(plain: str) -> bool:
    """Whether letters and digits are mixed, or digits of more than one kind: no word and no zeros."""
    if plain.isdigit():
        return plain.count(plain[0]) != len(plain) and plain.isascii()
    return not plain.isalpha()


def _is_ordinary(plain: str) -> bool:
    """Whether an id with signs is like most: a GUID, a mail address, Base64. A cheap look, so that the rest is rare.

    It begins and ends as no macro does, and holds letters, a digit that is no zero, and signs that are usual in ids.
    """
    joined = plain.replace("-", "")
    if not joined.isalnum():
        for sign in _USUAL:
            joined = joined.replace(sign, "")
        if not joined.isalnum() or (not plain[0].isalnum() and plain[0] not in "-/+") or "e+" in plain:
            return False
        if "@" in plain:
            return plain.partition("@")[0] not in placeholders.NOTHING
    if joined.isalpha() or joined in _KNOWN:
        return False
    if joined.isdigit():
        return _is_mixed(joined) and plain[0].isalnum()
    return "0" not in joined or not joined.strip("0").isalpha()


def _of_signs(kind: str, value: str, plain: str, own: OwnWords, depth: int) -> Nobody | None:
    """Of an id with signs that are no letters or digits."""
    found = _known(plain.replace("-", ""))
    if found is not None:
        return found
    if len(value) > LONGEST or depth > _DEEPEST:
        return None
    bare = _bare(value)
    if bare != value:
        return why_nobody(kind, bare, own, depth + 1) if bare else Nobody.WORD
    if not any(map(str.isalnum, plain)):
        return Nobody.WORD
    digits = plain.translate(_NO_SIGNS)
    if _of_one_sign(kind, digits):
        return Nobody.PLACEHOLDER
    return _of_shape(value, plain) or _decoded(kind, value, own, depth)


def _of_shape(value: str, plain: str) -> Nobody | None:
    if _OBJECT(plain) or _TRUNCATED(plain) or ("<" in plain and " 0x" in plain):
        return Nobody.BROKEN
    if is_macro(value):
        return Nobody.MACRO
    return Nobody.WORD if _is_phrase(plain) else None


def _of_digits_or_letters(kind: str, value: str, plain: str, own: OwnWords, depth: int) -> Nobody | None:
    """Of an id of digits only, or of letters only, in any script."""
    if _of_one_sign(kind, plain):
        return Nobody.PLACEHOLDER
    if plain.isalpha() and (_REPEATED(plain) or _is_phrase(plain)):
        return Nobody.WORD
    return _decoded(kind, value, own, depth)


def _of_one_sign(kind: str, plain: str) -> bool:
    first = plain[0]
    if plain.count(first) != len(plain):
        return False
    if first.isdigit():
        return first == "0" or len(plain) >= _LEAST_EQUAL_DIGITS or kind.startswith(_DEVICE)
    return len(plain) in _EQUAL_LETTERS or (first == "x" and 3 <= len(plain) <= _LONGEST_PHRASE)


def _is_phrase(plain: str) -> bool:
    """Whether it says only that there is nothing, of what (`user_undefined`), or only what should stand there."""
    if len(plain) > _LONGEST_PHRASE:
        return False
    found = plain.translate(_TO_BLANK).split()
    words = {word for word in found if word.strip("0")}
    nothing = words & placeholders.NOTHING
    rest = words - nothing - placeholders.FIELDS - placeholders.FILLERS
    if rest or not found:
        return False
    return bool(nothing) or len(words) < len(set(found)) or not words.isdisjoint(placeholders.OF_IDS)


def _decoded(kind: str, value: str, own: OwnWords, depth: int) -> Nobody | None:
    """Of what the id says once percent signs, entities and wide letters are read."""
    plain = value if value.isascii() else normalize("NFKC", value)
    if "%" in plain:
        plain = unquote(plain)
    if "&" in plain:
        plain = unescape(plain)
    return None if plain == value else why_nobody(kind, plain, own, depth + 1)


def _bare(value: str) -> str:
    """Returns the text without blanks and quotes around it."""
    before = None
    while before != value:
        before, value = value, value.strip().strip(_QUOTES)
    return value
