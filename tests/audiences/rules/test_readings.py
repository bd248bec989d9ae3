"""Both readings of a rule say the same, and what the corpus says."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiences.rules.evaluate import compile_rule
from audiences.rules.parse import expiring, parse
from audiences.rules.subject import PlainSubject
from core.json_values import loads
from tests.audiences.rules import strategies
from tests.audiences.rules.conftest import Profiles
from tests.audiences.rules.corpus import CASES, MISSING, ROWS, VALUES, OperatorRow, RuleCase
from tests.audiences.rules.world import NOW, RuleWorld, parsed, rule

FIELDS = ("attribute.any", "attribute.deep.er.any", r"attribute.dot\.ted", "dimension.cpid")
READERS = (json.loads, loads)
"""Any reader, which hands a large float back as the integer the database writes, and the hub's own."""


def holding(field: str, value: Any) -> PlainSubject:
    if value is MISSING:
        return PlainSubject()
    if field == "dimension.cpid":
        return PlainSubject(dimensions={"cpid": value})
    documents: dict[str, dict[str, Any]] = {
        "attribute.any": {"any": value},
        "attribute.deep.er.any": {"deep": {"er": {"any": value}}},
        r"attribute.dot\.ted": {"dot.ted": value},
    }
    return PlainSubject(attributes=documents[field])


def named(row: OperatorRow) -> str:
    return f"{row.operator} {json.dumps(row.value)}"


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("row", ROWS, ids=named)
def test_predicate__every_kind_of_value__is_true_of_those_that_match(row: OperatorRow, field: str) -> None:
    predicate = compile_rule(parsed(rule(field, row.operator, row.value)))
    found = {name for name, value in VALUES.items() if predicate(holding(field, value), NOW)[0]}
    assert found == row.matching


@pytest.mark.parametrize("row", [row for row in ROWS if row.negative], ids=named)
def test_predicate__negative_operator__is_true_of_all_others(row: OperatorRow) -> None:
    predicate = compile_rule(parsed(rule("attribute.any", str(row.negative), row.value)))
    found = {name for name, value in VALUES.items() if predicate(holding("attribute.any", value), NOW)[0]}
    assert found == VALUES.keys() - row.matching


@pytest.mark.parametrize("field", FIELDS)
def test_sql__every_operator_and_kind_of_value__is_true_of_those_that_match(profiles: Profiles, field: str) -> None:
    profiles.store([holding(field, value) for value in VALUES.values()])
    asked = [(row, name) for row in ROWS for name in (row.operator, row.negative) if name]
    rows = profiles.ask([parsed(rule(field, name, row.value)) for row, name in asked], NOW)
    for column, (row, name) in enumerate(asked):
        found = {value for value, answers in zip(VALUES, rows, strict=True) if answers[column] is True}
        expected = row.matching if name == row.operator else VALUES.keys() - row.matching
        assert found == expected, (name, row.value)
    assert {answer for answers in rows for answer in answers} == {True, False}
    predicates = [compile_rule(parsed(rule(field, name, row.value))) for row, name in asked]
    for reader in READERS:
        assert rows == [[ask(subject, NOW)[0] for ask in predicates] for subject in profiles.read_back(reader)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: json.dumps(case.rule))
def test_predicate__windows_and_counts__is_true_until_the_moment_given(case: RuleCase) -> None:
    subject = PlainSubject(attributes=case.attributes, activity=case.activity)
    assert compile_rule(parsed(case.rule))(subject, NOW) == (case.truth, case.until)


def test_sql__windows_and_counts__agrees_with_the_corpus(profiles: Profiles) -> None:
    profiles.store([PlainSubject(attributes=case.attributes, activity=case.activity) for case in CASES])
    rows = profiles.ask([parsed(case.rule) for case in CASES], NOW)
    for index, case in enumerate(CASES):
        assert rows[index][index] is case.truth, case


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)  # each example clears the fixture's tables itself
@given(
    rules=st.lists(strategies.rules, min_size=1, max_size=5),
    subjects=st.lists(strategies.subjects, min_size=1, max_size=5),
    now=strategies.nows,
    world=strategies.worlds,
)
def test_both_readings__generated_rules_and_profiles__agree(
    profiles: Profiles, rules: list[Any], subjects: list[PlainSubject], now: int, world: RuleWorld
) -> None:
    groups = [parse(rule_json, world) for rule_json in rules]
    predicates = [compile_rule(group) for group in groups]
    profiles.store(subjects)
    expected = [[predicate(subject, now)[0] for predicate in predicates] for subject in profiles.stored]
    assert profiles.ask(groups, now) == expected
    for reader in READERS:
        read = profiles.read_back(reader)
        assert expected == [[predicate(subject, now)[0] for predicate in predicates] for subject in read]


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    rules=st.lists(strategies.rules | strategies.timed_rules, min_size=1, max_size=5),
    ttl=st.none() | st.sampled_from(sorted(strategies.DURATIONS.values())),
    subjects=st.lists(strategies.subjects, min_size=1, max_size=5),
    now=strategies.nows,
    world=strategies.worlds,
)
def test_sql__looks_again_when_the_predicate_does_or_earlier(
    profiles: Profiles, rules: list[Any], ttl: int | None, subjects: list[PlainSubject], now: int, world: RuleWorld
) -> None:
    groups = [expiring(parse(rule_json, world), ttl) for rule_json in rules]
    profiles.store(subjects)
    truths, moments = profiles.ask(groups, now), profiles.ask_until(groups, now)
    for subject, answers, looks in zip(profiles.stored, truths, moments, strict=True):
        for group, answer, look in zip(groups, answers, looks, strict=True):
            truth, until = compile_rule(group)(subject, now)
            assert answer is truth
            assert until is None or (look is not None and look <= until)
            assert look is None or look > now


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    rules=st.lists(strategies.counts_in_days(), min_size=5, max_size=10),
    activities=st.lists(strategies.activities(), min_size=5, max_size=10),
    now=strategies.nows,
    world=strategies.worlds,
)
def test_sql__counts_in_days__look_again_when_the_predicate_does_or_earlier(
    profiles: Profiles, rules: list[Any], activities: list[dict[str, Any]], now: int, world: RuleWorld
) -> None:
    groups = [parsed(one, world=world) for one in rules]
    profiles.store([PlainSubject(activity={"12": activity}) for activity in activities])
    for subject, looks in zip(profiles.stored, profiles.ask_until(groups, now), strict=True):
        for group, look in zip(groups, looks, strict=True):
            _, until = compile_rule(group)(subject, now)
            assert until is None or (look is not None and look <= until)
            assert look is None or look > now


def test_sql__single_windows_and_counts__look_again_exactly_when_the_corpus_says(profiles: Profiles) -> None:
    profiles.store([PlainSubject(attributes=case.attributes, activity=case.activity) for case in CASES])
    rows = profiles.ask_until([parsed(case.rule) for case in CASES], NOW)
    never = 2**60
    late = [case for index, case in enumerate(CASES) if (rows[index][index] or never) > (case.until or never)]
    early = [case for index, case in enumerate(CASES) if rows[index][index] != case.until]
    assert late == []
    assert len(early) <= len(CASES) // 10, early
