"""The fields of a profile that a model looks at, and how each is read into features."""

from enum import StrEnum
from zlib import crc32

import msgspec

SLOTS = 2**20
"""How many values the hash of a feature may have."""


class FeatureSource(StrEnum):
    ATTRIBUTE = "attribute"
    DIMENSION = "dimension"
    PIXEL = "pixel"
    AUDIENCE = "audience"


class FeatureReading(StrEnum):
    """How a field becomes features.

    `category`: a feature for each value, for each of a list. `number`: one for each range. `age`: one for each range of
    UTC days since a moment (unix seconds; in a pixel's activity, ms). `member`: one, for members of the audience.
    """

    CATEGORY = "category"
    NUMBER = "number"
    AGE = "age"
    MEMBER = "member"


class FeatureField(msgspec.Struct, frozen=True):
    """One thing about a user. `keys` lead to it: an attribute's path, a dimension's name, a pixel's id and one of
    `total`, `days`, `first`, `last`, or an audience's id. `edges`, ascending, part the ranges: each belongs to the
    range above it.
    """

    source: FeatureSource
    keys: tuple[str, ...]
    reading: FeatureReading
    edges: tuple[float, ...] = ()

    @property
    def dependency(self) -> str:
        """As `audiences.rules.dependencies` names it."""
        return f"{self.source}.{self.keys[0]}"

    @property
    def mark(self) -> int:
        """Where hashes of the field's features begin: two fields' equal values differ."""
        return crc32("\x1f".join((self.source, *self.keys)).encode())

    @property
    def ranges(self) -> list[int]:
        """The slot of each range, the lowest first."""
        return [slot_of(self.mark, f"r{number}") for number in range(len(self.edges) + 1)]


def slot_of(mark: int, text: str) -> int:
    return crc32(text.encode("utf-8", "replace"), mark) % SLOTS


def text_of(value: object) -> str | None:
    """A scalar as a category: 1 is not "1", and true is neither; none for what is no scalar."""
    if isinstance(value, str):
        return "s" + value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"n{value!r}" if isinstance(value, int | float) else None
