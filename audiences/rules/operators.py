"""The operators, the types of attributes, and which operators fit what.

A negative operator is the negation of its positive, nothing else.
"""

from enum import StrEnum
from typing import Literal

AttributeType = Literal["string", "number", "integer", "boolean", "time", "mixed"]


class Operator(StrEnum):
    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    MORE = ">"
    MORE_OR_EQUAL = ">="
    BETWEEN = "between"
    NOT_BETWEEN = "notBetween"
    IN = "in"
    NOT_IN = "notIn"
    CONTAINS = "contains"
    DOES_NOT_CONTAIN = "doesNotContain"
    BEGINS_WITH = "beginsWith"
    DOES_NOT_BEGIN_WITH = "doesNotBeginWith"
    ENDS_WITH = "endsWith"
    DOES_NOT_END_WITH = "doesNotEndWith"
    NULL = "null"
    NOT_NULL = "notNull"
    WITHIN_LAST = "withinLast"
    NOT_WITHIN_LAST = "notWithinLast"
    WITHIN_NEXT = "withinNext"
    IS_TODAY = "isToday"
    IS_THIS_MONTH = "isThisMonth"
    ANNIVERSARY_WITHIN_NEXT = "anniversaryWithinNext"


_POSITIVE = {
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.NOT_BETWEEN: Operator.BETWEEN,
    Operator.NOT_IN: Operator.IN,
    Operator.DOES_NOT_CONTAIN: Operator.CONTAINS,
    Operator.DOES_NOT_BEGIN_WITH: Operator.BEGINS_WITH,
    Operator.DOES_NOT_END_WITH: Operator.ENDS_WITH,
    Operator.NULL: Operator.NOT_NULL,
    Operator.NOT_WITHIN_LAST: Operator.WITHIN_LAST,
}


def polarity(operator: Operator) -> tuple[Operator, bool]:
    """The positive operator behind this one, and whether this one negates it."""
    return _POSITIVE.get(operator, operator), operator in _POSITIVE


def _with_negatives(*positives: Operator) -> frozenset[Operator]:
    return frozenset(operator for operator in Operator if polarity(operator)[0] in positives)


EQUALITY = _with_negatives(Operator.EQUAL, Operator.IN, Operator.CONTAINS, Operator.NOT_NULL)
ORDER = _with_negatives(Operator.LESS, Operator.LESS_OR_EQUAL, Operator.MORE, Operator.MORE_OR_EQUAL, Operator.BETWEEN)
TEXT = _with_negatives(Operator.BEGINS_WITH, Operator.ENDS_WITH)
WINDOWS = _with_negatives(Operator.WITHIN_LAST, Operator.WITHIN_NEXT)
CALENDAR = _with_negatives(Operator.IS_TODAY, Operator.IS_THIS_MONTH, Operator.ANNIVERSARY_WITHIN_NEXT)
"""Those that ask in which of the customer's days a time lies."""
PRESENCE = _with_negatives(Operator.NOT_NULL)

OF_TYPE: dict[AttributeType, frozenset[Operator]] = {
    "string": EQUALITY | ORDER | TEXT,
    "number": EQUALITY | ORDER,
    "integer": EQUALITY | ORDER,
    "boolean": EQUALITY,
    "time": EQUALITY | ORDER | WINDOWS | CALENDAR,
    "mixed": frozenset(Operator),
}
OF_COUNT = _with_negatives(Operator.EQUAL) | ORDER - {Operator.NOT_BETWEEN}
OF_MOMENT = _with_negatives(Operator.WITHIN_LAST) | CALENDAR
OF_SPLIT = ORDER
OF_BELONGING = _with_negatives(Operator.IN)
