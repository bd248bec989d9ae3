"""Rules out, before they are evaluated, the rules that cannot be true for a profile: most by one look at one value.

The necessary conditions of a rule are a few conditions of which at least one holds wherever the rule is true, or may
become true by time alone. Those that compare the same field with constants are found by looking the value up, however
many there are: the cost of an event does not grow with the rules that it leaves false.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from audiences.rules.evaluate import read_value
from audiences.rules.matching import count_test, value_test
from audiences.rules.nodes import Combinator, CountTest, Group, Node, ValueField, ValueTest
from audiences.rules.operators import Operator, polarity
from audiences.rules.subject import Json, Subject

Conditions = tuple[ValueTest | CountTest, ...]

_LIKELIHOOD: dict[Operator, int] = {
    operator: place
    for place, operator in enumerate(
        (
            Operator.EQUAL,
            Operator.IN,
            Operator.BETWEEN,
            Operator.BEGINS_WITH,
            Operator.ENDS_WITH,
            Operator.CONTAINS,
            Operator.MORE,
            Operator.MORE_OR_EQUAL,
            Operator.LESS,
            Operator.LESS_OR_EQUAL,
            Operator.NOT_NULL,
        )
    )
}
"""The positive operators, those first that hold for the fewest."""

_FROM = (Operator.MORE, Operator.MORE_OR_EQUAL)
_UP_TO = (Operator.LESS, Operator.LESS_OR_EQUAL)


def necessary_conditions(node: Node) -> Conditions | None:
    """Returns conditions without which the node is false, and stays false until something happens.

    None: it has no such conditions, and has to be evaluated each time.
    """
    match node:
        case ValueTest() | CountTest(days=None) if not polarity(node.operator)[1]:
            return (node,)
        case Group(negated=False, combinator=Combinator.AND):
            found = [one for one in map(necessary_conditions, node.children) if one is not None]
            return min(found, key=_likelihood) if found else None
        case Group(negated=False, combinator=Combinator.OR):
            of_each = [necessary_conditions(child) for child in node.children]
            return sum((one for one in of_each if one), ()) if all(of_each) else None
    return None


def _likelihood(of: Conditions) -> tuple[int, int]:
    return max(_LIKELIHOOD[condition.operator] for condition in of), len(of)


class Prefilter:
    """The necessary conditions of some rules, each known by its place. A rule that is None is evaluated each time."""

    def __init__(self, rules: Iterable[Node | None]) -> None:
        fields: dict[ValueField | int, _FieldConditions] = {}
        self._always: list[int] = []
        for place, rule in enumerate(rules):
            conditions = None if rule is None else necessary_conditions(rule)
            if conditions is None:
                self._always.append(place)
            for condition in conditions or ():
                key = condition.field if isinstance(condition, ValueTest) else condition.pixel
                if key not in fields:
                    fields[key] = _FieldConditions(_reader(condition))
                fields[key].add(condition, place)
        self._fields = tuple(one.sorted() for one in fields.values())

    def may_hold(self, subject: Subject) -> set[int]:
        """Returns the places of the rules that may be true; the others are false until something happens."""
        found = set(self._always)
        for one in self._fields:
            one.add_matching(one.read(subject), found)
        return found


@dataclass(slots=True)
class _Constants:
    """What a field is compared with, of one kind: text, or numbers as floats (exact comparisons round to these, so
    none is missed).
    """

    equal: dict[Any, list[int]] = field(default_factory=lambda: defaultdict(list))
    from_: list[tuple[Any, int]] = field(default_factory=list)
    up_to: list[tuple[Any, int]] = field(default_factory=list)
    lows: list[Any] = field(default_factory=list)
    highs: list[Any] = field(default_factory=list)
    low_places: list[int] = field(default_factory=list)
    high_places: list[int] = field(default_factory=list)

    def sort(self) -> None:
        self.lows, self.low_places = _unzipped(sorted(self.from_))
        self.highs, self.high_places = _unzipped(sorted(self.up_to))

    def add_matching(self, value: Any, found: set[int]) -> None:
        if value in self.equal:
            found.update(self.equal[value])
        if self.lows:
            found.update(self.low_places[: bisect_right(self.lows, value)])
        if self.highs:
            found.update(self.high_places[bisect_left(self.highs, value) :])


def _unzipped(pairs: Sequence[tuple[Any, int]]) -> tuple[list[Any], list[int]]:
    return [constant for constant, _ in pairs], [place for _, place in pairs]


class _FieldConditions:
    """All necessary conditions that ask about one field."""

    def __init__(self, read: Callable[[Subject], Json]) -> None:
        self.read = read
        self._texts, self._numbers = _Constants(), _Constants()
        self._tests: dict[str, tuple[Callable[[Any], bool], list[int]]] = {}
        self._tested: tuple[tuple[Callable[[Any], bool], list[int]], ...] = ()

    def add(self, condition: ValueTest | CountTest, place: int) -> None:
        operand: Any = condition.operand
        constants = operand if condition.operator is Operator.IN else (operand,)
        if condition.operator in (*_FROM, *_UP_TO, Operator.EQUAL, Operator.IN) and not any(
            isinstance(one, bool) for one in constants
        ):
            for one in constants:
                self._compare(condition.operator, one, place)
        else:
            self._tests.setdefault(repr(condition), (_test(condition), []))[1].append(place)

    def _compare(self, operator: Operator, constant: str | float, place: int) -> None:
        kind, kept = (self._texts, constant) if isinstance(constant, str) else (self._numbers, float(constant))
        if operator in _FROM:
            kind.from_.append((kept, place))
        elif operator in _UP_TO:
            kind.up_to.append((kept, place))
        else:
            kind.equal[kept].append(place)

    def sorted(self) -> "_FieldConditions":
        self._texts.sort()
        self._numbers.sort()
        self._tested = tuple(self._tests.values())
        return self

    def add_matching(self, value: Json, found: set[int]) -> None:
        if value is None:
            return
        elements: Any = value if type(value) is list else (value,)
        for element in elements:
            kind = type(element)
            if kind is str:
                self._texts.add_matching(element, found)
            elif kind is int or kind is float:
                self._numbers.add_matching(float(element), found)
        for test, places in self._tested:
            if test(value):
                found.update(places)


def _reader(condition: ValueTest | CountTest) -> Callable[[Subject], Json]:
    if isinstance(condition, ValueTest):
        return read_value(condition.field)
    pixel = str(condition.pixel)

    def total(subject: Subject) -> Json:
        activity = subject.activity.get(pixel)
        return activity["total"] if activity else 0

    return total


def _test(condition: ValueTest | CountTest) -> Callable[[Any], bool]:
    if isinstance(condition, ValueTest):
        return value_test(condition.operator, condition.operand)
    return count_test(condition.operator, condition.operand)
