"""Reads react-querybuilder's JSON into the tree, or reports every fault in it at once.

A group is `{"combinator": "and"|"or", "not": bool, "rules": […]}`, a rule `{"field", "operator", "value"}`
(`pixel.<id>.count` also takes `days`). Of the other keys that react-querybuilder documents, these say
nothing about whom a rule describes and are ignored: `id`, `path`, `disabled` (locks the editor). These
would change what it says and are accepted only where they don't: `muted` (excludes the rule) as false,
`valueSource` (`field` compares with another field) as `value`. Any other key is a fault, independent
combinators and `match` among them. The value of `null`, `notNull`, `isToday` and `isThisMonth` is ignored: the
editor leaves whatever stood there.
"""

from collections.abc import Callable, Iterator

from audiences.rules.calendar import ALL_DAYS
from audiences.rules.errors import Location, RuleError, RuleFault, shown
from audiences.rules.fields import CountField, Field, Schema, SplitField, operators_of, read_field
from audiences.rules.nodes import (
    Active,
    ActivityWindow,
    Belonging,
    BelongingKind,
    CalendarTest,
    Combinator,
    Condition,
    CountTest,
    Group,
    MomentField,
    Node,
    SplitTest,
    ValueField,
    ValueTest,
    ValueWindow,
)
from audiences.rules.operands import (
    MOST_DAYS,
    READERS,
    ValueKind,
    read_count,
    read_duration,
    read_ids,
    read_integer,
    read_percents,
)
from audiences.rules.operators import CALENDAR, PRESENCE, WINDOWS, Operator, polarity
from audiences.rules.splits import places
from core.days import DAY_MS
from core.time_zones import DEFAULT

MOST_DEPTH = 10
MOST_CONDITIONS = 200

_EDITOR_KEYS = {"id", "path", "disabled", "muted"}
_GROUP_KEYS = _EDITOR_KEYS | {"combinator", "not", "rules"}
_RULE_KEYS = _EDITOR_KEYS | {"field", "operator", "value", "valueSource", "days"}


def parse(rule_json: object, schema: Schema, *, limited: bool = True) -> Group:
    """Returns the tree of a rule; the root group is at depth 1. Raises `RuleError` with every fault and its place.

    Not `limited`: the hub wrote it, from a rule within the limits of depth and number.
    """
    faults: list[RuleFault] = []
    root = _Parser(schema, limited=limited).group(rule_json, Location("", faults), depth=1)
    if faults or root is None:
        raise RuleError(faults)
    return root


def audiences_named(rule_json: object, at: Location) -> Iterator[tuple[int, Location]]:
    """Yields the id of each audience that a rule names, with its place. The rule was parsed before; `at`: its own."""
    match rule_json:
        case {"rules": list(children)}:
            for index, child in enumerate(children):
                yield from audiences_named(child, at.key("rules").item(index))
        case {"field": BelongingKind.AUDIENCE, "value": list(ids)}:
            for index, audience in enumerate(ids):
                yield audience, at.key("value").item(index)
        case {"field": BelongingKind.AUDIENCE, "value": audience}:
            yield audience, at.key("value")


def expiring(rule: Group, ttl_ms: int | None) -> Group:
    """Returns the rule of an audience whose members leave `ttl_ms` after the last event that found them in it."""
    return rule if ttl_ms is None else Group(Combinator.AND, False, (rule, Active(ttl_ms)))


class _Parser:
    def __init__(self, schema: Schema, *, limited: bool) -> None:
        self.schema = schema
        self.limited = limited
        self.conditions = 0

    def group(self, value: object, at: Location, depth: int) -> Group | None:
        if not isinstance(value, dict) or "rules" not in value:
            at.refuse("must be a group: an object with combinator and rules")
            return None
        if depth > MOST_DEPTH and self.limited:
            at.refuse(f"must not be nested deeper than {MOST_DEPTH} groups")
            return None
        _check_keys(value, _GROUP_KEYS, at)
        combinator = _combinator(value.get("combinator"), at.key("combinator"))
        negated = value.get("not", False)
        if not isinstance(negated, bool):
            at.key("not").refuse("must be true or false")
        children = self.children(value["rules"], at.key("rules"), depth)
        if combinator is None or not isinstance(negated, bool):
            return None
        return Group(combinator, negated, children)

    def children(self, value: object, at: Location, depth: int) -> tuple[Node, ...]:
        if not isinstance(value, list) or not value:
            at.refuse("must be a list with at least one rule or group")
            return ()
        nodes = [self.node(child, at.item(index), depth) for index, child in enumerate(value)]
        return tuple(node for node in nodes if node is not None)

    def node(self, value: object, at: Location, depth: int) -> Node | None:
        if isinstance(value, dict) and ("rules" in value or "combinator" in value):
            return self.group(value, at, depth + 1)
        self.conditions += 1
        if self.conditions > MOST_CONDITIONS and self.limited:
            if self.conditions == MOST_CONDITIONS + 1:
                at.refuse(f"is one condition too many: at most {MOST_CONDITIONS}")
            return None
        return self.rule(value, at)

    def rule(self, value: object, at: Location) -> Condition | None:
        if not isinstance(value, dict):
            at.refuse("must be a rule or a group: an object")
            return None
        _check_keys(value, _RULE_KEYS, at)
        if value.get("valueSource", "value") not in ("value", None):
            at.key("valueSource").refuse("must be value: comparing with another field is not supported")
        field = read_field(value.get("field"), self.schema, at.key("field"))
        operator = _operator(value.get("operator"), field, at.key("operator"))
        if "days" in value and field is not None and not isinstance(field, CountField):
            at.key("days").refuse("must only stand beside pixel.<id>.count")
        if field is None or operator is None:
            return None
        return self.condition(field, operator, value, at)

    def condition(self, field: Field, operator: Operator, rule: dict[str, object], at: Location) -> Condition | None:
        value, value_at = rule.get("value"), at.key("value")
        match field:
            case ValueField():
                return _value_condition(field, operator, value, value_at, self.schema.time_zone)
            case CountField():
                return _count_condition(field, operator, rule, at, self.schema.time_zone)
            case MomentField() if operator in CALENDAR:
                return _calendar_condition(field, operator, value, value_at, self.schema.time_zone)
            case MomentField():
                length = read_duration(value, value_at)
                return None if length is None else ActivityWindow(field.pixel, field.moment, operator, length)
            case SplitField():
                return _split_condition(field, operator, value, value_at)
            case BelongingKind():
                exists = self.schema.has_audience if field is BelongingKind.AUDIENCE else self.schema.has_platform
                ids = read_ids(value, value_at, exists, field)
                return None if ids is None else Belonging(field, operator, ids)


def _check_keys(value: dict[str, object], known: set[str], at: Location) -> None:
    for key in value:
        if key not in known:
            at.refuse(f"has an unknown key: {shown(key)}")
    if value.get("muted", False) is not False:
        at.key("muted").refuse("must be false: leave a muted part out of the rule")


def _combinator(value: object, at: Location) -> Combinator | None:
    if not isinstance(value, str) or value not in set(Combinator):
        at.refuse("must be and or or")
        return None
    return Combinator(value)


def _operator(value: object, field: Field | None, at: Location) -> Operator | None:
    if not isinstance(value, str) or value not in set(Operator):
        at.refuse(f"is not an operator: {shown(value)}" if isinstance(value, str) else "must be an operator")
        return None
    operator = Operator(value)
    if field is not None and operator not in operators_of(field):
        fitting = " ".join(known for known in Operator if known in operators_of(field))
        at.refuse(f"does not fit this field: {value} (fitting: {fitting})")
        return None
    return operator


def _value_condition(
    field: ValueField, operator: Operator, value: object, at: Location, zone: Callable[[], str]
) -> Condition | None:
    if operator in PRESENCE:
        return ValueTest(field, operator, None)
    if operator in CALENDAR:
        return _calendar_condition(field, operator, value, at, zone)
    if operator in WINDOWS:
        length = read_duration(value, at)
        return None if length is None else ValueWindow(field, operator, length)
    operand = READERS[polarity(operator)[0]](value, ValueKind(field.type, zone), at)
    return None if operand is None else ValueTest(field, operator, operand)


def _calendar_condition(
    field: ValueField | MomentField, operator: Operator, value: object, at: Location, zone: Callable[[], str]
) -> Condition | None:
    if operator is not Operator.ANNIVERSARY_WITHIN_NEXT:
        return CalendarTest(field, operator, 0, 0, zone())
    length = read_duration(value, at)
    if length is None:
        return None
    days, rest_ms = divmod(length, DAY_MS)
    return CalendarTest(field, operator, *((days, rest_ms) if days < ALL_DAYS else (ALL_DAYS, 0)), zone())


def _split_condition(field: SplitField, operator: Operator, value: object, at: Location) -> Condition | None:
    positive, _ = polarity(operator)
    percents = read_percents(value, positive, at)
    return None if percents is None else SplitTest(field.name, operator, *places(positive, percents), percents)


def _count_condition(
    field: CountField, operator: Operator, rule: dict[str, object], at: Location, zone: Callable[[], str]
) -> Condition | None:
    days: int | None = None
    if "days" in rule:
        days = read_integer(rule["days"], at.key("days"), least=1, most=MOST_DAYS)
    operand = read_count(rule.get("value"), operator, at.key("value"))
    if operand is None:
        return None
    return CountTest(field.pixel, days, operator, operand, DEFAULT if days is None else zone())
