"""Rules and profiles that meet: small pools of values, so that generated rules match generated data."""

from typing import Any

from hypothesis import strategies as st

from audiences.rules.operators import (
    CALENDAR,
    OF_COUNT,
    OF_MOMENT,
    OF_SPLIT,
    OF_TYPE,
    PRESENCE,
    TEXT,
    WINDOWS,
    AttributeType,
    Operator,
    polarity,
)
from audiences.rules.subject import PlainSubject
from audiences.rules.values import canonical_number
from tests.audiences.rules.world import (
    ATTRIBUTES,
    AUDIENCES,
    DAY,
    NOW,
    NOW_S,
    PIXELS,
    PLATFORMS,
    TODAY,
    ZONES,
    RuleWorld,
    group,
    rule,
)

DURATIONS = {"PT0.5S": 500, "PT30M": 1_800_000, "P1D": DAY, "P1W": 7 * DAY, "P1DT12H": 3 * DAY // 2}

_POOL = [
    "",
    "a",
    "ab",
    "b",
    "B",
    "ba",
    "é",
    "e\u0301",
    "ß",
    "\uffff",
    "😀",
    "%s",
    "_",
    "\\",
    '"',
    "'",
    "1",
    "true",
]
texts = st.sampled_from(_POOL) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)
_NUMBERS = [
    0,
    1,
    -1,
    1.5,
    0.1,
    0.1 + 0.2,
    2**53,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    2.0**63,
    1e19,
    1e300,
    5e-324,
]
numbers = (
    st.sampled_from([canonical_number(number) for number in _NUMBERS])
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).map(canonical_number)
)
_OFFSETS = [
    0,
    0.5,
    0.0005,
    -0.0005,
    1800,
    -1800,
    -1799.5,
    86_400,
    -86_400,
    -86_399.999,
    604_800,
    -604_800,
    -129_600,
]
seconds = st.sampled_from([canonical_number(NOW_S + offset) for offset in _OFFSETS]) | st.integers(
    NOW_S - 700_000, NOW_S + 700_000
)
scalars = texts | numbers | seconds | st.booleans()
values = st.recursive(
    scalars | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "0", "any"]), inner, max_size=2),
    max_leaves=5,
)
_TYPED: dict[AttributeType, st.SearchStrategy[Any]] = {
    "string": texts,
    "number": numbers,
    "integer": numbers,
    "boolean": st.booleans(),
    "time": seconds,
    "mixed": scalars,
}
_FIELDS: dict[str, AttributeType] = {**ATTRIBUTES, "dimension": "mixed"}
_ORDERED = _TYPED | {"mixed": texts | numbers}


def _operands(operator: Operator, kind: AttributeType) -> st.SearchStrategy[Any]:
    positive, _ = polarity(operator)
    if operator in PRESENCE:
        return st.none()
    if operator in WINDOWS | CALENDAR:
        return st.sampled_from(sorted(DURATIONS))
    if operator in TEXT:
        return texts
    if positive is Operator.IN:
        return st.lists(_TYPED[kind], min_size=1, max_size=12)
    if positive is Operator.BETWEEN:
        one_kind = st.sampled_from([texts, numbers]) if kind == "mixed" else st.just(_ORDERED[kind])
        return one_kind.flatmap(lambda ends: st.lists(ends, min_size=2, max_size=2).map(sorted))
    return _TYPED[kind] if positive in {Operator.EQUAL, Operator.CONTAINS} else _ORDERED[kind]


@st.composite
def value_rules(draw: st.DrawFn, among: frozenset[Operator] = frozenset(Operator)) -> dict[str, Any]:
    """By one of these operators. None is drawn and thrown away: too many of those would fail a test by its dice."""
    fitting = {path: OF_TYPE[kind] & among for path, kind in _FIELDS.items()}
    path = draw(st.sampled_from([path for path, operators in fitting.items() if operators]))
    kind, operator = _FIELDS[path], draw(st.sampled_from(sorted(fitting[path])))
    name = "dimension.cpid" if path == "dimension" else f"attribute.{path}"
    return rule(name, operator, draw(_operands(operator, kind)))


@st.composite
def pixel_rules(draw: st.DrawFn) -> dict[str, Any]:
    pixel = draw(st.sampled_from(PIXELS))
    measure = draw(st.sampled_from(["count", "first", "last"]))
    if measure != "count":
        operator = draw(st.sampled_from(sorted(OF_MOMENT)))
        return rule(f"pixel.{pixel}.{measure}", operator, draw(st.sampled_from(sorted(DURATIONS))))
    operator, counts = draw(st.sampled_from(sorted(OF_COUNT))), st.integers(0, 5)
    ends = st.lists(counts, min_size=2, max_size=2).map(sorted)
    days = draw(st.none() | st.sampled_from([1, 2, 7, 30, 180]))
    value = draw(ends if operator is Operator.BETWEEN else counts)
    return rule(f"pixel.{pixel}.count", operator, value, **({} if days is None else {"days": days}))


def _belonging(kind: str, ids: tuple[int, ...]) -> st.SearchStrategy[dict[str, Any]]:
    operands = st.sampled_from(ids) | st.lists(st.sampled_from(ids), min_size=1, max_size=2)
    return st.builds(rule, st.just(kind), st.sampled_from(["in", "notIn"]), operands)


@st.composite
def split_rules(draw: st.DrawFn) -> dict[str, Any]:
    operator = draw(st.sampled_from(sorted(OF_SPLIT)))
    shares = st.sampled_from([0, 100, 50, 33.3, 0.1]) | st.floats(0, 100)
    ends = st.lists(shares, min_size=2, max_size=2).map(sorted)
    value = draw(ends if polarity(operator)[0] is Operator.BETWEEN else shares)
    return rule(f"split.{draw(st.sampled_from(['a', 'Control_1']))}", operator, value)


conditions = (
    value_rules()
    | pixel_rules()
    | split_rules()
    | _belonging("audience", AUDIENCES)
    | _belonging("platform", PLATFORMS)
)


def _groups(children: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda rules, combinator, negated: group(*rules, combinator=combinator, negated=negated),
        st.lists(children, min_size=1, max_size=4),
        st.sampled_from(["and", "or"]),
        st.booleans(),
    )


@st.composite
def counts_in_days(draw: st.DrawFn) -> dict[str, Any]:
    """Of pixel 12, with bounds that few days reach."""
    operator, counts = draw(st.sampled_from(sorted(OF_COUNT))), st.integers(0, 5)
    ends = st.lists(counts, min_size=2, max_size=2).map(sorted)
    value = draw(ends if operator is Operator.BETWEEN else counts)
    return rule("pixel.12.count", operator, value, days=draw(st.sampled_from([1, 7, 30, 180])))


rules = _groups(st.recursive(conditions, _groups, max_leaves=8))
timed_conditions = pixel_rules() | value_rules(WINDOWS) | value_rules(CALENDAR)
worlds = st.builds(RuleWorld, st.sampled_from(ZONES))
timed_rules = _groups(st.recursive(timed_conditions, _groups, max_leaves=6))

nows = st.sampled_from([NOW, NOW + 1, NOW - 1, NOW + 43_200_000]) | st.integers(NOW - 3 * DAY, NOW + 3 * DAY)
_moments = st.integers(NOW - 9 * DAY, NOW + 2 * DAY) | st.sampled_from([NOW - d for d in DURATIONS.values()])


@st.composite
def activities(draw: st.DrawFn) -> dict[str, Any]:
    days = draw(st.dictionaries(st.integers(TODAY - 200, TODAY + 3), st.integers(1, 3), max_size=4))
    first, last = sorted(draw(st.tuples(_moments, _moments)))
    stored = {str(day): seen for day, seen in days.items()}
    return {"first": first, "last": last, "total": sum(days.values()) or 1, "days": stored}


def _keyed(kind: AttributeType) -> st.SearchStrategy[Any]:
    return _TYPED[kind] | st.lists(_TYPED[kind], max_size=3) | values


subjects = st.builds(
    PlainSubject,
    attributes=st.fixed_dictionaries(
        {},
        optional={
            **{path: _keyed(kind) for path, kind in ATTRIBUTES.items() if "." not in path},
            "dot.ted": values,
            "deep": st.fixed_dictionaries({}, optional={"text": _keyed("string"), "er": values}) | values,
        },
    ),
    dimensions=st.fixed_dictionaries({}, optional={"cpid": scalars | values}),
    activity=st.dictionaries(st.sampled_from([str(pixel) for pixel in PIXELS]), activities()),
    audiences=st.frozensets(st.sampled_from(AUDIENCES)),
    platforms=st.frozensets(st.sampled_from(PLATFORMS)),
)
