"""Translates conditions on the days of the customer's time zone into SQL: whether they hold, and when to look again.

All moments are worked out here, from the same calendar as the predicate's: PostgreSQL may know other time zones.
"""

from collections.abc import Callable

from audiences.rules.calendar import FIRST_YEAR, LAST_YEAR, born_spans, month_span, near_days
from audiences.rules.nodes import CalendarTest
from audiences.rules.operators import Operator
from audiences.rules.sql_matching import any_element, moments_of
from audiences.rules.sql_text import Sql, compose, decimal_value, integer_value
from audiences.rules.values import END_OF_TIME_MS, seconds_text
from audiences.rules.windows import Span
from core.days import DAY_MS, LONGEST_DAY_MS, DayCalendar, calendar_of, date_of

LONGEST_MONTH_MS = 31 * DAY_MS + LONGEST_DAY_MS
FALSE, NEVER = Sql("false"), Sql("NULL::bigint")


def calendar_sql(value: Sql, node: CalendarTest, now: int) -> Sql:
    """Whether one of a value's moments, unix seconds, makes the condition hold now."""
    calendar = calendar_of(node.zone)
    if node.operator is Operator.ANNIVERSARY_WITHIN_NEXT:
        spans = born_spans(node.zone, *near_days(calendar, node.days, node.rest_ms, now))
        return any_element(value, "number", _in_spans(spans))
    present = _present(node, calendar, now)
    return FALSE if present is None else any_element(value, "number", _in_span(present))


def _present(node: CalendarTest, calendar: DayCalendar, now: int) -> Span | None:
    today = calendar.day_of(now)
    return calendar.span_of(today) if node.operator is Operator.IS_TODAY else month_span(calendar, today)


def _in_span(span: Span) -> Callable[[Sql], Sql]:
    start, end = (decimal_value(seconds_text(moment)) for moment in span)
    return lambda element: compose("({it} >= {start} AND {it} < {end})", it=element, start=start, end=end)


def _in_spans(spans: tuple[Span, ...]) -> Callable[[Sql], Sql]:
    ranges = Sql("%s::nummultirange", (f"{{{','.join(f'[{start // 1000},{end // 1000})' for start, end in spans)}}}",))
    template = "CASE jsonb_typeof({it}) WHEN 'number' THEN {ranges} @> ({it})::numeric ELSE false END"
    return lambda element: compose(template, ranges=ranges, it=element)


def calendar_until_sql(value: Sql, node: CalendarTest, now: int) -> Sql:
    """When to look again: never later than the condition turns, and later than now."""
    calendar, moments = calendar_of(node.zone), moments_of(value, "floor")
    if node.operator is Operator.ANNIVERSARY_WITHIN_NEXT:
        return _anniversary_until(moments, node, calendar, now)
    present = _present(node, calendar, now)
    if present is None:
        return NEVER
    longest = LONGEST_DAY_MS if node.operator is Operator.IS_TODAY else LONGEST_MONTH_MS
    return compose(
        "(SELECT CASE WHEN u.t < {ever} THEN u.t::bigint END FROM (SELECT LEAST("
        "min({end}) FILTER (WHERE t >= {start} AND t < {end}),"
        " min(GREATEST(t - {longest}, {end})) FILTER (WHERE t >= {end})) AS t FROM {moments}) AS u)",
        start=integer_value(present[0]),
        end=integer_value(present[1]),
        longest=integer_value(longest),
        ever=integer_value(END_OF_TIME_MS),
        moments=moments,
    )


def _anniversary_until(moments: Sql, node: CalendarTest, calendar: DayCalendar, now: int) -> Sql:
    """The days are counted as if the zone were UTC, and the look comes two days before the turn that they give: no zone
    is further away. Turns that may be over are looked at when the next one may come at all.
    """
    today = date_of(calendar.day_of(now))
    if today is None:
        return NEVER
    return compose(
        "(SELECT CASE WHEN u.t < {ever} THEN u.t::bigint END FROM (SELECT min(GREATEST(turn.t, {soonest})) AS t"
        " FROM (SELECT DATE '1970-01-01' + floor(t / {day_ms})::int AS d FROM {moments}"
        " WHERE t >= {first} AND t < {last}) AS born, generate_series({year} - 1, {year} + 3) AS of(year),"
        " LATERAL (SELECT ((d + make_interval(years => (of.year - extract(year FROM d))::int))::date"
        " - DATE '1970-01-01')::bigint AS day) AS found,"
        " LATERAL (VALUES ((found.day - {ahead} - 2) * {day_ms} - {rest}), ((found.day - 1) * {day_ms})) AS turn(t)"
        " WHERE turn.t + 4 * {day_ms} > {now}) AS u)",
        moments=moments,
        ever=integer_value(END_OF_TIME_MS),
        soonest=integer_value(_next_turn(calendar, node.rest_ms, now)),
        day_ms=integer_value(DAY_MS),
        first=integer_value((FIRST_YEAR - 1970) * 365 * DAY_MS - 100 * DAY_MS),
        last=integer_value((LAST_YEAR + 1 - 1970) * 366 * DAY_MS),
        year=integer_value(today.year),
        ahead=integer_value(node.days),
        rest=integer_value(node.rest_ms),
        now=integer_value(now),
    )


def _next_turn(calendar: DayCalendar, rest_ms: int, now: int) -> int:
    """Returns the next moment at which a day ends, or begins in `rest_ms`."""
    tomorrow = calendar.day_of(now) + 1
    starts = (calendar.start_of(day) - rest for day in range(tomorrow, tomorrow + 3) for rest in (0, rest_ms))
    return min(start for start in starts if start > now)
