"""Compares values with constants, in process: a table of the positive operators.

One law holds for all of them: a list matches when any of its elements does, anything else stands for
itself, and a missing value or a JSON null matches nothing. (`contains` reads a list the same way, but
an element has to equal the value, while text has to hold it.) Elements that are lists or objects
equal nothing.
"""

import operator as python
from collections.abc import Callable
from typing import Any

from audiences.rules.nodes import Operand
from audiences.rules.operators import Operator
from audiences.rules.subject import Json
from audiences.rules.values import exact
from core.values.numbers import Number

Test = Callable[[Json], bool]
Comparison = Callable[[Any, Any], bool]


def any_element(test: Test) -> Test:
    """The law of lists."""

    def holds(value: Json) -> bool:
        if type(value) is list:
            return any(map(test, value))
        return test(value)

    return holds


def _compared(comparison: Comparison) -> Callable[[Any], Test]:
    """A comparison with one constant, within its own kind."""

    def with_constant(constant: Any) -> Test:
        if isinstance(constant, bool):
            return lambda value: type(value) is bool and comparison(value, constant)
        if isinstance(constant, str):
            return lambda value: type(value) is str and comparison(value, constant)
        return _compared_number(comparison, exact(constant))

    return with_constant


def _compared_number(comparison: Comparison, constant: Any) -> Test:
    def holds(value: Json) -> bool:
        if type(value) is int:
            return comparison(value, constant)
        return type(value) is float and comparison(exact(value), constant)

    return holds


def _within(ends: Any) -> Test:
    if not any(isinstance(end, str | bool) for end in ends):
        return _compared_number(_between, tuple(map(exact, ends)))
    above, below = _compared(python.ge)(ends[0]), _compared(python.le)(ends[1])
    return lambda value: above(value) and below(value)


def _between(number: Number, ends: tuple[Number, Number]) -> bool:
    return ends[0] <= number <= ends[1]


def _among(constants: Any) -> Test:
    texts = frozenset(constant for constant in constants if isinstance(constant, str))
    flags = frozenset(constant for constant in constants if isinstance(constant, bool))
    numbers = frozenset(exact(c) for c in constants if not isinstance(c, str | bool))

    def holds(value: Any) -> bool:
        kind = type(value)
        if kind is str:
            return value in texts
        if kind is float:
            return exact(value) in numbers
        return value in numbers if kind is int else kind is bool and value in flags

    return holds


def _text(method: Callable[[str, str], bool]) -> Callable[[Any], Test]:
    def with_constant(constant: str) -> Test:
        return lambda value: type(value) is str and method(value, constant)

    return with_constant


def _contains(constant: Any) -> Test:
    equal = _compared(python.eq)(constant)

    def holds(value: Json) -> bool:
        if type(value) is list:
            return any(map(equal, value))
        return type(value) is str and isinstance(constant, str) and constant in value

    return holds


def _present(_constant: None) -> Test:
    return lambda value: value is not None


_ELEMENT_TESTS: dict[Operator, Callable[[Any], Test]] = {
    Operator.EQUAL: _compared(python.eq),
    Operator.LESS: _compared(python.lt),
    Operator.LESS_OR_EQUAL: _compared(python.le),
    Operator.MORE: _compared(python.gt),
    Operator.MORE_OR_EQUAL: _compared(python.ge),
    Operator.BETWEEN: _within,
    Operator.IN: _among,
    Operator.BEGINS_WITH: _text(str.startswith),
    Operator.ENDS_WITH: _text(str.endswith),
    Operator.NOT_NULL: _present,
}


def value_test(positive: Operator, operand: Operand) -> Test:
    """Returns the test of a whole value, by a positive operator."""
    if positive is Operator.CONTAINS:
        return _contains(operand)
    return any_element(_ELEMENT_TESTS[positive](operand))


_COUNT_TESTS: dict[Operator, Comparison] = {
    Operator.EQUAL: python.eq,
    Operator.LESS: python.lt,
    Operator.LESS_OR_EQUAL: python.le,
    Operator.MORE: python.gt,
    Operator.MORE_OR_EQUAL: python.ge,
    Operator.BETWEEN: _between,
}


def count_test(positive: Operator, operand: int | tuple[int, int]) -> Callable[[int], bool]:
    """Returns the test of a count, by a positive operator."""
    comparison = _COUNT_TESTS[positive]
    return lambda count: comparison(count, operand)
