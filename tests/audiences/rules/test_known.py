"""The rule for those whose values are known: without those who are in it only because something is missing."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from audiences.rules.evaluate import compile_rule
from audiences.rules.known import only_where_known
from audiences.rules.parse import parse
from audiences.rules.subject import PlainSubject
from tests.audiences.rules import strategies
from tests.audiences.rules.world import WORLD, RuleJson, group, parsed, rule

NOT_LATELY, HAS_NUMBER = rule("attribute.at", "notWithinLast", "P180D"), rule("attribute.number", ">", 1)
KNOWN = {"field": "attribute.at", "operator": "notNull"}
UNKNOWN = {"field": "attribute.number", "operator": "null"}


@pytest.mark.parametrize(
    ("written", "known"),
    [
        (group(NOT_LATELY, HAS_NUMBER), group(NOT_LATELY, KNOWN, HAS_NUMBER)),
        (group(NOT_LATELY, combinator="or"), group(group(NOT_LATELY, KNOWN), combinator="or")),
        (group(HAS_NUMBER, combinator="or", negated=True), group(HAS_NUMBER, UNKNOWN, combinator="or", negated=True)),
        (group(group(group(NOT_LATELY, negated=True)), negated=True), None),
        (
            group(rule("pixel.12.last", "notWithinLast", "P1D")),
            group(rule("pixel.12.last", "notWithinLast", "P1D"), rule("pixel.12.count", ">=", 1)),
        ),
        (group(rule("dimension.cpid", "!=", "a")), None),
        (group(NOT_LATELY, KNOWN), "same"),
        (group(HAS_NUMBER), "same"),
        (group(rule("attribute.at", "null")), "same"),
        (group(rule("attribute.at", "notNull"), negated=True), "same"),
        (
            group(rule("pixel.12.count", "!=", 1), rule("audience", "notIn", 3), rule("split.a", "notBetween", [1, 2])),
            "same",
        ),
    ],
)
def test_only_where_known__asks_for_a_value_where_a_missing_one_would_do(written: RuleJson, known: Any) -> None:
    found = only_where_known(written)

    if known == "same":
        assert found == written
    elif known is None:
        assert found != written
    else:
        assert parse(found, WORLD, limited=False) == parse(known, WORLD)
    assert only_where_known(found) == found


@settings(max_examples=100, deadline=None)
@given(written=strategies.rules, subject=strategies.subjects, now=strategies.nows)
def test_only_where_known__leaves_out_those_alone_of_whom_something_is_unknown(
    written: RuleJson, subject: PlainSubject, now: int
) -> None:
    holds = compile_rule(parse(written, WORLD))(subject, now)[0]
    known = compile_rule(parse(only_where_known(written), WORLD, limited=False))(subject, now)[0]

    assert holds or not known
    assert holds is known or any(_is_missing(field, subject, now) for field in _fields(written))


def _fields(part: RuleJson) -> Iterator[str]:
    if "rules" in part:
        for inner in part["rules"]:
            yield from _fields(inner)
    else:
        yield part["field"]


def _is_missing(field: str, subject: PlainSubject, now: int) -> bool:
    if field.startswith("pixel."):
        return field.split(".")[1] not in subject.activity
    if not field.startswith(("attribute.", "dimension.")):
        return False
    return compile_rule(parsed(rule(field, "null")))(subject, now)[0]
