"""Compares values with constants, in SQL: the same table of positive operators as `matching`, the same law of
lists. Every expression is true or false, never NULL.

`jsonb` compares numbers as exact decimals; text is compared in `COLLATE "C"`, which orders UTF-8 by code
point. `a @> b` with a scalar b holds where a equals b or is a list with that element.
"""

from collections.abc import Callable
from typing import Any

from audiences.rules.nodes import Operand, Scalar
from audiences.rules.operators import Operator
from audiences.rules.sql_text import (
    Sql,
    compose,
    decimal_value,
    integer_value,
    json_value,
    json_values,
    text_value,
)
from audiences.rules.values import seconds_text
from audiences.rules.windows import SPANS

Test = Callable[[Sql], Sql]
HASHED = 9
"""From so many elements on PostgreSQL looks `= ANY` up in a hash table."""

_KINDS = {"number": Sql("'number'"), "string": Sql("'string'")}


def any_element(value: Sql, kind: str, test: Test) -> Sql:
    """The law of lists, for tests that only hold for one kind of value."""
    return compose(
        "CASE jsonb_typeof({value}) WHEN {kind} THEN {holds} WHEN 'array' THEN EXISTS (SELECT 1"
        " FROM jsonb_array_elements({value}) AS e(v) WHERE jsonb_typeof(e.v) = {kind} AND {element_holds})"
        " ELSE false END",
        value=value,
        kind=_KINDS[kind],
        holds=test(value),
        element_holds=test(Sql("e.v")),
    )


def _text_of(value: Sql) -> Sql:
    return compose("({value} #>> '{{}}')", value=value)


def _equal(value: Sql, constant: Scalar) -> Sql:
    return compose("({value} @> {constant}) IS TRUE", value=value, constant=json_value(constant))


def _among(value: Sql, constants: tuple[Scalar, ...]) -> Sql:
    if len(constants) < HASHED:
        return compose("({value} @> ANY({constants})) IS TRUE", value=value, constants=json_values(constants))
    return compose(
        "CASE jsonb_typeof({value}) WHEN 'array' THEN EXISTS (SELECT 1"
        " FROM jsonb_array_elements({value}) AS e(v) WHERE e.v = ANY({constants}))"
        " ELSE ({value} = ANY({constants})) IS TRUE END",
        value=value,
        constants=json_values(constants),
    )


def _compared(sign: str) -> Callable[[Sql, Any], Sql]:
    def with_constant(value: Sql, constant: Scalar) -> Sql:
        return _in_order(value, [(sign, constant)])

    return with_constant


def _within(value: Sql, ends: tuple[Scalar, Scalar]) -> Sql:
    return _in_order(value, [(">=", ends[0]), ("<=", ends[1])])


def _in_order(value: Sql, bounds: list[tuple[str, Scalar]]) -> Sql:
    """An element on the right side of each bound."""
    kind = "string" if isinstance(bounds[0][1], str) else "number"
    return any_element(value, kind, lambda element: _bounded(element, bounds))


def _bounded(element: Sql, bounds: list[tuple[str, Scalar]]) -> Sql:
    parts = [_on_side(element, sign, constant) for sign, constant in bounds]
    return parts[0] if len(parts) == 1 else compose("({low} AND {high})", low=parts[0], high=parts[1])


def _on_side(element: Sql, sign: str, constant: Scalar) -> Sql:
    if isinstance(constant, str):
        template = '{element} COLLATE "C" {sign} {constant}'
        return compose(template, element=_text_of(element), sign=Sql(sign), constant=text_value(constant))
    return compose("{element} {sign} {constant}", element=element, sign=Sql(sign), constant=json_value(constant))


def _begins(value: Sql, constant: str) -> Sql:
    return any_element(
        value,
        "string",
        lambda element: compose(
            "starts_with({text}, {constant})", text=_text_of(element), constant=text_value(constant)
        ),
    )


def _ends(value: Sql, constant: str) -> Sql:
    return any_element(
        value,
        "string",
        lambda element: compose(
            'right({text}, {length}::int) COLLATE "C" = {constant}',
            text=_text_of(element),
            length=integer_value(len(constant)),
            constant=text_value(constant),
        ),
    )


def _contains(value: Sql, constant: Scalar) -> Sql:
    in_list = compose("{value} @> {constant}", value=value, constant=json_value(constant))
    in_text = Sql("false")
    if isinstance(constant, str):
        in_text = compose("strpos({text}, {constant}) > 0", text=_text_of(value), constant=text_value(constant))
    return compose(
        "CASE jsonb_typeof({value}) WHEN 'array' THEN {in_list} WHEN 'string' THEN {in_text} ELSE false END",
        value=value,
        in_list=in_list,
        in_text=in_text,
    )


def _present(value: Sql, _constant: None) -> Sql:
    return compose(
        "CASE jsonb_typeof({value}) WHEN 'null' THEN false WHEN 'array' THEN EXISTS (SELECT 1"
        " FROM jsonb_array_elements({value}) AS e(v) WHERE jsonb_typeof(e.v) <> 'null')"
        " ELSE {value} IS NOT NULL END",
        value=value,
    )


_VALUE_SQL: dict[Operator, Callable[[Sql, Any], Sql]] = {
    Operator.EQUAL: _equal,
    Operator.LESS: _compared("<"),
    Operator.LESS_OR_EQUAL: _compared("<="),
    Operator.MORE: _compared(">"),
    Operator.MORE_OR_EQUAL: _compared(">="),
    Operator.BETWEEN: _within,
    Operator.IN: _among,
    Operator.CONTAINS: _contains,
    Operator.BEGINS_WITH: _begins,
    Operator.ENDS_WITH: _ends,
    Operator.NOT_NULL: _present,
}


def value_sql(value: Sql, positive: Operator, operand: Operand) -> Sql:
    """Whether a whole value matches, by a positive operator."""
    return _VALUE_SQL[positive](value, operand)


def value_window_sql(value: Sql, positive: Operator, length_ms: int, now_ms: int) -> Sql:
    """Whether one of a value's moments, unix seconds, lies in the window that holds now."""
    after, until = moments_around(positive, length_ms, now_ms)

    def in_window(element: Sql) -> Sql:
        return compose(
            "({element} > {after} AND {element} <= {until})",
            element=element,
            after=decimal_value(seconds_text(after)),
            until=decimal_value(seconds_text(until)),
        )

    return any_element(value, "number", in_window)


def moments_of(value: Sql, rounding: str) -> Sql:
    """The numbers of a value, or of the list that it is, as rows `t`: unix seconds, as milliseconds.

    `rounding`: `ceil` or `floor`.
    """
    return compose(
        "(SELECT CASE WHEN jsonb_typeof(e.v) = 'number' THEN {rounding}((e.v)::numeric * 1000) END AS t"
        " FROM jsonb_array_elements(CASE jsonb_typeof({value}) WHEN 'array' THEN {value}"
        " ELSE jsonb_build_array({value}) END) AS e(v)) AS moments",
        rounding=Sql(rounding),
        value=value,
    )


def moments_around(positive: Operator, length_ms: int, now_ms: int) -> tuple[int, int]:
    """The moments whose window holds now: those after the first, up to and with the second."""
    start, end = SPANS[positive](0, length_ms)
    return now_ms - end, now_ms - start


_COUNT_SIGNS = {
    Operator.EQUAL: "=",
    Operator.LESS: "<",
    Operator.LESS_OR_EQUAL: "<=",
    Operator.MORE: ">",
    Operator.MORE_OR_EQUAL: ">=",
}


def count_sql(count: Sql, positive: Operator, operand: int | tuple[int, int]) -> Sql:
    """Whether a count matches, by a positive operator."""
    if isinstance(operand, tuple):
        low, high = map(integer_value, operand)
        return compose("{count} BETWEEN {low} AND {high}", count=count, low=low, high=high)
    sign = Sql(_COUNT_SIGNS[positive])
    return compose("{count} {sign} {operand}", count=count, sign=sign, operand=integer_value(operand))
