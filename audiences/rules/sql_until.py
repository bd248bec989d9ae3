"""Translates into SQL until when the answer of a rule holds: the moment to look again, as the predicate gives it or
earlier.

Windows answer exactly as `windows.in_any_span` does. A count in the last days holds until the day leaves the
window with which it falls below what the test asks. A group holds until the first of its parts may turn; never,
where a part decides it for good.
"""

from audiences.rules.dependencies import changes_with_time
from audiences.rules.nodes import (
    Active,
    ActivityWindow,
    CalendarTest,
    Combinator,
    CountTest,
    Group,
    Node,
    ValueWindow,
)
from audiences.rules.operators import Operator, polarity
from audiences.rules.sql import SqlTables, Translator, key_of, time_of, value_of
from audiences.rules.sql_calendar import calendar_until_sql
from audiences.rules.sql_matching import moments_of
from audiences.rules.sql_text import Sql, compose, integer_value, join, join_list, text_value
from audiences.rules.values import END_OF_TIME_MS
from core.days import DAY_MS, UTC_DAYS, DayCalendar, calendar_of

NEVER = Sql("NULL::bigint")


def until_sql(node: Node, *, now_ms: int, tables: SqlTables) -> Sql:
    """Returns a bigint over a profile row `p`: unix ms later than now, or NULL for never."""
    return _until(node, Translator(now_ms, tables))


def _until(node: Node, reading: Translator) -> Sql:
    found = NEVER
    match node:
        case Group():
            found = _group(node, reading)
        case ActivityWindow():
            seen = key_of(Sql("p.activity"), str(node.pixel))
            moment = compose("({seen} ->> {moment})::bigint", seen=seen, moment=text_value(node.moment.value))
            found = _of_moments(compose("(SELECT {moment} AS t) AS moments", moment=moment), node, reading.now)
        case Active():
            moments = Sql(
                "(SELECT (a.seen ->> 'last')::bigint AS t FROM jsonb_each(p.activity) AS a(pixel, seen)) AS m"
            )
            found = _of_moments(moments, node, reading.now)
        case ValueWindow():
            found = _of_moments(moments_of(value_of(node.field), "ceil"), node, reading.now)
        case CalendarTest():
            found = calendar_until_sql(time_of(node.field), node, reading.now)
        case CountTest() if node.days is not None:
            found = _of_count(node, node.days, reading.now)
    return found


def _of_moments(moments: Sql, node: ActivityWindow | Active | ValueWindow, now: int) -> Sql:
    """Inside a window until the last of those around now ends; outside until the next one begins."""
    ahead = polarity(node.operator)[0] is Operator.WITHIN_NEXT
    before, after = (node.length_ms, 0) if ahead else (0, node.length_ms)
    return compose(
        "(SELECT CASE WHEN u.t < {end} THEN u.t::bigint END FROM (SELECT COALESCE("
        "max(t + {after}) FILTER (WHERE t - {before} <= {now} AND t + {after} > {now}),"
        " min(t - {before}) FILTER (WHERE t - {before} > {now})) AS t FROM {moments}) AS u)",
        moments=moments,
        before=integer_value(before),
        after=integer_value(after),
        now=integer_value(now),
        end=integer_value(END_OF_TIME_MS),
    )


def _of_count(node: CountTest, days: int, now: int) -> Sql:
    """When the count falls below the highest mark that it reaches now, or a day ahead begins.

    The days are unfolded once, which is what a look at a profile costs: `upto` is how often the user was seen from
    that day to today, and NULL for days ahead.
    """
    calendar = calendar_of(node.zone)
    today = calendar.day_of(now)
    ends = [
        compose("max(c.day + {days}) FILTER (WHERE c.upto >= {mark})", days=integer_value(days), mark=_numeric(mark))
        for mark in _marks(node)
    ]
    begins = compose("min(c.day) FILTER (WHERE c.day > {today})", today=integer_value(today))
    return compose(
        "(SELECT {start} FROM (SELECT LEAST{ends} AS day FROM (SELECT d.day::bigint AS day,"
        " sum(d.seen::bigint) FILTER (WHERE d.day::bigint <= {today}) OVER (ORDER BY d.day::bigint DESC) AS upto"
        " FROM jsonb_each_text({seen} -> 'days') AS d(day, seen) WHERE d.day::bigint > {before}) AS c) AS turn)",
        start=_start_of(Sql("turn.day"), calendar, today, days),
        ends=join_list([*ends, begins]),
        today=integer_value(today),
        seen=key_of(Sql("p.activity"), str(node.pixel)),
        before=integer_value(today - days),
    )


def _start_of(day: Sql, calendar: DayCalendar, today: int, ahead: int) -> Sql:
    """When a day begins. Of a zone, the starts of the next `ahead` days are told; a later day is taken for the last."""
    if calendar is UTC_DAYS:
        return compose("{day} * {day_ms}", day=day, day_ms=integer_value(DAY_MS))
    starts = [calendar.start_of(one) for one in range(today + 1, today + ahead + 2)]
    return compose(
        "({starts})[LEAST({day} - {today}, {last})]",
        starts=Sql("%s::bigint[]", (starts,)),
        day=day,
        today=integer_value(today),
        last=integer_value(len(starts)),
    )


def _numeric(value: int) -> Sql:
    return Sql("%s::numeric", (value,))


def _marks(node: CountTest) -> list[int]:
    """The counts at which the test turns, from above; reaching zero is nothing to fall below."""
    low, high = node.operand if isinstance(node.operand, tuple) else (node.operand, node.operand)
    match polarity(node.operator)[0]:
        case Operator.MORE_OR_EQUAL | Operator.LESS:
            marks = [low]
        case Operator.MORE | Operator.LESS_OR_EQUAL:
            marks = [low + 1]
        case _:
            marks = [low, high + 1]
    return [mark for mark in marks if mark > 0]


def _group(group: Group, reading: Translator) -> Sql:
    decisive = group.combinator is Combinator.OR
    timed = [child for child in group.children if changes_with_time(child)]
    if not timed:
        return NEVER
    untils = [_until(child, reading) for child in timed]
    settled = [_decides(child, decisive, reading) for child in group.children if not changes_with_time(child)]
    if len(timed) > 1:
        settled += [
            compose("({decides} AND {until} IS NULL)", decides=_decides(child, decisive, reading), until=until)
            for child, until in zip(timed, untils, strict=True)
            if not isinstance(child, Group)
        ]
    first = untils[0] if len(untils) == 1 else compose("LEAST{parts}", parts=join_list(untils))
    if not settled:
        return first
    return compose("CASE WHEN {settled} THEN NULL ELSE {first} END", settled=join("OR", settled), first=first)


def _decides(child: Node, decisive: bool, reading: Translator) -> Sql:
    truth = reading.node(child)
    return truth if decisive else compose("NOT ({truth})", truth=truth)
