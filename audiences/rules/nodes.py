"""The typed tree a rule is parsed into. Every reading of a rule starts from these."""

from dataclasses import dataclass
from enum import StrEnum

from audiences.rules.operators import AttributeType, Operator
from core.time_zones import DEFAULT
from core.values.numbers import Number

Scalar = str | bool | Number
Operand = Scalar | tuple[Scalar, ...] | None


class Combinator(StrEnum):
    AND = "and"
    OR = "or"


class ValueSource(StrEnum):
    ATTRIBUTE = "attribute"
    DIMENSION = "dimension"


class Moment(StrEnum):
    FIRST = "first"
    LAST = "last"


class BelongingKind(StrEnum):
    AUDIENCE = "audience"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class ValueField:
    """A place in a profile's attributes (`keys` from the top) or a dimension (one key)."""

    source: ValueSource
    keys: tuple[str, ...]
    type: AttributeType


@dataclass(frozen=True, slots=True)
class MomentField:
    """When a pixel was seen first or last."""

    pixel: int
    moment: Moment


@dataclass(frozen=True, slots=True)
class ValueTest:
    """A value against constants: one (`=`, order, text), a tuple (`in`, the two ends of `between`), or
    none (`null`). Numbers are canonical; those of a time are unix seconds.
    """

    field: ValueField
    operator: Operator
    operand: Operand


@dataclass(frozen=True, slots=True)
class ValueWindow:
    """A value, unix seconds, against a window that moves with the clock."""

    field: ValueField
    operator: Operator
    length_ms: int


@dataclass(frozen=True, slots=True)
class CalendarTest:
    """A time against the present day or month of a time zone, or its anniversary against the days to come: the
    anniversary begins in `days` whole days and `rest_ms` at the latest. A value is unix seconds.
    """

    field: ValueField | MomentField
    operator: Operator
    days: int
    rest_ms: int
    zone: str


@dataclass(frozen=True, slots=True)
class CountTest:
    """How often a pixel was seen: ever, or in the last `days` days of a time zone, today included."""

    pixel: int
    days: int | None
    operator: Operator
    operand: int | tuple[int, int]
    zone: str = DEFAULT


@dataclass(frozen=True, slots=True)
class ActivityWindow:
    """When a pixel was seen first or last, against a window that moves with the clock."""

    pixel: int
    moment: Moment
    operator: Operator
    length_ms: int


@dataclass(frozen=True, slots=True)
class Belonging:
    """Member of any of these audiences, or known on any of these platforms."""

    kind: BelongingKind
    operator: Operator
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SplitTest:
    """Where a split, by its name, puts the user among all: `low` <= place < `high` of `PLACES` equal places.

    `percents` are those of the rule, for people.
    """

    name: str
    operator: Operator
    low: int
    high: int
    percents: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Active:
    """Any pixel saw the user last within the last `length_ms`: what an audience's `ttl` asks beside its rule."""

    length_ms: int
    operator: Operator = Operator.WITHIN_LAST


@dataclass(frozen=True, slots=True)
class Listed:
    """On the list of a static audience: what stands in place of its rule. No rule of a customer's asks it."""

    audience: int
    operator: Operator = Operator.IN


Condition = (
    ValueTest | ValueWindow | CalendarTest | CountTest | ActivityWindow | Belonging | SplitTest | Active | Listed
)


@dataclass(frozen=True, slots=True)
class Group:
    """At least one child, joined; `negated` turns the whole around."""

    combinator: Combinator
    negated: bool
    children: "tuple[Node, ...]"


Node = Group | Condition
