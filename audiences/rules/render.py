"""A rule as a sentence, for people to check what they built."""

import json
from collections.abc import Mapping

from audiences.rules.nodes import (
    Active,
    ActivityWindow,
    Belonging,
    BelongingKind,
    CalendarTest,
    Condition,
    CountTest,
    Group,
    Listed,
    Node,
    Scalar,
    SplitTest,
    ValueField,
    ValueTest,
    ValueWindow,
)
from audiences.rules.operators import Operator, polarity
from audiences.rules.values import timestamp_text
from core.days import DAY_MS
from core.time_zones import DEFAULT
from profiles.paths import join_path

Names = Mapping[str, str]

_VALUE_PHRASES = {
    Operator.EQUAL: "is {}",
    Operator.NOT_EQUAL: "is not {}",
    Operator.LESS: "is less than {}",
    Operator.LESS_OR_EQUAL: "is at most {}",
    Operator.MORE: "is more than {}",
    Operator.MORE_OR_EQUAL: "is at least {}",
    Operator.BETWEEN: "is between {} and {}",
    Operator.NOT_BETWEEN: "is not between {} and {}",
    Operator.CONTAINS: "contains {}",
    Operator.DOES_NOT_CONTAIN: "does not contain {}",
    Operator.BEGINS_WITH: "begins with {}",
    Operator.DOES_NOT_BEGIN_WITH: "does not begin with {}",
    Operator.ENDS_WITH: "ends with {}",
    Operator.DOES_NOT_END_WITH: "does not end with {}",
    Operator.NULL: "is unknown",
    Operator.NOT_NULL: "is known",
}
_LIST_PHRASES = {Operator.IN: "is {}", Operator.NOT_IN: "is not {}"}
_WINDOW_PHRASES = {
    Operator.WITHIN_LAST: "within the last {}",
    Operator.NOT_WITHIN_LAST: "not within the last {}",
    Operator.WITHIN_NEXT: "within the next {}",
}
_CALENDAR_PHRASES = {
    Operator.IS_TODAY: "is today",
    Operator.IS_THIS_MONTH: "is in this month",
    Operator.ANNIVERSARY_WITHIN_NEXT: "has its anniversary within the next {}",
}
_SEEN_PHRASES = {
    Operator.IS_TODAY: "today",
    Operator.IS_THIS_MONTH: "in this month",
    Operator.ANNIVERSARY_WITHIN_NEXT: "on a day whose anniversary is within the next {}",
}
_TIME_PHRASES = {
    Operator.LESS: "is before {}",
    Operator.LESS_OR_EQUAL: "is at or before {}",
    Operator.MORE: "is after {}",
    Operator.MORE_OR_EQUAL: "is at or after {}",
}
_COUNT_PHRASES = {
    Operator.EQUAL: "exactly {}",
    Operator.NOT_EQUAL: "not exactly {}",
    Operator.LESS: "fewer than {}",
    Operator.LESS_OR_EQUAL: "at most {}",
    Operator.MORE: "more than {}",
    Operator.MORE_OR_EQUAL: "at least {}",
    Operator.BETWEEN: "between {} and {}",
}
_BELONGING_PHRASES = {BelongingKind.AUDIENCE: "in audience {}", BelongingKind.PLATFORM: "known on platform {}"}
_UNITS = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000), ("millisecond", 1))


def render(node: Node, names: Names | None = None) -> str:
    """Returns the rule in words. `names` gives what people call a thing, by `attribute.<path>`, `dimension.<name>`,
    `pixel.<id>`, `audience.<id>` or `platform.<pl>`; a thing without a name is called by its path or id. `time_zone`:
    the zone in which times are written; UTC where none is given.
    """
    known = names or {}
    if not isinstance(node, Group):
        return _condition(node, known)
    parts = [_bracketed(child, known, alone=len(node.children) == 1) for child in node.children]
    joined = f" {node.combinator} ".join(parts)
    return f"not ({joined})" if node.negated else joined


def _bracketed(child: Node, names: Names, *, alone: bool) -> str:
    text = render(child, names)
    plain = alone or not isinstance(child, Group) or child.negated or len(child.children) == 1
    return text if plain else f"({text})"


def _condition(node: Condition, names: Names) -> str:
    match node:
        case ValueTest():
            text = f"{_field(node.field, names)} {_tested(node, names.get('time_zone', DEFAULT))}"
        case ValueWindow():
            text = f"{_field(node.field, names)} is {_window(node.operator, node.length_ms)}"
        case CalendarTest():
            text = _on_calendar(node, names)
        case CountTest():
            text = f"{_named('pixel', node.pixel, names)} {_counted(node)}"
        case ActivityWindow():
            pixel, window = _named("pixel", node.pixel, names), _window(node.operator, node.length_ms)
            text = f"{pixel} {node.moment} seen {window}"
        case Belonging():
            ids = [names.get(f"{node.kind}.{number}", str(number)) for number in node.ids]
            phrase = _BELONGING_PHRASES[node.kind].format(_either(ids))
            text = f"not {phrase}" if polarity(node.operator)[1] else phrase
        case SplitTest():
            percents = [f"{percent} %" for percent in node.percents]
            text = f"place in split {node.name} {_VALUE_PHRASES[node.operator].format(*percents)}"
        case Active():
            text = f"seen {_window(node.operator, node.length_ms)}"
        case Listed():
            text = "on the audience's own list"
    return text


def _field(field: ValueField, names: Names) -> str:
    path = join_path(field.keys)
    return f"{field.source} {names.get(f'{field.source}.{path}', path)}"


def _named(kind: str, number: int, names: Names) -> str:
    return f"{kind} {names.get(f'{kind}.{number}', number)}"


def _tested(node: ValueTest, zone: str) -> str:
    operand = node.operand if isinstance(node.operand, tuple) else (node.operand,)
    words = [_word(value, node.field, zone) for value in operand if value is not None]
    if node.operator in _LIST_PHRASES:
        return _LIST_PHRASES[node.operator].format(_either(words))
    phrases = _VALUE_PHRASES | _TIME_PHRASES if node.field.type == "time" else _VALUE_PHRASES
    return phrases[node.operator].format(*words)


def _word(value: Scalar, field: ValueField, zone: str) -> str:
    if field.type == "time" and isinstance(value, int | float):
        return timestamp_text(value, zone)
    return json.dumps(value, ensure_ascii=False)


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _on_calendar(node: CalendarTest, names: Names) -> str:
    length = _duration(node.days * DAY_MS + node.rest_ms)
    if isinstance(node.field, ValueField):
        return f"{_field(node.field, names)} {_CALENDAR_PHRASES[node.operator].format(length)}"
    pixel, phrase = _named("pixel", node.field.pixel, names), _SEEN_PHRASES[node.operator]
    return f"{pixel} {node.field.moment} seen {phrase.format(length)}"


def _window(operator: Operator, length_ms: int) -> str:
    return _WINDOW_PHRASES[operator].format(_duration(length_ms))


def _counted(node: CountTest) -> str:
    operand = node.operand if isinstance(node.operand, tuple) else (node.operand,)
    times = "time" if operand == (1,) else "times"
    text = f"{_COUNT_PHRASES[node.operator].format(*operand)} {times}"
    if node.days is None:
        return text
    return f"{text} today" if node.days == 1 else f"{text} in the last {node.days} days"


def _duration(length_ms: int) -> str:
    parts = []
    for unit, size in _UNITS:
        amount, length_ms = divmod(length_ms, size)
        if amount:
            parts.append(f"{amount} {unit}" if amount == 1 else f"{amount} {unit}s")
    return " ".join(parts)
