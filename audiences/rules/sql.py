"""The reading of a rule in SQL: a boolean expression over profile rows, every value bound."""

from dataclasses import dataclass, fields
from typing import Any

from audiences.rules.nodes import (
    Active,
    ActivityWindow,
    Belonging,
    BelongingKind,
    CalendarTest,
    Condition,
    CountTest,
    Group,
    Listed,
    MomentField,
    Node,
    SplitTest,
    ValueField,
    ValueSource,
    ValueTest,
    ValueWindow,
)
from audiences.rules.operators import polarity
from audiences.rules.sql_calendar import calendar_sql
from audiences.rules.sql_matching import count_sql, moments_around, value_sql, value_window_sql
from audiences.rules.sql_text import Sql, compose, integer_value, integers_value, join, text_value
from core.days import calendar_of
from core.patterns import whole

_TABLE = whole(r"[a-z_][a-z0-9_]{0,62}+(?:\.[a-z_][a-z0-9_]{0,62}+)?+")


@dataclass(frozen=True, slots=True)
class SqlTables:
    """Where memberships (bucket, audience_id, user_id, member), platform ids (bucket, platform_id, user_id) and lists
    (bucket, audience_id, user_id, listed) are kept. ValueError for anything that is not a plain lower-case table name.
    """

    membership: str
    mapping: str
    listed: str = "listed_user"

    def __post_init__(self) -> None:
        for table in fields(self):
            if not _TABLE(getattr(self, table.name)):
                raise ValueError(f"{table.name} must be a plain table name")


def to_sql(node: Node, *, now_ms: int, tables: SqlTables) -> tuple[str, list[Any]]:
    """Returns an expression, true or false and never NULL, over a profile row `p` (bucket, user_id, attributes,
    dimensions, activity), and the values for its `%s`, as psycopg takes them.
    """
    sql = Translator(now_ms, tables).node(node)
    return sql.text, list(sql.values)


@dataclass(frozen=True, slots=True)
class Translator:
    """Translates for one moment; `node` returns the expression of a tree or of a part of it."""

    now: int
    tables: SqlTables

    def node(self, node: Node) -> Sql:
        if isinstance(node, Group):
            joined = join(node.combinator.upper(), [self.node(child) for child in node.children])
            return _not(joined) if node.negated else joined
        positive = self.condition(node)
        return _not(positive) if polarity(node.operator)[1] else compose("({it})", it=positive)

    def condition(self, node: Condition) -> Sql:
        """Returns the expression of a condition by its positive operator."""
        positive, _ = polarity(node.operator)
        match node:
            case ValueTest():
                found = value_sql(value_of(node.field), positive, node.operand)
            case ValueWindow():
                found = value_window_sql(value_of(node.field), positive, node.length_ms, self.now)
            case CalendarTest():
                found = calendar_sql(time_of(node.field), node, self.now)
            case CountTest():
                found = count_sql(self.count(node), positive, node.operand)
            case ActivityWindow():
                found = self.activity_window(node)
            case Belonging():
                found = self.belonging(node)
            case SplitTest():
                found = split_sql(node)
            case Active():
                found = self.active(node)
            case Listed():
                found = self.listed(node)
        return found

    def count(self, node: CountTest) -> Sql:
        activity = key_of(Sql("p.activity"), str(node.pixel))
        if node.days is None:
            return compose("COALESCE(({activity} ->> 'total')::bigint, 0)", activity=activity)
        today = calendar_of(node.zone).day_of(self.now)
        return compose(
            "COALESCE((SELECT sum(d.seen::bigint) FROM jsonb_each_text({activity} -> 'days') AS d(day, seen)"
            " WHERE d.day::bigint > {before} AND d.day::bigint <= {today}), 0)",
            activity=activity,
            before=integer_value(today - node.days),
            today=integer_value(today),
        )

    def activity_window(self, node: ActivityWindow) -> Sql:
        after, until = moments_around(polarity(node.operator)[0], node.length_ms, self.now)
        return compose(
            "(({activity} ->> {moment})::bigint BETWEEN {first} AND {last}) IS TRUE",
            activity=key_of(Sql("p.activity"), str(node.pixel)),
            moment=text_value(node.moment.value),
            first=integer_value(after + 1),
            last=integer_value(until),
        )

    def active(self, node: Active) -> Sql:
        after, until = moments_around(node.operator, node.length_ms, self.now)
        return compose(
            "EXISTS (SELECT 1 FROM jsonb_each(p.activity) AS a(pixel, seen)"
            " WHERE (a.seen ->> 'last')::bigint BETWEEN {first} AND {last})",
            first=integer_value(after + 1),
            last=integer_value(until),
        )

    def belonging(self, node: Belonging) -> Sql:
        ids = integers_value(node.ids)
        if node.kind is BelongingKind.AUDIENCE:
            return compose(
                "EXISTS (SELECT 1 FROM {table} m WHERE m.bucket = p.bucket AND m.audience_id = ANY({ids})"
                " AND m.user_id = p.user_id AND m.member)",
                table=Sql(self.tables.membership),
                ids=ids,
            )
        return compose(
            "EXISTS (SELECT 1 FROM {table} x WHERE x.bucket = p.bucket AND x.platform_id = ANY({ids})"
            " AND x.user_id = p.user_id)",
            table=Sql(self.tables.mapping),
            ids=ids,
        )

    def listed(self, node: Listed) -> Sql:
        return compose(
            "EXISTS (SELECT 1 FROM {table} l WHERE l.bucket = p.bucket AND l.audience_id = {audience}"
            " AND l.user_id = p.user_id AND l.listed)",
            table=Sql(self.tables.listed),
            audience=integer_value(node.audience),
        )


def split_sql(node: SplitTest) -> Sql:
    return compose(
        "(('x' || left(md5({name} || ':' || p.user_id::text), 8))::bit(32)::bigint BETWEEN {low} AND {high})",
        name=text_value(node.name),
        low=integer_value(node.low),
        high=integer_value(node.high - 1),
    )


def _not(sql: Sql) -> Sql:
    return compose("NOT ({it})", it=sql)


def key_of(value: Sql, key: str) -> Sql:
    """Returns what an object holds under a key; `->` with text, unlike `#>`, enters no list."""
    return compose("({value} -> {key})", value=value, key=text_value(key))


def time_of(field: ValueField | MomentField) -> Sql:
    """Returns a time as JSON: unix seconds. NULL: there is none."""
    if isinstance(field, ValueField):
        return value_of(field)
    seen = key_of(Sql("p.activity"), str(field.pixel))
    template = "to_jsonb(({seen} ->> {moment})::numeric / 1000)"
    return compose(template, seen=seen, moment=text_value(field.moment.value))


def value_of(field: ValueField) -> Sql:
    value = Sql("p.dimensions" if field.source is ValueSource.DIMENSION else "p.attributes")
    for key in field.keys:
        value = key_of(value, key)
    return value
