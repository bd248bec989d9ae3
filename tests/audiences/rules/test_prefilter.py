"""What the prefilter rules out is false, and stays so; and it rules out what a look at one value can."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audiences.rules.evaluate import compile_rule
from audiences.rules.parse import parse
from audiences.rules.prefilter import Prefilter
from audiences.rules.subject import PlainSubject
from tests.audiences.rules.strategies import nows, rules, subjects
from tests.audiences.rules.world import NOW, WORLD, RuleJson, group, parsed, rule

FLAGS_AND_ONES = [group(rule("attribute.any", "contains", value)) for value in (1, True)]


@given(st.lists(rules, min_size=1, max_size=8), subjects, nows)
@example(FLAGS_AND_ONES, PlainSubject({"any": [True]}), NOW)
def test_prefilter__rules_that_are_ruled_out__are_false_and_wait_for_no_moment(
    written: list[RuleJson], subject: PlainSubject, now: int
) -> None:
    nodes = [parse(one, WORLD) for one in written]
    may_hold = Prefilter(nodes).may_hold(subject)
    for place, node in enumerate(nodes):
        if place not in may_hold:
            assert compile_rule(node)(subject, now) == (False, None)


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        (rule("attribute.number", ">", 5), 4),
        (rule("attribute.number", ">=", 5), 4.5),
        (rule("attribute.number", "<", 5), 6),
        (rule("attribute.number", "=", 5), 6),
        (rule("attribute.number", "between", [5, 6]), 7),
        (rule("attribute.text", "in", ["a", "b"]), "c"),
        (rule("attribute.text", "beginsWith", "a"), "b"),
        (rule("attribute.text", "contains", "a"), ["b", "c"]),
        (rule("attribute.text", "notNull"), None),
    ],
)
def test_prefilter__a_value_that_does_not_fit__rules_out_all_that_needs_it(condition: RuleJson, value: Any) -> None:
    window, other = rule("pixel.12.last", "withinLast", "P1D"), rule("attribute.number", "notNull")
    key = condition["field"].removeprefix("attribute.")
    attributes: dict[str, Any] = {"number": 3, "text": "z"} | {key: value}
    subject = PlainSubject(attributes)
    nested = group(window, group(condition, group(condition, combinator="or")))
    assert Prefilter([parsed(condition), parse(nested, WORLD)]).may_hold(subject) == set()
    unlikely = [parsed(condition, other, combinator="or"), parsed(condition, negated=True), None]
    asked = Prefilter(unlikely).may_hold(subject)
    assert asked >= {1, 2}


@pytest.mark.parametrize(
    ("value", "asked"), [(10, {0, 1}), (17, {1, 2}), (45, {5}), (9, {1}), (61, set()), ([10, 45], {0, 1, 5})]
)
def test_prefilter__what_many_rules_ask__leaves_each_to_its_own_condition(value: Any, asked: set[int]) -> None:
    own = [
        rule("attribute.number", "between", ends)
        for ends in ([10, 15], [0, 20], [16, 30], [31, 35], [36, 40], [41, 60])
    ]
    shared = [parse(group(one, rule("attribute.text", "=", "z")), WORLD) for one in own]
    assert Prefilter(shared).may_hold(PlainSubject({"number": value, "text": "z"})) == asked


@pytest.mark.parametrize(
    ("value", "asked"),
    [("garden/tools", {0, 2, 3}), ("tool", {2}), (["garden", "tools"], {0, 3}), (["tool"], {2}), (7, set())],
)
def test_prefilter__beginnings_and_parts_of_text__are_found_in_text_and_among_elements(
    value: Any, asked: set[int]
) -> None:
    written = [("beginsWith", "garden"), ("beginsWith", "gardens"), ("contains", "tool"), ("contains", "tools")]
    conditions = [parsed(rule("attribute.any", operator, constant)) for operator, constant in written]
    assert Prefilter(conditions).may_hold(PlainSubject({"any": value})) == asked
