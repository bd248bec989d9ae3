"""Counts to which something is added all the time: a row for each period, and one for all that is past.

While a snapshot is held (a dump, a report), PostgreSQL keeps all versions of a row, and each addition to it reads past
them: in ten minutes, adding became twenty times as slow. So additions go to rows of the present period, and rows of
past periods are summed up into one now and then. Whoever reads a count sums up its rows.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Cursor

from core.arrays import SmallInts
from core.buckets import BUCKETS

SECONDS = 20
# by the database's clock, which all machines share
PRESENT = f"(extract(epoch FROM now())::bigint / {SECONDS})::int"
PAST = 0
"""The period of the row that holds all that was summed up."""

# a transaction that began before a period was over may still add to it
SLACK = 3
PASS_SECONDS = 2.0
FULL_LOOK_SECONDS = 1_800.0


@dataclass(frozen=True, slots=True)
class CountTable:
    """A table with the primary key (bucket, period, and `key`).

    `sums` and `greatest`: the columns that are added up, and those of which the greatest counts. Others keep what the
    row of the past has.
    """

    name: str
    key: tuple[str, ...]
    sums: tuple[str, ...]
    greatest: tuple[str, ...] = ()

    @property
    def statement(self) -> str:
        """Sums up periods of some buckets."""
        key, columns = ", ".join(self.key), (*self.sums, *self.greatest)
        found = [f"sum({column})" for column in self.sums] + [f"max({column})" for column in self.greatest]
        added = [f"{column} = kept.{column} + excluded.{column}" for column in self.sums]
        added += [f"{column} = greatest(kept.{column}, excluded.{column})" for column in self.greatest]
        return f"""
WITH past AS (
DELETE FROM {self.name} WHERE bucket = ANY(%(buckets)s) AND period > %(since)s AND period < {PRESENT} - 1
RETURNING bucket, {key}, {", ".join(columns)})
INSERT INTO {self.name} AS kept (bucket, period, {key}, {", ".join(columns)})
SELECT bucket, {PAST}, {key}, {", ".join(found)} FROM past GROUP BY bucket, {key} ORDER BY bucket, {key}
ON CONFLICT (bucket, period, {key}) DO UPDATE SET {", ".join(added)}
"""


class CountSummer:
    """Sums up past periods of counts, in buckets whose locks are held, a few times in each period.

    It begins where it has been, because what it deleted is read past, too. Once in a while it looks at all periods.
    """

    __slots__ = ("_done", "_full_look_at", "_next_pass", "_statements", "_unsettled")

    def __init__(self, tables: Collection[CountTable]) -> None:
        self._statements = [table.statement for table in tables]
        self._done = [PAST] * BUCKETS
        self._unsettled: tuple[Sequence[int], int] = ((), PAST)
        began = time.monotonic()
        self._next_pass, self._full_look_at = began + SECONDS, began + FULL_LOOK_SECONDS

    def sum_up(self, cursor: Cursor[Any], held: Collection[int]) -> None:
        """Sum up what is past in these buckets, as the last thing in their transaction, if it is time."""
        at = time.monotonic()
        if at < self._next_pass:
            return
        if at >= self._full_look_at:
            self._done = [PAST] * BUCKETS
            self._full_look_at = at + FULL_LOOK_SECONDS
        self._next_pass = at + PASS_SECONDS
        (period,) = cursor.execute(f"SELECT {PRESENT} - 2").fetchone() or (PAST,)
        due = [bucket for bucket in sorted(held) if self._done[bucket] < period]
        if not due:
            return
        since = max(PAST, min(self._done[bucket] for bucket in due) - SLACK)
        for statement in self._statements:
            cursor.execute(statement, {"buckets": SmallInts.of(due), "since": since})
        self._unsettled = due, period

    def committed(self) -> None:
        """The transaction is committed."""
        buckets, period = self._unsettled
        for bucket in buckets:
            self._done[bucket] = period
        self._unsettled = (), PAST
