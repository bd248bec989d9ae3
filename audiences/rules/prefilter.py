"""Rules out, before they are evaluated, the rules that cannot be true for a profile: most by one look at one value.

The necessary conditions of a rule are a few conditions of which at least one holds wherever the rule is true, or may
become true by time alone. Those that compare the same field with constants are found by looking the value up, however
many there are: the cost of an event does not grow with the rules that it leaves false.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from audiences.rules.evaluate import read_value
from audiences.rules.matching import count_test, value_test
from audiences.rules.nodes import Combinator, CountTest, Group, Node, ValueField, ValueTest
from audiences.rules.operators import Operator, polarity
from audiences.rules.subject import Json, Subject

Conditions = tuple[ValueTest | CountTest, ...]
Popularity = Counter[ValueTest | CountTest]
"""How many rules ask each condition."""

POPULAR = 3  # what more rules ask than these is probably true for many profiles, whatever its operator

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
_INDEXED = frozenset((*_FROM, *_UP_TO, Operator.EQUAL, Operator.IN, Operator.BETWEEN))
_IN_TEXT = (Operator.BEGINS_WITH, Operator.CONTAINS)


def necessary_conditions(node: Node, popularity: Popularity) -> Conditions | None:
    """Returns conditions without which the node is false, and stays false until something happens.

    None: it has no such conditions, and has to be evaluated each time.
    """
    match node:
        case ValueTest() | CountTest(days=None) if not polarity(node.operator)[1]:
            return (node,)
        case Group(negated=False, combinator=Combinator.AND):
            of_children = [necessary_conditions(child, popularity) for child in node.children]
            found = [one for one in of_children if one is not None]
            return min(found, key=lambda one: _likelihood(one, popularity)) if found else None
        case Group(negated=False, combinator=Combinator.OR):
            of_each = [necessary_conditions(child, popularity) for child in node.children]
            return sum((one for one in of_each if one), ()) if all(of_each) else None
    return None


def _likelihood(of: Conditions, popularity: Popularity) -> tuple[bool, int, int]:
    is_popular = any(popularity[condition] > POPULAR for condition in of)
    return is_popular, max(_LIKELIHOOD[condition.operator] for condition in of), len(of)


def _tests_in(node: Node) -> Iterator[ValueTest | CountTest]:
    """Yields the tests of values and counts anywhere in a node."""
    if isinstance(node, ValueTest | CountTest):
        yield node
    elif isinstance(node, Group):
        for child in node.children:
            yield from _tests_in(child)


class Prefilter:
    """The necessary conditions of some rules, each known by its place. A rule that is None is evaluated each time."""

    def __init__(self, rules: Iterable[Node | None]) -> None:
        fields: dict[ValueField | int, _FieldConditions] = {}
        self._always: list[int] = []
        known = list(rules)
        popularity = Counter(test for rule in known if rule is not None for test in set(_tests_in(rule)))
        for place, rule in enumerate(known):
            conditions = None if rule is None else necessary_conditions(rule, popularity)
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
    between: list[tuple[Any, Any, int]] = field(default_factory=list)
    lows: list[Any] = field(default_factory=list)
    highs: list[Any] = field(default_factory=list)
    low_places: list[int] = field(default_factory=list)
    high_places: list[int] = field(default_factory=list)
    range_lows: list[Any] = field(default_factory=list)
    range_highs: list[Any] = field(default_factory=list)
    by_high: list[tuple[Any, Any, int]] = field(default_factory=list)

    def sort(self) -> None:
        self.lows, self.low_places = _unzipped(sorted(self.from_))
        self.highs, self.high_places = _unzipped(sorted(self.up_to))
        self.between.sort()
        self.by_high = sorted(self.between, key=lambda one: (one[1], one[0]))
        self.range_lows = [low for low, _, _ in self.between]
        self.range_highs = [high for _, high, _ in self.by_high]

    def add_matching(self, value: Any, found: set[int]) -> None:
        if value in self.equal:
            found.update(self.equal[value])
        if self.lows:
            found.update(self.low_places[: bisect_right(self.lows, value)])
        if self.highs:
            found.update(self.high_places[bisect_left(self.highs, value) :])
        if self.between:
            self._add_ranges(value, found)

    def _add_ranges(self, value: Any, found: set[int]) -> None:
        """Of the ranges that begin below the value, and those that end above it, the fewer are looked at."""
        begun, ended = bisect_right(self.range_lows, value), bisect_left(self.range_highs, value)
        if begun <= len(self.by_high) - ended:
            found.update(place for _, high, place in self.between[:begun] if high >= value)
        else:
            found.update(place for low, _, place in self.by_high[ended:] if low <= value)


def _unzipped(pairs: Sequence[tuple[Any, int]]) -> tuple[list[Any], list[int]]:
    return [constant for constant, _ in pairs], [place for _, place in pairs]


class _FieldConditions:
    """All necessary conditions that ask about one field."""

    def __init__(self, read: Callable[[Subject], Json]) -> None:
        self.read = read
        self._texts, self._numbers = _Constants(), _Constants()
        self._beginnings: dict[int, dict[str, list[int]]] = {}  # by length
        self._parts: dict[str, list[int]] = {}
        self._tests: dict[str, tuple[Callable[[Any], bool], list[int]]] = {}
        self._tested: tuple[tuple[Callable[[Any], bool], list[int]], ...] = ()

    def add(self, condition: ValueTest | CountTest, place: int) -> None:
        operand: Any = condition.operand
        constants = operand if condition.operator in (Operator.IN, Operator.BETWEEN) else (operand,)
        if condition.operator in _IN_TEXT and isinstance(operand, str):
            is_part = condition.operator is Operator.CONTAINS
            known = self._parts if is_part else self._beginnings.setdefault(len(operand), {})
            known.setdefault(operand, []).append(place)
        elif condition.operator not in _INDEXED or any(isinstance(one, bool) for one in constants):
            self._tests.setdefault(repr(condition), (_test(condition), []))[1].append(place)
        elif condition.operator is Operator.BETWEEN:
            low, high = operand
            is_text = isinstance(low, str)
            (self._texts if is_text else self._numbers).between.append(
                (low, high, place) if is_text else (float(low), float(high), place)
            )
        else:
            for one in constants:
                self._compare(condition.operator, one, place)

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
        is_list = type(value) is list
        elements: Any = value if is_list else (value,)
        for element in elements:
            kind = type(element)
            if kind is str:
                self._add_text(element, is_list, found)
            elif kind is int or kind is float:
                self._numbers.add_matching(float(element), found)
        for test, places in self._tested:
            if test(value):
                found.update(places)

    def _add_text(self, text: str, in_list: bool, found: set[int]) -> None:
        self._texts.add_matching(text, found)
        for length, places in self._beginnings.items():
            found.update(places.get(text[:length], ()))
        if in_list:  # an element has to equal what a list contains
            found.update(self._parts.get(text, ()))
            return
        for part, of_part in self._parts.items():
            if part in text:
                found.update(of_part)


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
