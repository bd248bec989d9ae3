"""Pieces of SQL with the values bound in them, in step."""

import json
from dataclasses import dataclass
from string import Formatter

from audiences.rules.nodes import Scalar


@dataclass(frozen=True, slots=True)
class Sql:
    """An expression with one `%s` for each value, in order. Only constants of this code become text."""

    text: str
    values: tuple[object, ...] = ()


def compose(template: str, **parts: Sql) -> Sql:
    """Returns the template with each `{name}` filled by that part, its values in the order of the text."""
    text, values = "", list[object]()
    for literal, name, _, _ in Formatter().parse(template):
        text += literal
        if name:
            text += parts[name].text
            values += parts[name].values
    return Sql(text, tuple(values))


def join(word: str, parts: list[Sql]) -> Sql:
    """Returns the parts with a word between them, in brackets."""
    values = tuple(value for part in parts for value in part.values)
    return Sql(f"({f' {word} '.join(part.text for part in parts)})", values)


def join_list(parts: list[Sql]) -> Sql:
    """Returns the parts with commas between them, in brackets."""
    values = tuple(value for part in parts for value in part.values)
    return Sql(f"({', '.join(part.text for part in parts)})", values)


def text_value(value: str) -> Sql:
    return Sql("%s::text", (value,))


def integer_value(value: int) -> Sql:
    return Sql("%s::bigint", (value,))


def integers_value(values: tuple[int, ...]) -> Sql:
    return Sql("%s::int[]", (list(values),))


def json_value(value: Scalar) -> Sql:
    return Sql("%s::jsonb", (json.dumps(value),))


def decimal_value(digits: str) -> Sql:
    """A number by its digits, exactly."""
    return Sql("%s::jsonb", (digits,))


def json_values(values: tuple[Scalar, ...]) -> Sql:
    return Sql("%s::jsonb[]", ([json.dumps(value) for value in values],))
