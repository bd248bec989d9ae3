"""What is refused when a rule is saved, and where the fault is said to be."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiences.rules.errors import RuleError
from audiences.rules.evaluate import compile_rule
from audiences.rules.nodes import Belonging, BelongingKind, CountTest, Group, ValueTest
from audiences.rules.operators import Operator
from audiences.rules.parse import parse
from tests.audiences.rules import strategies
from tests.audiences.rules.refusals import FINE, REFUSED_CONDITIONS, REFUSED_GROUPS
from tests.audiences.rules.world import NOW_S, WORLD, RuleJson, group, parsed, rule


def faults_of(rule_json: object) -> list[tuple[str, str]]:
    with pytest.raises(RuleError) as refusal:
        parse(rule_json, WORLD)
    return [(fault.path, fault.message) for fault in refusal.value.errors]


@pytest.mark.parametrize(("condition", "part", "word"), REFUSED_CONDITIONS)
def test_parse__faulty_condition__is_refused_with_its_place(condition: object, part: str, word: str) -> None:
    ((place, message),) = faults_of(group(FINE, group(condition, combinator="or")))
    assert place == f"rules[1].rules[0]{'.' if part else ''}{part}"
    assert word in message
    json.dumps(message).encode()


@pytest.mark.parametrize(("rule_json", "place", "word"), REFUSED_GROUPS)
def test_parse__faulty_group__is_refused_with_its_place(rule_json: object, place: str, word: str) -> None:
    ((found, message),) = faults_of(rule_json)
    assert found == place
    assert word in message


def test_parse__several_faults__are_told_all_at_once() -> None:
    wrong = rule("attribute.nobody", "~", 1, colour="red")
    found = faults_of(group(rule("pixel.2.count", "=", 1), group(wrong, group())) | {"combinator": 1})
    assert [place for place, _ in found] == [
        "combinator",
        "rules[0].field",
        "rules[1].rules[0]",
        "rules[1].rules[0].field",
        "rules[1].rules[0].operator",
        "rules[1].rules[1].rules",
    ]


def nested(depth: int) -> RuleJson:
    innermost = group(FINE)
    for _ in range(depth - 1):
        innermost = group(innermost)
    return innermost


def test_parse__ten_groups_deep__is_accepted() -> None:
    assert isinstance(parse(nested(10), WORLD), Group)


def test_parse__eleven_groups_deep__is_refused_at_the_eleventh() -> None:
    ((place, message),) = faults_of(nested(11))
    assert place == ".".join(["rules[0]"] * 10)
    assert "deeper" in message


def test_parse__twenty_thousand_groups_deep__is_refused_without_following_them() -> None:
    assert len(faults_of(nested(20_000))) == 1


def test_parse__two_hundred_conditions__are_accepted() -> None:
    assert len(parsed(*[FINE] * 200).children) == 200


def test_parse__what_the_editor_adds__changes_nothing() -> None:
    editor = {"id": "r-1", "path": [0], "disabled": True, "muted": False}
    adorned = group(FINE | editor | {"valueSource": "value"}) | editor
    del adorned["not"]
    assert parse(adorned, WORLD) == parsed(FINE)


def test_parse__numbers__are_held_in_canonical_form() -> None:
    (node,) = parsed(rule("attribute.number", "in", [1.0, -0.0, 1.5, 2.0**63])).children
    assert isinstance(node, ValueTest)
    assert isinstance(node.operand, tuple)
    assert [repr(value) for value in node.operand] == ["1", "0", "1.5", "9223372036854775808"]


def test_parse__timestamp_of_a_time__becomes_unix_seconds() -> None:
    (node,) = parsed(rule("attribute.at", "between", ["2024-02-29T01:00+01:00", NOW_S + 1])).children
    assert isinstance(node, ValueTest)
    assert node.operand == (NOW_S, NOW_S + 1)


def test_parse__timestamp_of_a_mixed_attribute__stays_text() -> None:
    (node,) = parsed(rule("attribute.any", "=", "2024-02-29")).children
    assert isinstance(node, ValueTest)
    assert node.operand == "2024-02-29"


def test_parse__count__takes_whole_floats_and_days() -> None:
    assert parsed(rule("pixel.12.count", "between", [1.0, 2], days=30)).children == (
        CountTest(12, 30, Operator.BETWEEN, (1, 2)),
    )


def test_parse__repeated_ids__are_held_once() -> None:
    assert parsed(rule("audience", "notIn", [4, 3, 4])).children == (
        Belonging(BelongingKind.AUDIENCE, Operator.NOT_IN, (4, 3)),
    )


def places_refused(rule_json: object) -> list[str]:
    """Where a rule is faulty; empty where it is not. Fails where it is neither refused nor read."""
    try:
        tree = parse(rule_json, WORLD)
    except RuleError as refusal:
        return [fault.path for fault in refusal.errors] or pytest.fail("refused without a reason")
    compile_rule(tree)
    return []


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(Operator)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["field", "operator", "value", "rules", "combinator", "not", "days", "x"]), inner
        )
    ),
)


@settings(max_examples=300, deadline=None)
@given(
    anything | st.builds(group, strategies.conditions, st.builds(dict.__or__, strategies.conditions, st.builds(dict)))
)
def test_parse__anything__is_a_tree_or_refused_with_places(rule_json: object) -> None:
    assert all(isinstance(place, str) for place in places_refused(rule_json))


@settings(max_examples=300, deadline=None)
@given(strategies.conditions, st.sampled_from(["field", "operator", "value", "days"]), anything)
def test_parse__a_part_replaced_by_anything__is_a_tree_or_refused_at_that_rule(
    condition: RuleJson, part: str, replacement: object
) -> None:
    replaced = group(condition | {part: replacement})
    assert all(place.startswith("rules[0]") for place in places_refused(replaced))
