"""Builds audiences in bulk: one statement compares what the rule's SQL says of many users with what is stored.

The caller holds the bucket's lock. A statement writes what `evaluation` would have written user by user: entries and
exits are counted, and the moment to look again is kept wherever time alone may change the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from audiences.compiled import CompiledAudience
from audiences.evaluation import Flip
from audiences.rules.dependencies import changes_with_time
from audiences.rules.nodes import Group
from audiences.rules.sql import SqlTables, to_sql
from audiences.rules.sql_until import until_sql
from core.arrays import Uuids
from core.clock import milliseconds

TABLES = SqlTables(membership="membership", mapping="user_mapping")
ELIGIBLE = "p.confirmed AND p.merged_into IS NULL AND NOT p.opted_out"

USER_OF_PAGE = """
SELECT p.user_id FROM profile p WHERE p.bucket = %s AND p.customer_id = %s AND p.user_id > %s
ORDER BY p.user_id OFFSET %s LIMIT 1
"""

# A moment that is stored, still to come and no later than the new one stays: looking early is harmless.
DIFFERENCE = """
WITH truth AS MATERIALIZED (
    SELECT p.user_id, {member} AS member, 'epoch'::timestamptz + {until} * interval '1 millisecond' AS until
    FROM profile p
    WHERE p.bucket = %(bucket)s AND p.customer_id = %(customer)s AND {eligible} AND {range}
), difference AS MATERIALIZED (
    SELECT t.user_id, t.member, t.member <> COALESCE(m.member, false) AS flipped,
           CASE WHEN t.member = m.member THEN m.since ELSE %(now)s::timestamptz END AS since,
           COALESCE(m.version, 0) + (t.member <> COALESCE(m.member, false))::int AS version, t.until
    FROM truth t
    LEFT JOIN membership m ON m.bucket = %(bucket)s AND m.audience_id = %(audience)s AND m.user_id = t.user_id
        AND {stored}
    WHERE t.member <> COALESCE(m.member, false)
       OR t.until < m.look_again_at
       OR ((m.look_again_at IS NULL OR m.look_again_at <= %(now)s::timestamptz)
           AND t.until IS DISTINCT FROM m.look_again_at)
), written AS (
    INSERT INTO membership (bucket, audience_id, user_id, customer_id, member, since, version, look_again_at)
    SELECT %(bucket)s, %(audience)s, user_id, %(customer)s, member, since, version, until
    FROM difference ORDER BY user_id
    ON CONFLICT (bucket, audience_id, user_id) DO UPDATE SET
        member = excluded.member, since = excluded.since, version = excluded.version,
        look_again_at = excluded.look_again_at
)
"""
FLIPS = "SELECT user_id, member, version FROM difference WHERE flipped"
COUNTS = "SELECT count(*) FILTER (WHERE member), count(*) FILTER (WHERE NOT member) FROM difference WHERE flipped"
IN_RANGE = "{of}.user_id > %(after)s AND {of}.user_id <= %(upto)s"
AMONG = "{of}.user_id = ANY(%(users)s)"

# Since the last ANALYZE the audience may have been built: planned for few members, a nested loop would compare every
# user of the page with every member of it.
# A page is read whole, in the order in which it lies on disk.
_PLAN = (
    "SELECT set_config('enable_hashjoin', '{whole}', true), set_config('enable_bitmapscan', '{whole}', true),"
    " set_config('enable_nestloop', '{by_key}', true)"
)
HASHED = _PLAN.format(whole="on", by_key="off")
PINNED = _PLAN.format(whole="off", by_key="on")
LAST = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class BuildResult:
    """How many users entered and left. `flips` names them only where the caller asked for names."""

    entered: int
    left: int
    flips: Sequence[Flip] = ()


@dataclass(frozen=True, slots=True)
class BuildPage:
    """Users of one customer in one bucket: those after the user `after`, up to and including `upto`.

    `is_empty`: there are none, so nothing is to be built.
    """

    bucket: int
    customer: int
    after: UUID
    upto: UUID = LAST
    is_empty: bool = False

    @property
    def is_last(self) -> bool:
        return self.upto == LAST


def next_page(cursor: Cursor[Any], bucket: int, customer: int, after: UUID, size: int) -> BuildPage:
    """Returns the page of the next `size` users, or of as many as there are. An empty one costs one look."""
    if cursor.execute(USER_OF_PAGE, [bucket, customer, after, 0]).fetchone() is None:
        return BuildPage(bucket, customer, after, is_empty=True)
    end = cursor.execute(USER_OF_PAGE, [bucket, customer, after, size - 1]).fetchone()
    return BuildPage(bucket, customer, after, LAST if end is None else end[0])


def build_page(
    cursor: Cursor[Any], audience: CompiledAudience, of: BuildPage, now: datetime, *, named: bool
) -> BuildResult:
    """Bring the memberships of a page to what the rule says now. `named`: return who entered and left, by name."""
    values = {"bucket": of.bucket, "after": of.after, "upto": of.upto}
    cursor.execute(HASHED)
    built = _write(cursor, audience, IN_RANGE, values, now, named=named)
    cursor.execute(PINNED)
    return built


def build_users(
    cursor: Cursor[Any], audience: CompiledAudience, bucket: int, users: Sequence[UUID], now: datetime
) -> BuildResult:
    """Bring the memberships of some users of a bucket to what the rule says now; return who entered and left."""
    ordered = sorted(users, key=lambda user: user.int)
    return _write(cursor, audience, AMONG, {"bucket": bucket, "users": Uuids.of(ordered)}, now, named=True)


def _write(
    cursor: Cursor[Any], audience: CompiledAudience, which: str, values: dict[str, Any], now: datetime, *, named: bool
) -> BuildResult:
    assert audience.rule is not None
    text, bound = _statement(audience.rule, which, milliseconds(now))
    everything = {**values, **bound, "customer": audience.customer, "audience": audience.id, "now": now}
    cursor.execute(f"{text} {FLIPS if named else COUNTS}", everything)
    if not named:
        entered, left = cursor.fetchone() or (0, 0)
        return BuildResult(entered, left)
    flips = [Flip(audience.customer, user, audience.id, member, version) for user, member, version in cursor]
    entered = sum(flip.member for flip in flips)
    return BuildResult(entered, len(flips) - entered, flips)


def _statement(rule: Group, which: str, now_ms: int) -> tuple[str, dict[str, Any]]:
    member, member_values = to_sql(rule, now_ms=now_ms, tables=TABLES)
    until, until_values = "NULL::bigint", list[Any]()
    if changes_with_time(rule):
        moment = until_sql(rule, now_ms=now_ms, tables=TABLES)
        until, until_values = moment.text, list(moment.values)
    names = [f"r{number}" for number in range(len(member_values) + len(until_values))]
    bound = dict(zip(names, [*member_values, *until_values], strict=True))
    text = DIFFERENCE.format(
        member=_named(member, names[: len(member_values)]),
        until=_named(until, names[len(member_values) :]),
        eligible=ELIGIBLE,
        range=which.format(of="p"),
        stored=which.format(of="m"),
    )
    return text, bound


def _named(text: str, names: list[str]) -> str:
    """Replace each `%s` by its name: only constants of the translator stand between them."""
    first, *rest = text.split("%s")
    return first + "".join(f"%({name})s{part}" for name, part in zip(names, rest, strict=True))
