"""What marketers write and what platforms answer is read within bounds, whatever it is."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations import templates
from integrations.answers import expressions
from integrations.answers.expressions import ExpressionError
from integrations.connectors.base import Member, Operation, Segment
from integrations.connectors.http.connector import HttpConnector
from integrations.errors import RefusedError
from integrations.http import MAX_DEPTH, Response

URL = "https://platform.example/users"
SEGMENT = Segment(1, 12345, 1, "My segment", {}, 1, 1)
USER = UUID("00000000-0000-4000-8000-000000000042")


def http(**settings: Any) -> HttpConnector:
    add = {"method": "POST", "url": URL, "headers": {"X-City": "{{attribute.city}}"}, "body": {"id": "{{userid}}"}}
    return HttpConnector({"add": add, "strategy": "no_batch", "removal": "none", **settings}, {})


def pushed(value: Any) -> dict[str, str]:
    return http().push(Operation.ADD, [Member(SEGMENT, "x", USER, {"city": value})], 0).headers


@pytest.mark.parametrize("value", ["Köln\r\nX-Other: 1", "a\nb", "a\0b", "a\x7f", "\x85"])
def test_value_that_no_header_can_hold__refuses_its_row_alone(value: str) -> None:
    with pytest.raises(RefusedError) as refused:
        pushed(value)
    assert type(refused.value) is RefusedError  # a misconfigured platform would break the activation


def test_value_in_a_header__is_utf8_without_blanks_around_it() -> None:
    assert pushed(" Łódź ")["X-City"].encode("latin-1").decode() == "Łódź"


@settings(max_examples=200, deadline=None)
@given(st.text("{} ab.", max_size=30))
def test_placeholders__are_what_stands_between_two_pairs_of_braces(text: str) -> None:
    parts = templates.split(text)

    assert all(not {"{", "}"} & set(name) and name == name.strip() for name in parts[1::2])
    assert all("{{a}}" not in constant and "{{ b }}" not in constant for constant in parts[::2])
    assert templates.split("".join(f"{{{{{one}}}}}" if n % 2 else one for n, one in enumerate(parts))) == parts


BOMBS = {
    "flattened": "|".join(["[@,@][]"] * 30),
    "shared": "|".join(["[@,@]"] * 30) + "|to_string(@)",
    "objects": "|".join(["{a:@,b:@}"] * 20) + "|to_string(@)",
    "joined": "|".join(["join('',[@,@])"] * 20),
    "long": "a." * 300 + "a",
    "projections": "[*]" * 160,
}


@pytest.mark.parametrize("expression", BOMBS.values(), ids=BOMBS)
def test_expression_that_does_too_much__is_refused_where_it_is_saved(expression: str) -> None:
    with pytest.raises(ExpressionError):
        expressions.check(expression)


def test_expression_whose_answer_makes_it_too_much__is_stopped() -> None:
    with pytest.raises(ExpressionError):
        expressions.search("to_string(to_array(" * 20 + "@" + "))" * 20, ['"' * 100])
    with pytest.raises(ExpressionError):
        expressions.search("[*].[a[*].b]", [{"a": [{"b": 1}] * 2_000}] * 150)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("data.items[?ok].id | [0]", 7),
        ("not_null(x, data.next)", "n"),
        ("[data.next, x][0]", "n"),
        ("ceil(`1e999`)", None),
    ],
)
def test_expression_in_use__finds_what_it_names(expression: str, found: Any) -> None:
    expressions.check(expression)

    assert expressions.search(expression, {"data": {"items": [{"ok": True, "id": 7}], "next": "n"}}) == found


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b"[" * 900 + b"]" * 900, b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), b'"\xff"'],
)
def test_answer_that_is_no_json_of_few_levels__is_a_refusal(body: bytes) -> None:
    answer = Response(200, {}, body)

    assert answer.json_object() == {}
    with pytest.raises(RefusedError):
        answer.document()
    with pytest.raises(RefusedError):
        http(create={"method": "POST", "url": URL, "segment_id": "id"}).segment_id(SEGMENT, answer)


def test_answer_of_as_many_levels_as_may_be__is_read() -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH):
        deep = [deep]

    assert Response(200, {}, json.dumps(deep).encode()).document() == deep
