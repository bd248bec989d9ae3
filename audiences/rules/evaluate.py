"""Reads a rule in process: compiled once into closures, called many times."""

from collections.abc import Callable

from audiences.rules.calendar import calendar_verdict, whole_moments_in
from audiences.rules.dependencies import changes_with_time
from audiences.rules.matching import count_test, value_test
from audiences.rules.nodes import (
    Active,
    ActivityWindow,
    Belonging,
    BelongingKind,
    CalendarTest,
    Combinator,
    CountTest,
    Group,
    Listed,
    Moment,
    MomentField,
    Node,
    SplitTest,
    ValueField,
    ValueSource,
    ValueTest,
    ValueWindow,
)
from audiences.rules.operators import polarity
from audiences.rules.splits import place
from audiences.rules.subject import Json, Subject, value_reader
from audiences.rules.windows import SPANS, Verdict, in_any_span, moments_in, recent_count
from core.days import calendar_of

Predicate = Callable[[Subject, int], Verdict]
"""(subject, now in unix ms) → (truth, until). `until`, in unix ms and later than now, is the earliest moment at which
the truth may change while nothing happens. It is never later than the change, perhaps earlier; None: never.
"""

_Steady = Callable[[Subject], bool]
_Timed = ValueWindow | ActivityWindow | Active


def compile_rule(node: Node) -> Predicate:
    """Returns the predicate of a rule, or of any part of it."""
    if changes_with_time(node):
        return _timed(node)
    steady = _steady(node)
    return lambda subject, _now: (steady(subject), None)


def read_value(field: ValueField) -> Callable[[Subject], Json]:
    """Returns a function that reads a field of a subject."""
    return value_reader(field.keys, in_dimensions=field.source is ValueSource.DIMENSION)


def _steady(node: Node) -> _Steady:
    match node:
        case Group(negated=False, children=(only,)):  # a call less, in what is asked most
            return _steady(only)
        case Group():
            return _steady_group(node)
        case ValueTest():
            holds = _value_holds(node)
        case Belonging():
            holds = _belongs(node)
        case CountTest():
            holds = _count_ever(node)
        case SplitTest():
            holds = _placed(node)
        case Listed():
            holds = _listed(node)
        case ValueWindow() | CalendarTest() | ActivityWindow() | Active():
            raise TypeError("a window is never steady")
    return (lambda subject: not holds(subject)) if polarity(node.operator)[1] else holds


def _steady_group(group: Group) -> _Steady:
    parts = tuple(map(_steady, group.children))
    decisive = group.combinator is Combinator.OR
    decided, undecided = decisive is not group.negated, decisive is group.negated

    def holds(subject: Subject) -> bool:
        for part in parts:
            if part(subject) is decisive:
                return decided
        return undecided

    return holds


def _value_holds(node: ValueTest) -> _Steady:
    read, test = read_value(node.field), value_test(polarity(node.operator)[0], node.operand)
    return lambda subject: test(read(subject))


def _belongs(node: Belonging) -> _Steady:
    ids = node.ids
    if node.kind is BelongingKind.AUDIENCE:
        return lambda subject: any(number in subject.audiences for number in ids)
    return lambda subject: any(number in subject.platforms for number in ids)


def _count_ever(node: CountTest) -> _Steady:
    pixel, test = str(node.pixel), count_test(polarity(node.operator)[0], node.operand)

    def holds(subject: Subject) -> bool:
        activity = subject.activity.get(pixel)
        return test(activity["total"] if activity else 0)

    return holds


def _placed(node: SplitTest) -> _Steady:
    name, low, high = node.name, node.low, node.high
    return lambda subject: low <= place(name, subject.user_id) < high


def _listed(node: Listed) -> _Steady:
    audience = node.audience
    return lambda subject: audience in subject.lists


def _timed(node: Node) -> Predicate:
    match node:
        case Group(negated=False, children=(only,)):
            return _timed(only)
        case Group():
            return _timed_group(node)
        case CountTest():
            verdict = _count_recently(node)
        case ValueWindow() | ActivityWindow() | Active():
            verdict = _window(node)
        case CalendarTest():
            verdict = _calendar(node)
        case ValueTest() | Belonging() | SplitTest() | Listed():
            raise TypeError("time alone never turns this")
    return _negated(verdict) if polarity(node.operator)[1] else verdict


def _negated(verdict: Predicate) -> Predicate:
    def turned(subject: Subject, now: int) -> Verdict:
        truth, until = verdict(subject, now)
        return not truth, until

    return turned


def _count_recently(node: CountTest) -> Predicate:
    pixel, days, test = str(node.pixel), node.days or 0, count_test(polarity(node.operator)[0], node.operand)
    calendar = calendar_of(node.zone)
    return lambda subject, now: recent_count(subject.activity.get(pixel), days, test, now, calendar)


def _calendar(node: CalendarTest) -> Predicate:
    verdict = calendar_verdict(node)
    if isinstance(node.field, MomentField):
        seen = _seen(node.field.pixel, node.field.moment)
        return lambda subject, now: verdict(seen(subject), now)
    read = read_value(node.field)
    return lambda subject, now: verdict(whole_moments_in(read(subject)), now)


def _window(node: _Timed) -> Predicate:
    span, length = SPANS[polarity(node.operator)[0]], node.length_ms
    moments = _moments(node)
    return lambda subject, now: in_any_span([span(moment, length) for moment in moments(subject)], now)


def _moments(node: _Timed) -> Callable[[Subject], list[int]]:
    if isinstance(node, ValueWindow):
        read = read_value(node.field)
        return lambda subject: moments_in(read(subject))
    if isinstance(node, Active):
        return lambda subject: [activity["last"] for activity in subject.activity.values()]
    return _seen(node.pixel, node.moment)


def _seen(of_pixel: int, of_moment: Moment) -> Callable[[Subject], list[int]]:
    pixel, moment = str(of_pixel), str(of_moment)

    def seen(subject: Subject) -> list[int]:
        activity = subject.activity.get(pixel)
        return [activity[moment]] if activity else []

    return seen


def _timed_group(group: Group) -> Predicate:
    """One decisive child decides, for as long as the most lasting of them; without one, all children hold
    the group where it is, until the first of them turns.
    """
    steady = tuple(_steady(child) for child in group.children if not changes_with_time(child))
    timed = tuple(_timed(child) for child in group.children if changes_with_time(child))
    decisive = group.combinator is Combinator.OR
    decided, undecided = decisive is not group.negated, decisive is group.negated

    def verdict(subject: Subject, now: int) -> Verdict:
        for part in steady:
            if part(subject) is decisive:
                return decided, None
        lasting, turning = now, None
        for predicate in timed:
            truth, until = predicate(subject, now)
            if truth is decisive:
                if until is None:
                    return decided, None
                lasting = max(lasting, until)
            elif until is not None:
                turning = until if turning is None else min(turning, until)
        return (decided, lasting) if lasting > now else (undecided, turning)

    return verdict
