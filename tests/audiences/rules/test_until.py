"""A verdict's `until`: the truth stays what it is before that moment, whatever the clock does."""

from hypothesis import given, settings

from audiences.rules.evaluate import Predicate, compile_rule
from audiences.rules.operators import Operator, polarity
from audiences.rules.parse import parse
from audiences.rules.subject import PlainSubject
from core.days import calendar_of
from tests.audiences.rules import strategies
from tests.audiences.rules.world import DAY, NOW, TODAY, WORLD, RuleJson, RuleWorld, parsed, rule

NEGATIVES = {polarity(operator)[0]: operator for operator in Operator if polarity(operator)[1]}


def moments_of_change(subject: PlainSubject, now: int, world: RuleWorld) -> list[int]:
    """Later moments around which a window of the strategies may begin or end for this subject."""
    starts = [seen[key] for seen in subject.activity.values() for key in ("first", "last")]
    starts += [int(second * 1000) for second in _numbers(subject.attributes) if abs(second) < 1e10]
    ends = [
        start + turn for start in starts for length in strategies.DURATIONS.values() for turn in (0, length, -length)
    ]
    midnights = [calendar_of(world.zone).start_of(day) for day in range(TODAY - 5, TODAY + 190)]
    begins = [midnights[place] - rest for place in range(4, 9) for rest in (500, 1_800_000, DAY // 2)]
    around = {moment + turn for moment in ends + midnights + begins for turn in (-1, 0, 1, 2)}
    return sorted(moment for moment in around if moment > now)


def _numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [value] if isinstance(value, int | float) else []


@settings(max_examples=300, deadline=None)
@given(rule_json=strategies.timed_rules, subject=strategies.subjects, now=strategies.nows, world=strategies.worlds)
def test_until__nothing_happens__the_truth_holds_up_to_it(
    rule_json: RuleJson, subject: PlainSubject, now: int, world: RuleWorld
) -> None:
    predicate = compile_rule(parse(rule_json, world))
    for moment in moments_of_change(subject, now, world):
        truth, until = predicate(subject, now)
        assert until is None or until > now
        while until is not None and until <= moment:
            assert predicate(subject, until - 1)[0] is truth
            truth, until = predicate(subject, until)
        assert predicate(subject, moment)[0] is truth


@settings(max_examples=200, deadline=None)
@given(rule_json=strategies.pixel_rules(), subject=strategies.subjects, now=strategies.nows, world=strategies.worlds)
def test_until__of_one_pixel_condition__is_the_very_moment_it_turns(
    rule_json: RuleJson, subject: PlainSubject, now: int, world: RuleWorld
) -> None:
    predicate = compile_rule(parsed(rule_json, world=world))
    truth, until = predicate(subject, now)
    if until is not None:
        assert predicate(subject, until)[0] is not truth


@settings(max_examples=200, deadline=None)
@given(rule_json=strategies.conditions, subject=strategies.subjects, now=strategies.nows)
def test_negative_operator__any_condition__turns_the_truth_and_keeps_the_moment(
    rule_json: RuleJson, subject: PlainSubject, now: int
) -> None:
    positive, _ = polarity(Operator(rule_json["operator"]))
    negative = NEGATIVES.get(positive)
    if negative is None or (negative is Operator.NOT_BETWEEN and ".count" in rule_json["field"]):
        return
    truth, until = compile_rule(parsed(rule_json | {"operator": positive}))(subject, now)
    assert compile_rule(parsed(rule_json | {"operator": negative}))(subject, now) == (not truth, until)


@settings(max_examples=200, deadline=None)
@given(rule_json=strategies.rules, subject=strategies.subjects, now=strategies.nows)
def test_negated_group__any_rule__turns_the_truth_and_keeps_the_moment(
    rule_json: RuleJson, subject: PlainSubject, now: int
) -> None:
    truth, until = compile_rule(parse(rule_json, WORLD))(subject, now)
    turned = compile_rule(parse(rule_json | {"not": not rule_json["not"]}, WORLD))
    assert turned(subject, now) == (not truth, until)


RECENT = {"12": {"first": NOW - DAY, "last": NOW, "total": 2, "days": {}}}
LAST_HOUR, LAST_WEEK = rule("pixel.12.last", "withinLast", "PT1H"), rule("pixel.12.last", "withinLast", "P1W")
NEVER_TRUE = rule("attribute.text", "=", "x")


def until_of(*rules: RuleJson, combinator: str) -> int | None:
    predicate: Predicate = compile_rule(parsed(*rules, combinator=combinator))
    return predicate(PlainSubject(activity=RECENT), NOW)[1]


def test_until__either_of_two_true_windows__lasts_as_long_as_the_longer() -> None:
    assert until_of(LAST_HOUR, LAST_WEEK, combinator="or") == NOW + 7 * DAY


def test_until__both_of_two_true_windows__ends_with_the_shorter() -> None:
    assert until_of(LAST_HOUR, LAST_WEEK, combinator="and") == NOW + DAY // 24


def test_until__decided_by_something_without_time__is_never() -> None:
    assert until_of(LAST_HOUR, NEVER_TRUE, combinator="and") is None
