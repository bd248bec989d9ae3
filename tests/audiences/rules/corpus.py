"""The hand-written corpus: for every operator, which of these values match. Both readings are held to it."""

from dataclasses import dataclass, field
from typing import Any

from tests.audiences.rules.world import DAY, NOW, NOW_S, TODAY, rule

MISSING = object()

VALUES: dict[str, Any] = {
    "missing": MISSING,
    "null": None,
    "text empty": "",
    "text a": "a",
    "text A": "A",
    "text b": "b",
    "text abc": "abc",
    "text 1": "1",
    "text true": "true",
    "text é": "é",
    "text e+accent": "e\u0301",
    "text \uffff": "\uffff",
    "text 😀": "😀",
    "text '%s": "'%s",
    "number 0": 0,
    "number 1": 1,
    "number 1.5": 1.5,
    "number -2": -2,
    "number 2^53": 2**53,
    "number 2^53+1": 2**53 + 1,
    "number 2^63-1": 2**63 - 1,
    "number 2^63": 2**63,
    "number 1e300": 1e300,
    "number 5e-324": 5e-324,
    "true": True,
    "false": False,
    "list empty": [],
    "list null": [None],
    "list a": ["a"],
    "list abc b": ["abc", "b"],
    "list 1 a": [1, "a"],
    "list true": [True],
    "list 0 2^63": [0, 2**63],
    "list of list a": [["a"]],
    "list of list 1": [[1]],
    "list of object": [{"k": "a"}],
    "object": {"k": "a", "a": 1, "1": 1},
    "object empty": {},
}


@dataclass(frozen=True)
class OperatorRow:
    """A positive operator with a value, its negative where there is one, and the values that match."""

    operator: str
    negative: str | None
    value: Any
    matching: frozenset[str]


def row(operators: str, value: object, *matching: str) -> OperatorRow:
    positive, _, negative = operators.partition(" ")
    assert set(matching) <= set(VALUES), set(matching) - set(VALUES)
    return OperatorRow(positive, negative or None, value, frozenset(matching))


_ABOVE_A = ("text b", "text abc", "text é", "text e+accent", "text \uffff", "text 😀", "list abc b")
_LARGE = ("number 2^53", "number 2^53+1", "number 2^63-1", "number 2^63", "number 1e300", "list 0 2^63")

ROWS = [
    row("= !=", "a", "text a", "list a", "list 1 a"),
    row("= !=", "1", "text 1"),
    row("= !=", "", "text empty"),
    row("= !=", "é", "text é"),
    row("= !=", "'%s", "text '%s"),
    row("= !=", 1, "number 1", "list 1 a"),
    row("= !=", 1.0, "number 1", "list 1 a"),
    row("= !=", -0.0, "number 0", "list 0 2^63"),
    row("= !=", 1.5, "number 1.5"),
    row("= !=", 2**53, "number 2^53"),
    row("= !=", 2.0**53, "number 2^53"),
    row("= !=", 2**63 - 1, "number 2^63-1"),
    row("= !=", 2**63, "number 2^63", "list 0 2^63"),
    row("= !=", 1e300, "number 1e300"),
    row("= !=", True, "true", "list true"),
    row("= !=", False, "false"),
    row("<", "a", "text empty", "text A", "text 1", "text '%s"),
    row(">", "a", *_ABOVE_A, "text true"),
    row(">=", "a", *_ABOVE_A, "text true", "text a", "list a", "list 1 a"),
    row("<=", "A", "text empty", "text A", "text 1", "text '%s"),
    row(">", "\uffff", "text 😀"),
    row("<", 1, "number 0", "number -2", "number 5e-324", "list 0 2^63"),
    row("<=", 1, "number 0", "number -2", "number 5e-324", "number 1", "list 0 2^63", "list 1 a"),
    row(">", 1, "number 1.5", *_LARGE),
    row(">=", 1.5, "number 1.5", *_LARGE),
    row(">", 2.0**53, "number 2^53+1", "number 2^63-1", "number 2^63", "number 1e300", "list 0 2^63"),
    row(">", 2**63 - 1, "number 2^63", "number 1e300", "list 0 2^63"),
    row("between notBetween", [0, 1], "number 0", "number 1", "number 5e-324", "list 1 a", "list 0 2^63"),
    row("between notBetween", [1.5, 2**53], "number 1.5", "number 2^53"),
    row("between notBetween", ["a", "b"], "text a", "text b", "text abc", "list a", "list abc b", "list 1 a"),
    row("in notIn", ["a", "é"], "text a", "text é", "list a", "list 1 a"),
    row("in notIn", [1.0, "1"], "number 1", "text 1", "list 1 a"),
    row(
        "in notIn",
        ["a", "é", *range(10)],
        "text a",
        "text é",
        "list a",
        "list 1 a",
        "number 0",
        "number 1",
        "list 0 2^63",
    ),
    row(
        "in notIn",
        [2**63, *"uvwxyz", False, True],
        "number 2^63",
        "list 0 2^63",
        "true",
        "false",
        "list true",
    ),
    row("in notIn", [2**63, True], "number 2^63", "list 0 2^63", "true", "list true"),
    row("contains doesNotContain", "a", "text a", "text abc", "list a", "list 1 a"),
    row("contains doesNotContain", "bc", "text abc"),
    row("contains doesNotContain", "\u0301", "text e+accent"),
    row("contains doesNotContain", "%", "text '%s"),
    row("contains doesNotContain", 1, "list 1 a"),
    row("contains doesNotContain", True, "list true"),
    row("beginsWith doesNotBeginWith", "a", "text a", "text abc", "list a", "list abc b", "list 1 a"),
    row("beginsWith doesNotBeginWith", "e", "text e+accent"),
    row("endsWith doesNotEndWith", "bc", "text abc", "list abc b"),
    row("endsWith doesNotEndWith", "😀", "text 😀"),
    row(
        "beginsWith doesNotBeginWith",
        "",
        *(name for name in VALUES if name.startswith("text")),
        *("list a", "list abc b", "list 1 a"),
    ),
    row(
        "notNull null",
        None,
        *(name for name in VALUES if name not in {"missing", "null", "list empty", "list null"}),
    ),
]


@dataclass(frozen=True)
class RuleCase:
    """One rule about one profile at NOW: true or false, and until when."""

    rule: dict[str, Any]
    truth: bool
    until: int | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    activity: dict[str, Any] = field(default_factory=dict)


def at(value: object, operator: str, length: str, truth: bool, until: int | None = None) -> RuleCase:
    return RuleCase(rule("attribute.at", operator, length), truth, until, attributes={"at": value})


def seen(operator: str, length: str, truth: bool, until: int | None = None, *, first: int, last: int) -> RuleCase:
    activity = {"12": {"first": first, "last": last, "total": 1, "days": {}}}
    field_name = "pixel.12.last" if last != first else "pixel.12.first"
    return RuleCase(rule(field_name, operator, length), truth, until, activity=activity)


def counted(
    operator: str,
    value: object,
    truth: bool,
    until: int | None = None,
    *,
    days: int | None = None,
    **seen: int,
) -> RuleCase:
    """`d0=2`: seen twice today, `d1=1`: once yesterday, `f1=1`: once tomorrow."""
    by_day = {TODAY + int(day[1:]) * (-1 if day[0] == "d" else 1): n for day, n in seen.items()}
    stored = {
        "first": NOW,
        "last": NOW,
        "total": sum(by_day.values()),
        "days": {str(d): n for d, n in by_day.items()},
    }
    more = {} if days is None else {"days": days}
    return RuleCase(
        rule("pixel.12.count", operator, value, **more),
        truth,
        until,
        activity={"12": stored} if by_day else {},
    )


CASES = [
    # The window holds its newer end and not its older one.
    at(NOW_S, "withinLast", "P1D", True, NOW + DAY),
    at(NOW_S - 86_400, "withinLast", "P1D", False),
    at(NOW_S - 86_399, "withinLast", "P1D", True, NOW + 1000),
    at(NOW_S - 86_399.9995, "withinLast", "P1D", True, NOW + 1),
    at(NOW_S - 86_400 + 0.0001, "withinLast", "P1D", True, NOW + 1),
    at(NOW_S + 0.0001, "withinLast", "P1D", False, NOW + 1),
    at(NOW_S + 60, "withinLast", "P1D", False, NOW + 60_000),
    at(NOW_S - 0.001, "withinLast", "PT0.001S", False),
    at(NOW_S, "withinLast", "PT0.001S", True, NOW + 1),
    # Across a leap day and changes to and from summer time a day stays 86,400 seconds.
    at(NOW_S - 366 * 86_400 + 1, "withinLast", "P366D", True, NOW + 1000),
    at(NOW_S - 365 * 86_400, "withinLast", "P365D", False),
    at(NOW_S, "notWithinLast", "P1D", False, NOW + DAY),
    at(NOW_S - 86_400, "notWithinLast", "P1D", True),
    at(NOW_S, "withinNext", "P1D", False),
    at(NOW_S + 1, "withinNext", "P1D", True, NOW + 1000),
    at(NOW_S + 86_400, "withinNext", "P1D", True, NOW + DAY),
    at(NOW_S + 86_401, "withinNext", "P1D", False, NOW + 1000),
    at(NOW_S - 1, "withinNext", "P1D", False),
    # Lists, and values that are no moment.
    at([NOW_S - 86_399, NOW_S - 1, NOW_S + 5], "withinLast", "P1D", True, NOW + DAY - 1000),
    at([NOW_S - 90_000, NOW_S + 5, NOW_S + 7], "withinLast", "P1D", False, NOW + 5000),
    at([NOW_S - 90_000, "x", None, [NOW_S]], "withinLast", "P1D", False),
    at(str(NOW_S), "withinLast", "P1D", False),
    at(True, "withinLast", "P999999999W", False),
    at(None, "withinLast", "P1D", False),
    at(None, "notWithinLast", "P1D", True),
    at(2**63 - 1, "withinNext", "P1D", False),
    at(1e300, "notWithinLast", "P1D", True),
    RuleCase(rule("attribute.at", "notWithinLast", "P1D"), True),
    RuleCase(rule("attribute.at", "=", "2024-02-29T00:00:00Z"), True, attributes={"at": NOW_S}),
    RuleCase(rule("attribute.at", "=", "2024-02-29"), True, attributes={"at": NOW_S}),
    RuleCase(rule("attribute.at", "<", "2024-02-29T01:00:00.5+01:00"), True, attributes={"at": NOW_S + 0.25}),
    # Activity.
    seen("withinLast", "PT30M", True, NOW + 1, first=0, last=NOW - 1_800_000 + 1),
    seen("withinLast", "PT30M", False, first=0, last=NOW - 1_800_000),
    seen("notWithinLast", "PT30M", True, NOW + 1, first=0, last=NOW + 1),
    seen("withinLast", "P1W", True, NOW + 7 * DAY, first=NOW, last=NOW),
    RuleCase(rule("pixel.12.last", "withinLast", "P1D"), False),
    RuleCase(rule("pixel.12.last", "notWithinLast", "P1D"), True),
    RuleCase(rule("pixel.12.first", "notWithinLast", "P1D"), True),
    counted("=", 0, True),
    counted("<", 1, True, days=180),
    counted(">=", 1, False),
    counted("=", 3, True, d0=1, d200=2),
    counted("=", 3.0, True, d0=1, d200=2),
    counted("!=", 3, False, d0=1, d200=2),
    counted("between", [3, 4], True, d0=4),
    counted("between", [5, 6], False, d0=4),
    counted(">=", 3, True, NOW + DAY, d0=1, d29=2, days=30),
    counted(">=", 3, False, d0=1, d30=2, days=30),
    counted(">=", 1, True, NOW + DAY, d0=1, days=1),
    counted(">=", 3, True, NOW + 29 * DAY, d0=2, d1=1, d29=7, days=30),
    counted("<=", 2, False, NOW + 180 * DAY, d0=3, days=180),
    counted(">=", 2, False, NOW + DAY, d0=1, f1=1, days=30),
    counted("=", 1, True, NOW + 3 * DAY, d0=1, f3=1, days=30),
    counted("!=", 0, True, NOW + 12 * DAY, d3=1, days=15),
    counted(">=", 3, True, NOW + DAY, d29=3, f3=3, days=30),
    counted(">=", 2, False, NOW + DAY, d0=1, f1=1, f3=1, days=30),
]
