"""Patterns on foreign text: nobody outside may choose how long they take.

The standard library's `re` tries one way after another, which can take quadratic time, or worse. So no module compiles
a pattern by itself. There are three kinds here, and all of them take time in proportion to the text:

- `linear` runs on RE2, which cannot be slow, and says how long a text may be. It knows no look-around and no
  back-references. A call costs some microseconds, so it is not for what every request does.
- `whole` runs on `re` and only compares a whole text. It is as fast as `re`. Its repeats must be possessive (`++`,
  `*+`, `{2,9}+`) or so small that few ways are possible.
- `scan` runs on `re` and finds every place, `first` the first one. In addition, a place where it fails must not make
  it read far.

`tests/core/test_patterns.py` proves the last two of each pattern that is made here, from its structure.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, AnyStr, Generic

import re2

FullMatch = Callable[..., re.Match[AnyStr] | None]
"""Called with the text and, where it does not begin at 0, the place where to begin."""

Scan = Callable[..., Iterator[re.Match[AnyStr]]]
"""Called as `FullMatch` is."""

WHOLE: "list[re.Pattern[Any]]" = []
SCANS: "list[re.Pattern[Any]]" = []
LINEAR: "list[LinearPattern[Any]]" = []


_CONTROLS = bytes(range(0x20)) + b"\x7f"
_BEFORE_MORE_CONTROLS = b"\xc2"
"""UTF-8 of U+0080 to U+009F begins so, and so do a few letters."""


class TextTooLongError(ValueError):
    """The text is longer than the pattern is meant for."""


class LinearPattern(Generic[AnyStr]):
    """A pattern on RE2, for texts of at most `longest` characters (or bytes).

    A longer text never matches as a whole. Other calls raise TextTooLongError for it.
    """

    def __init__(self, pattern: AnyStr, longest: int, *, ignore_case: bool) -> None:
        options = re2.Options()
        options.case_sensitive = not ignore_case
        options.log_errors = False
        self._compiled = re2.compile(pattern, options)
        self.pattern: AnyStr = pattern
        self.longest = longest
        LINEAR.append(self)

    def fullmatch(self, text: AnyStr) -> Any:
        """Returns the match (`re.Match` in all that matters), or None."""
        return None if len(text) > self.longest else self._compiled.fullmatch(_sound(text))

    def search(self, text: AnyStr) -> Any:
        return self._compiled.search(self._checked(text))

    def finditer(self, text: AnyStr) -> Iterator[Any]:
        found: Iterator[Any] = self._compiled.finditer(self._checked(text))
        return found

    def split(self, text: AnyStr) -> list[AnyStr]:
        parts: list[AnyStr] = self._compiled.split(self._checked(text))
        return parts

    def sub(self, by: AnyStr, text: AnyStr) -> AnyStr:
        """Returns the text with `by`, taken as it is, in place of each match."""
        changed: AnyStr = self._compiled.sub(lambda _: by, self._checked(text))
        return changed

    def _checked(self, text: AnyStr) -> AnyStr:
        if len(text) > self.longest:
            raise TextTooLongError(f"is longer than {self.longest} characters")
        sound: AnyStr = _sound(text)
        return sound


def linear(pattern: AnyStr, longest: int, *, ignore_case: bool = False) -> LinearPattern[AnyStr]:
    """Returns a pattern on RE2. Raises `re2.error` for one that RE2 cannot run."""
    return LinearPattern(pattern, longest, ignore_case=ignore_case)


def whole(pattern: AnyStr, *, ignore_case: bool = False) -> FullMatch[AnyStr]:
    """Returns a function that compares a whole text with the pattern. Classes such as `\\d` are ASCII only."""
    compiled = re.compile(pattern, re.ASCII | (re.IGNORECASE if ignore_case else 0))
    WHOLE.append(compiled)
    return compiled.fullmatch


def prefix(pattern: AnyStr) -> FullMatch[AnyStr]:
    """Returns a function that compares the beginning of a text with the pattern, by the rules of `whole`."""
    compiled = re.compile(pattern, re.ASCII)
    WHOLE.append(compiled)
    return compiled.match


def scan(pattern: AnyStr) -> Scan[AnyStr]:
    """Returns a function that finds every place of the pattern in a text. Classes such as `\\w` are Unicode's."""
    compiled = re.compile(pattern)
    SCANS.append(compiled)
    return compiled.finditer


def first(pattern: AnyStr) -> FullMatch[AnyStr]:
    """Returns a function that finds the first place of the pattern in a text, by the rules of `scan`."""
    compiled = re.compile(pattern)
    SCANS.append(compiled)
    return compiled.search


def has_control(text: str) -> bool:
    """Whether a control character (Unicode's Cc: also line ends, tabs and NUL) stands in the text."""
    if text.isprintable():
        return False
    raw = text.encode(errors="surrogatepass")
    if len(raw.translate(None, _CONTROLS)) != len(raw):
        return True
    return _BEFORE_MORE_CONTROLS in raw and any("\x7f" < sign < "\xa0" for sign in text)


def has_surrogate(text: str) -> bool:
    """Whether half of a surrogate pair stands in the text, which UTF-8 cannot say."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _sound(text: Any) -> Any:
    """Returns the text without halves of surrogate pairs, which RE2 cannot be given: `?` stands for each."""
    if isinstance(text, str) and has_surrogate(text):
        return text.encode(errors="replace").decode()
    return text
