"""What is counted of each activation: by whoever changes what is counted, in the same transaction; summed when read.

These are its deliveries by state, and the members of its audience whom its platform knows (`matched`). Every statement
that changes `wanted`, `acknowledged`, `due_at`, `claim` or `dead` of a delivery, or makes or deletes one, goes through
`DeliveryChanges`. It collects by how much the counts change and writes that at the end of the transaction, so that the
table `activation_count` says at any moment what a count of `delivery` would say. Absorb notes who becomes a matched
member and who ceases to be one; a bucket is counted when its backfill ends.

Each bucket and activation has two rows for each period (`core.count_periods`): `locked` is written by whoever holds the
bucket's lock, the other one by senders and by all others. So absorb never waits for senders here. Each row alone may be
negative; only sums count.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from psycopg import Cursor
from psycopg.pq import TransactionStatus

from core.arrays import Bools, Column, Ints, SmallInts, columns
from core.buckets import BUCKETS
from core.count_periods import PRESENT, CountTable

_STATES = {
    "wanted": "{0}.wanted",
    "acknowledged": "{0}.acknowledged",
    "due": "{0}.due_at IS NOT NULL",
    "in_flight": "{0}.due_at IS NOT NULL AND {0}.claim IS NOT NULL",
    "dead": "{0}.dead",
    "kept": "NOT {0}.wanted AND {0}.acknowledged IS DISTINCT FROM false AND {0}.due_at IS NULL AND NOT {0}.dead",
}


def _is(state: str, row: str) -> str:
    return f"(({_STATES[state].format(row)}) IS TRUE)::int"


# by how much a changed row changes the counts
CHANGES = ", ".join(f"{_is(state, 'new')} - {_is(state, 'old')} AS {state}" for state in _STATES)
_SUMS = ", ".join(f"sum({state})" for state in _STATES)
CHANGED = f"""
WITH changed AS (
{{statement}}
RETURNING coalesce(new.bucket, old.bucket) AS bucket, coalesce(new.activation_id, old.activation_id) AS activation_id,
          {CHANGES})
SELECT bucket, activation_id, count(*), {_SUMS} FROM changed GROUP BY bucket, activation_id
"""
_ADD_UP = """
ON CONFLICT (bucket, period, activation_id, locked) DO UPDATE SET
    wanted = stored.wanted + excluded.wanted, acknowledged = stored.acknowledged + excluded.acknowledged,
    due = stored.due + excluded.due, in_flight = stored.in_flight + excluded.in_flight,
    dead = stored.dead + excluded.dead, kept = stored.kept + excluded.kept, matched = stored.matched + excluded.matched
"""
_INSERT = f"""
INSERT INTO activation_count AS stored (bucket, period, activation_id, locked, {", ".join(_STATES)}, matched)
"""
# adds what `changed` says to the counts; all of it is changed before the first row of the counts is waited for
ADDED = f"""
{_INSERT}
SELECT bucket, {PRESENT}, activation_id, {{locked}}, {_SUMS}, 0 FROM changed GROUP BY bucket, activation_id
HAVING ({_SUMS}) <> ({", ".join("0" for _ in _STATES)})
ORDER BY bucket, activation_id
{_ADD_UP}
"""
# the same, and adds it to the counts at once; `besides`: other statements, each with a comma before it
COUNTED = f"""
WITH changed AS (
{{statement}}
RETURNING coalesce(new.bucket, old.bucket) AS bucket, coalesce(new.activation_id, old.activation_id) AS activation_id,
          {CHANGES}),
counted AS ({ADDED}){{besides}}
SELECT count(*) FROM changed
"""
ADD = f"""
{_INSERT}
SELECT bucket, {PRESENT}, activation_id, locked, {", ".join(_STATES)}, matched
FROM unnest(%s::smallint[], %s::int[], %s::bool[], %s::int[], %s::int[], %s::int[], %s::int[], %s::int[], %s::int[],
            %s::int[]) AS k (bucket, activation_id, locked, {", ".join(_STATES)}, matched)
{_ADD_UP}
"""
TABLE = CountTable("activation_count", ("activation_id", "locked"), (*_STATES, "matched"))
_COUNT_COLUMNS: tuple[type[Column], ...] = (SmallInts, Ints, Bools, *(Ints for _ in _STATES), Ints)
READ = f"""
SELECT activation_id, {_SUMS}, sum(matched) FROM activation_count
WHERE bucket = ANY(%s::smallint[]) AND activation_id = ANY(%s::int[]) GROUP BY activation_id
"""
# one statement sees the deliveries and their counts as of the same moment, whoever changes both meanwhile
DIFFERENCES = f"""
SELECT bucket, activation_id, {_SUMS} FROM (
    SELECT bucket, activation_id, {", ".join(f"{_is(state, 'delivery')} AS {state}" for state in _STATES)}
    FROM delivery WHERE bucket = ANY(%(buckets)s)
    UNION ALL
    SELECT bucket, activation_id, {", ".join(f"- {state}" for state in _STATES)}
    FROM activation_count WHERE bucket = ANY(%(buckets)s)) AS both_ways
GROUP BY bucket, activation_id
HAVING ({_SUMS}) <> ({", ".join("0" for _ in _STATES)})
ORDER BY bucket, activation_id
"""
# An activation that ends is matched no more. A bucket that is not filled yet is counted when it is.
MATCH_DIFFERENCES = """
SELECT b.bucket, b.activation_id, sum(b.matched) FROM (
    SELECT m.bucket, a.id AS activation_id, 1 AS matched
    FROM activation a JOIN membership m ON m.bucket = ANY(%(buckets)s) AND m.audience_id = a.audience_id AND m.member
    WHERE EXISTS (SELECT 1 FROM user_mapping x WHERE x.bucket = ANY(%(buckets)s) AND x.bucket = m.bucket
                  AND x.user_id = m.user_id AND x.platform_id = a.platform_id)
    UNION ALL
    SELECT bucket, activation_id, - matched FROM activation_count WHERE bucket = ANY(%(buckets)s)) AS b
JOIN activation a ON a.id = b.activation_id AND a.status <> 'ending'
WHERE NOT EXISTS (SELECT 1 FROM activation_backfill f WHERE f.bucket = b.bucket AND f.activation_id = b.activation_id)
GROUP BY b.bucket, b.activation_id
HAVING sum(b.matched) <> 0
ORDER BY b.bucket, b.activation_id
"""
RECOUNT_MATCHES = f"""
INSERT INTO activation_count AS stored (bucket, period, activation_id, locked, matched)
SELECT %(bucket)s, {PRESENT}, %(activation)s, true, count(*) - (
    SELECT coalesce(sum(matched), 0) FROM activation_count
    WHERE bucket = %(bucket)s AND activation_id = %(activation)s AND locked) FROM membership m
WHERE m.bucket = %(bucket)s AND m.audience_id = %(audience)s AND m.member AND EXISTS (
    SELECT 1 FROM user_mapping x
    WHERE x.bucket = %(bucket)s AND x.user_id = m.user_id AND x.platform_id = %(platform)s)
ON CONFLICT (bucket, period, activation_id, locked) DO UPDATE SET matched = stored.matched + excluded.matched
"""

# of buckets without members, where some left before the count was begun
NONE_MATCHED = f"""
INSERT INTO activation_count AS stored (bucket, period, activation_id, locked, matched)
SELECT bucket, {PRESENT}, activation_id, true, - sum(matched) FROM activation_count
WHERE bucket = ANY(%s::smallint[]) AND activation_id = %s AND locked
GROUP BY bucket, activation_id HAVING sum(matched) <> 0 ORDER BY bucket
ON CONFLICT (bucket, period, activation_id, locked) DO UPDATE SET matched = stored.matched + excluded.matched
"""

Key = tuple[int, int]  # bucket, activation


class Counts(NamedTuple):
    """Deliveries by state and matched members: of one activation, or by how many a change made them more.

    `due` are those to send, `in_flight` those of them that somebody has claimed. `kept`: no longer wanted, and nothing
    is sent about it. A delivery may be in several states. `matched`: members whom the platform knows.
    """

    wanted: int = 0
    acknowledged: int = 0
    due: int = 0
    in_flight: int = 0
    dead: int = 0
    kept: int = 0
    matched: int = 0


NONE = Counts()


class DeliveryChanges:
    """Changes of deliveries in one transaction, and by how much they change the counts.

    `locked`: the caller holds the locks of all buckets that it changes, so nobody else writes their counts, and each
    statement adds to them at once. Else `write` does, and for matched members. It is to be called once, as the last
    statement of the transaction that waits for rows: whoever waits there holds no row that others wait for.
    """

    __slots__ = ("_changes", "_locked", "cursor")

    def __init__(self, cursor: Cursor[Any], *, locked: bool) -> None:
        self.cursor = cursor
        self._locked = locked
        self._changes: dict[Key, list[int]] = {}

    def execute(self, statement: str, values: Any) -> int:
        """Run a plain INSERT, UPDATE or DELETE of deliveries. Returns the number of rows that it changed."""
        if self._locked:
            return _execute_counted(self.cursor, _counted_at_once(statement, "true"), values)
        self.cursor.execute(_counted(statement), values)
        rows = 0
        for bucket, activation, changed, *by in self.cursor:
            rows += changed
            self.add((bucket, activation), (*by, 0))
        return rows

    def add(self, key: Key, by: Sequence[int]) -> None:
        """Note by how much the counts of a bucket and activation change, in the order of `Counts`."""
        so_far = self._changes.get(key)
        self._changes[key] = list(by) if so_far is None else [a + b for a, b in zip(so_far, by, strict=True)]

    def add_matched(self, key: Key, by: int) -> None:
        """Note that so many members more are matched, in a bucket of users."""
        so_far = self._changes.get(key)
        if so_far is None:
            self._changes[key] = list(Counts(matched=by))
        else:
            so_far[-1] += by

    def recount_matched(self, key: Key, audience: int, platform: int) -> None:
        """Count the matched members of an activation in a bucket of users; reads all members of the bucket."""
        if key in self._changes:
            self._changes[key][-1] = 0  # what was noted is counted now
        bucket, activation = key
        values = {"bucket": bucket, "activation": activation, "audience": audience, "platform": platform}
        self.cursor.execute(RECOUNT_MATCHES, values)

    def none_matched(self, buckets: Collection[int], activation: int) -> None:
        """Note that there are no members of the activation's audience in these buckets of users."""
        for bucket in buckets:
            if (bucket, activation) in self._changes:
                self._changes[bucket, activation][-1] = 0
        self.cursor.execute(NONE_MATCHED, [SmallInts.of(sorted(buckets)), activation])

    def write(self) -> None:
        """Add what was collected to the counts."""
        rows = sorted((*key, self._locked, *by) for key, by in self._changes.items() if any(by))
        self._changes.clear()
        if rows:
            self.cursor.execute(ADD, columns(_COUNT_COLUMNS, rows))


@cache
def _counted(statement: str) -> str:
    return CHANGED.format(statement=statement)


@cache
def _counted_at_once(statement: str, locked: str, besides: str = "") -> str:
    return COUNTED.format(statement=statement, locked=locked, besides=besides)


def _execute_counted(cursor: Cursor[Any], statement: str, values: Any) -> int:
    row = cursor.execute(statement, values).fetchone()
    return 0 if row is None else int(row[0])


def change_once(cursor: Cursor[Any], statement: str, values: Any, *, besides: str = "") -> int:
    """Run a plain INSERT, UPDATE or DELETE of deliveries in buckets that the caller does not hold, and count it.

    For the only statement of a transaction that waits for rows. `besides`: part of the same statement, which may name
    `changed`. Returns the number of rows that it changed.
    """
    return _execute_counted(cursor, _counted_at_once(statement, "false", besides), values)


@contextmanager
def counted(cursor: Cursor[Any], *, locked: bool) -> Iterator[DeliveryChanges]:
    """Changes of deliveries that are counted at the end of the block.

    The block is a part of the open transaction; where none is open, it is a transaction of its own.
    """
    changes = DeliveryChanges(cursor, locked=locked)
    if cursor.connection.info.transaction_status is TransactionStatus.INTRANS:
        yield changes
        changes.write()
        return
    with cursor.connection.transaction():
        yield changes
        changes.write()


def read(cursor: Cursor[Any], activations: Collection[int]) -> dict[int, Counts]:
    """Returns the counts of these activations; those without any delivery so far are left out."""
    cursor.execute(READ, [SmallInts.of(range(BUCKETS)), Ints.of(sorted(activations))])
    return {activation: Counts(*sums) for activation, *sums in cursor}


def differences(cursor: Cursor[Any], buckets: Collection[int]) -> dict[Key, Counts]:
    """Returns by how much the counts are too low, where they are wrong.

    Reads all deliveries and all members of the buckets.
    """
    values = {"buckets": SmallInts.of(sorted(buckets))}
    cursor.execute(DIFFERENCES, values)
    found = {(bucket, activation): Counts(*sums) for bucket, activation, *sums in cursor}
    cursor.execute(MATCH_DIFFERENCES, values)
    for bucket, activation, matched in cursor:
        found[bucket, activation] = found.get((bucket, activation), NONE)._replace(matched=matched)
    return found
