"""What rules ask about: `attribute.<path>`, `dimension.<name>`, `pixel.<id>.…`, `audience`, `platform`,
`split.<name>`."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from audiences.rules.errors import Spot, shown
from audiences.rules.nodes import Kind, Moment, Source, ValueField
from audiences.rules.operators import OF_BELONGING, OF_COUNT, OF_MOMENT, OF_SPLIT, OF_TYPE, Operator
from audiences.rules.schema import Schema
from audiences.rules.splits import NAME
from profiles.paths import split_path

LARGEST_ID = 2**31 - 1

_DIMENSION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PIXEL = re.compile(r"(0|[1-9][0-9]{0,9})\.(count|first|last)")


@dataclass(frozen=True, slots=True)
class CountField:
    pixel: int


@dataclass(frozen=True, slots=True)
class MomentField:
    pixel: int
    moment: Moment


@dataclass(frozen=True, slots=True)
class SplitField:
    name: str


Field = ValueField | CountField | MomentField | SplitField | Kind


def read_field(value: object, schema: Schema, spot: Spot) -> Field | None:
    """What a rule asks about; none, and a fault, where the customer has no such thing."""
    if not isinstance(value, str):
        spot.refuse("must be the name of a field")
        return None
    family, _, rest = value.partition(".")
    reader = _READERS.get(family)
    if reader is None or (family in set(Kind) and value != family):
        spot.refuse(f"must be attribute.…, dimension.…, pixel.…, split.…, audience or platform, not {shown(value)}")
        return None
    return reader(rest, schema, spot)


def _attribute(path: str, schema: Schema, spot: Spot) -> Field | None:
    kind = schema.attribute_type(path)
    if kind is None:
        spot.refuse(f"names no attribute that is enabled for audiences: {shown(path)}")
        return None
    try:
        return ValueField(Source.ATTRIBUTE, split_path(path), kind)
    except ValueError as error:
        spot.refuse(str(error))
        return None


def _dimension(name: str, _schema: Schema, spot: Spot) -> Field | None:
    if not _DIMENSION.fullmatch(name):
        spot.refuse(f"names no dimension: {shown(name)}")
        return None
    return ValueField(Source.DIMENSION, (name,), "mixed")


def _pixel(rest: str, schema: Schema, spot: Spot) -> Field | None:
    found = _PIXEL.fullmatch(rest)
    if found is None:
        spot.refuse("must be pixel.<id>.count, pixel.<id>.first or pixel.<id>.last")
        return None
    pixel = int(found[1])
    if pixel > LARGEST_ID or not schema.has_pixel(pixel):
        spot.refuse(f"names no pixel of this customer: {pixel}")
        return None
    return CountField(pixel) if found[2] == "count" else MomentField(pixel, Moment(found[2]))


def _split(name: str, _schema: Schema, spot: Spot) -> Field | None:
    if not NAME.fullmatch(name):
        spot.refuse("must be split.<name>, the name of at most 64 letters, digits, - and _")
        return None
    return SplitField(name)


_READERS: dict[str, Callable[[str, Schema, Spot], Field | None]] = {
    "attribute": _attribute,
    "dimension": _dimension,
    "pixel": _pixel,
    "split": _split,
    "audience": lambda _rest, _schema, _spot: Kind.AUDIENCE,
    "platform": lambda _rest, _schema, _spot: Kind.PLATFORM,
}


def operators_of(field: Field) -> frozenset[Operator]:
    """What may be asked of a field."""
    match field:
        case ValueField():
            return OF_TYPE[field.type]
        case CountField():
            return OF_COUNT
        case MomentField():
            return OF_MOMENT
        case SplitField():
            return OF_SPLIT
        case Kind():
            return OF_BELONGING
