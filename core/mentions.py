"""Where a text quotes an id: as a whole word, as it is written in JSON, in a URL, or plainly.

`1` is quoted by `{"userid": "1"}` and by `?id=1&`, but not by `21`, `1.5` or `a-1`. PostgreSQL looks for all patterns
of LIKE first, which is cheap, and then for words. It does so in linear time: the expressions hold no back references.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from core.arrays import Texts

# before a word: the beginning, what is no part of words, or the end of an escape (in URLs, JSON, bytes)
_BEFORE = r"(?:^|[^[:alnum:]._-]|(?:^|[^[:alnum:]])[._-]|%[0-9a-fA-F]{2}|\\[bfnrt]|\\[0-7]{3})"
_AFTER = r"(?:$|[^[:alnum:]._-]|[._-](?:$|[^[:alnum:]]))"


def mentions(column: str) -> str:
    """Returns the condition that a column of text quotes one of the ids whose `Mentions.values` are given."""
    return f"({column} LIKE ANY(%(like)s) AND {column} ~ ANY(%(words)s))"


def mentions_in_bytes(column: str) -> str:
    """The same of a column of bytes."""
    escaped = f"encode({column}, 'escape')"
    return f"({column} LIKE ANY(%(like_bytes)s::bytea[]) AND {escaped} ~ ANY(%(words_of_bytes)s))"


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a statement that uses `mentions` is to be given as parameters."""

    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, ids: Iterable[str]) -> "Mentions":
        written = sorted({form for one in ids for form in forms(one)})
        likes = [f"%{_for_like(form)}%" for form in written]
        return cls(
            {
                "like": Texts.of(likes),
                "words": Texts.of([word(form) for form in written]),
                "like_bytes": [like.encode() for like in likes],
                "words_of_bytes": Texts.of([word(_escaped_bytes(form)) for form in written]),
            }
        )


def word(text: str) -> str:
    """Returns PostgreSQL's regular expression for the text as a whole word."""
    return _BEFORE + "".join(map(_quoted, text)) + _AFTER


def _quoted(sign: str) -> str:
    """Returns a sign so that it stands for itself: letters and digits do, and so does what is not ASCII."""
    if not sign.isascii() or sign.isalnum() or sign.isspace() or sign == "_":
        return sign
    return "\\" + sign


def forms(text: str) -> set[str]:
    """Returns how the id may be written: plainly, in JSON, in a URL. An empty one is written nowhere."""
    quoted = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], quote(text, safe=""))
    return {text, *quoted} if text else set()


def _for_like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _escaped_bytes(text: str) -> str:
    """As PostgreSQL's `encode(…, 'escape')` writes it."""
    return "".join("\\\\" if one == 92 else chr(one) if 0 < one < 128 else f"\\{one:03o}" for one in text.encode())
