"""Reads the bit strings of consent signals: six bits for each character, most significant first. Pure."""

from base64 import urlsafe_b64decode

from core.patterns import whole

MAX_CHARACTERS = 8192
"""Longer than any real consent string; more is not looked at."""

_FIBONACCI_BITS = 24  # numbers up to 75,024
_ALPHABET = whole(r"[A-Za-z0-9_-]++")


class UnreadableSignalError(ValueError):
    """A signal does not follow its format, so nothing in it can be relied on."""


class Bits:
    """Reads one field after the other. Raises UnreadableSignalError beyond the end: a cut string never says yes."""

    __slots__ = ("_at", "_bits")

    def __init__(self, text: str) -> None:
        if len(text) > MAX_CHARACTERS or not _ALPHABET(text):
            raise UnreadableSignalError
        raw = urlsafe_b64decode(text + "A" * (-len(text) % 4))
        self._bits = f"{int.from_bytes(raw):0{8 * len(raw)}b}"[: 6 * len(text)]
        self._at = 0

    def take(self, width: int) -> str:
        """The next bits, as zeros and ones."""
        start, self._at = self._at, self._at + width
        if self._at > len(self._bits):
            raise UnreadableSignalError
        return self._bits[start : self._at]

    def number(self, width: int) -> int:
        return int(self.take(width), 2)

    def flag(self) -> bool:
        return self.take(1) == "1"

    def fibonacci(self) -> int:
        """A number of at least 1 in Fibonacci coding, which ends with the first two ones in a row."""
        value, weight, following = 0, 1, 2
        before = False
        for _ in range(_FIBONACCI_BITS):
            one = self.flag()
            if one and before:
                return value
            value += weight if one else 0
            weight, following = following, weight + following
            before = one
        raise UnreadableSignalError
