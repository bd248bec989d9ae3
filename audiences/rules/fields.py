"""What rules ask about: `attribute.<path>`, `dimension.<name>`, `pixel.<id>.…`, `audience`, `platform`,
`split.<name>`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from audiences.rules.errors import Location, shown
from audiences.rules.nodes import BelongingKind, Moment, MomentField, ValueField, ValueSource
from audiences.rules.operators import OF_BELONGING, OF_COUNT, OF_MOMENT, OF_SPLIT, OF_TYPE, AttributeType, Operator
from audiences.rules.splits import is_name
from core.patterns import whole
from profiles.paths import split_path

LARGEST_ID = 2**31 - 1

_DIMENSION = whole(r"[A-Za-z_][A-Za-z0-9_]*+")
_PIXEL = whole(r"(0|[1-9][0-9]{0,9}+)\.(count|first|last)")


class Schema(Protocol):
    """What a rule may name: one customer's attributes, pixels, platforms and audiences."""

    def attribute_type(self, path: str, /) -> AttributeType | None:
        """Returns the type of an attribute by its path, as the rule writes it. None: unknown, or not enabled."""

    def has_pixel(self, pixel: int, /) -> bool: ...

    def has_audience(self, audience: int, /) -> bool: ...

    def has_platform(self, platform: int, /) -> bool: ...

    def time_zone(self) -> str:
        """Returns the name of the zone in which the customer's days begin."""


@dataclass(frozen=True, slots=True)
class CountField:
    pixel: int


@dataclass(frozen=True, slots=True)
class SplitField:
    name: str


Field = ValueField | CountField | MomentField | SplitField | BelongingKind


def read_field(value: object, schema: Schema, at: Location) -> Field | None:
    """Returns what a rule asks about. Where the customer has no such thing, notes a fault and returns None."""
    if not isinstance(value, str):
        at.refuse("must be the name of a field")
        return None
    family, _, rest = value.partition(".")
    reader = _READERS.get(family)
    if reader is None or (family in set(BelongingKind) and value != family):
        at.refuse(f"must be attribute.…, dimension.…, pixel.…, split.…, audience or platform, not {shown(value)}")
        return None
    return reader(rest, schema, at)


def _attribute(path: str, schema: Schema, at: Location) -> Field | None:
    kind = schema.attribute_type(path)
    if kind is None:
        at.refuse(f"names no attribute that is enabled for audiences: {shown(path)}")
        return None
    try:
        return ValueField(ValueSource.ATTRIBUTE, split_path(path), kind)
    except ValueError as error:
        at.refuse(str(error))
        return None


def _dimension(name: str, _schema: Schema, at: Location) -> Field | None:
    if not _DIMENSION(name):
        at.refuse(f"names no dimension: {shown(name)}")
        return None
    return ValueField(ValueSource.DIMENSION, (name,), "mixed")


def _pixel(rest: str, schema: Schema, at: Location) -> Field | None:
    found = _PIXEL(rest)
    if found is None:
        at.refuse("must be pixel.<id>.count, pixel.<id>.first or pixel.<id>.last")
        return None
    pixel = int(found[1])
    if pixel > LARGEST_ID or not schema.has_pixel(pixel):
        at.refuse(f"names no pixel of this customer: {pixel}")
        return None
    return CountField(pixel) if found[2] == "count" else MomentField(pixel, Moment(found[2]))


def _split(name: str, _schema: Schema, at: Location) -> Field | None:
    if not is_name(name):
        at.refuse("must be split.<name>, the name of at most 64 letters, digits, - and _")
        return None
    return SplitField(name)


_READERS: dict[str, Callable[[str, Schema, Location], Field | None]] = {
    "attribute": _attribute,
    "dimension": _dimension,
    "pixel": _pixel,
    "split": _split,
    "audience": lambda _rest, _schema, _at: BelongingKind.AUDIENCE,
    "platform": lambda _rest, _schema, _at: BelongingKind.PLATFORM,
}


def operators_of(field: Field) -> frozenset[Operator]:
    """Returns the operators that fit a field."""
    match field:
        case ValueField():
            return OF_TYPE[field.type]
        case CountField():
            return OF_COUNT
        case MomentField():
            return OF_MOMENT
        case SplitField():
            return OF_SPLIT
        case BelongingKind():
            return OF_BELONGING
