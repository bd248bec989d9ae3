"""Claim due rows before a request, in one short transaction under the lane's lease.

A claim writes down, before the network is touched, that the platform's state is unknown from now on
(`acknowledged` is null), and counts the attempt. Whoever holds the lane may claim what an earlier holder left
claimed: its lease has run out, and its finish touches only rows that still bear its claim.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from activation.delivery.retry import SharingBound, sharing_bound
from activation.stores.activation_counts import Counts, counted
from activation.stores.due_marks import DueLook, DueMarks
from core.arrays import Ints, SmallInts
from integrations.connectors.base import Operation

# A row is the more suspect the oftener it has failed, and most of all when its sender died over it.
LEVEL = "attempts + CASE WHEN claim IS NULL THEN 0 ELSE 4 END"

BUSY = f"""
SELECT a.id, front.level, front.bucket, front.due_at FROM unnest(%(activations)s) AS a (id) CROSS JOIN LATERAL (
    SELECT {LEVEL} AS level, bucket, due_at FROM delivery
    WHERE activation_id = a.id AND wanted = %(wanted)s AND bucket = ANY(%(buckets)s)
      AND due_at > %(since)s AND due_at <= %(now)s
    ORDER BY bucket, due_at LIMIT 1) AS front
"""

# The row is looked at once more as it is updated, for absorb may have changed it meanwhile; in a form that no
# index answers, or a table that was analysed while nothing was due is searched from this end.
CLAIM = f"""
UPDATE delivery d SET claim = %(claim)s, attempts = d.attempts + 1, acknowledged = NULL
FROM (SELECT front.* FROM unnest(%(activations)s) AS a (id) CROSS JOIN LATERAL (
          SELECT bucket, activation_id, platform_user_id, acknowledged, claim, {LEVEL} AS level FROM delivery
          WHERE activation_id = a.id AND wanted = %(wanted)s AND bucket = ANY(%(buckets)s)
            AND due_at > %(since)s AND due_at <= %(now)s AND claim IS DISTINCT FROM %(claim)s
          ORDER BY bucket, due_at LIMIT %(share)s) AS front
      WHERE front.level BETWEEN %(least)s AND %(most)s
      ORDER BY bucket, activation_id, platform_user_id LIMIT %(limit)s) AS due
WHERE d.bucket = due.bucket AND d.activation_id = due.activation_id
  AND d.platform_user_id = due.platform_user_id AND d.wanted = %(wanted)s
  AND coalesce(d.due_at, 'infinity') <= %(now)s
RETURNING d.bucket, d.activation_id, d.platform_user_id, d.user_id, d.attempts, old.acknowledged,
          old.claim IS NOT NULL
"""


class ClaimedRow(NamedTuple):
    """A claimed delivery. `before`: what was acknowledged until then; `orphaned`: an earlier sender died over it."""

    bucket: int
    activation: int
    platform_user_id: str
    user_id: UUID
    attempts: int
    before: bool | None = None
    orphaned: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """Rows of one operation, marked with `id`."""

    id: UUID
    wanted: bool
    rows: list[ClaimedRow]

    @property
    def operation(self) -> Operation:
        return Operation.ADD if self.wanted else Operation.REMOVE


@dataclass(frozen=True, slots=True)
class ClaimScope:
    """Where to look for due rows; `activations` in the order in which they get their turn."""

    buckets: list[int]
    activations: list[int]
    wanted: bool
    limit: int
    one_activation: bool


class _Front(NamedTuple):
    """The first due row of an activation, in order of bucket and time."""

    activation: int
    level: int
    bucket: int
    due_at: datetime


@dataclass(slots=True)
class _ClaimSearch:
    """One search for due rows: what is asked for, and what was found."""

    scope: ClaimScope
    values: dict[str, Any]
    rows: list[ClaimedRow] = field(default_factory=list)
    bound: SharingBound | None = None

    @property
    def room(self) -> int:
        """How many more rows may be claimed."""
        if self.bound is None or self.bound.rows is None:
            return self.scope.limit - len(self.rows)
        return min(self.scope.limit, self.bound.rows) - len(self.rows)

    def fronts(self, cursor: Cursor[Any], look: DueLook) -> list[_Front]:
        """Returns the first due row of each activation that has some."""
        self.values |= {"since": look.since, "buckets": SmallInts.of(look.buckets)}
        chosen = [self.rows[0].activation] if self.rows and self.scope.one_activation else self.scope.activations
        cursor.execute(BUSY, {**self.values, "activations": Ints.of(chosen)})
        return [_Front(*row) for row in cursor]

    def share(self, cursor: Cursor[Any], fronts: Sequence[_Front]) -> None:
        """Claim rows of these activations, shared fairly: first each gets its part, then those with more get the rest.

        How suspect the first row is decides, for the whole search, how few rows may go together.
        """
        self.bound = self.bound or sharing_bound(fronts[0].level)
        found = fronts[:1] if self.scope.one_activation else fronts
        activations = [front.activation for front in found]
        greedy = self._claim(cursor, activations, -(-self.room // len(activations)))
        if greedy and len(activations) > 1 and self.room > 0:
            self._claim(cursor, greedy, self.room)

    def _claim(self, cursor: Cursor[Any], activations: Sequence[int], share: int) -> list[int]:
        """Claim up to `share` rows of each activation. Returns the activations that may have more."""
        assert self.bound is not None
        values = {**self.values, "least": self.bound.least, "most": self.bound.most, "limit": self.room}
        cursor.execute(CLAIM, {**values, "activations": Ints.of(activations), "share": share})
        found = [ClaimedRow(*row) for row in cursor]
        self.rows.extend(found)
        counts = dict.fromkeys(activations, 0)
        for row in found:
            counts[row.activation] += 1
        return [activation for activation, count in counts.items() if count >= share]


def claim(cursor: Cursor[Any], scope: ClaimScope, marks: DueMarks, claim_id: UUID, now: datetime) -> Claim | None:
    """Claim up to `limit` due rows, shared fairly among the activations that have some. None where none is due.

    Part of the open transaction, which must not touch deliveries afterwards.
    """
    search = _ClaimSearch(scope, {"wanted": scope.wanted, "now": now, "claim": claim_id})
    for look in marks.looks(scope.buckets, now, scope.activations):
        fronts = search.fronts(cursor, look)
        if not search.rows or not scope.one_activation:
            marks.learn(look, now, _first(fronts))
        if fronts:
            search.share(cursor, fronts)
        if search.room <= 0:
            break
    if not search.rows:
        return None
    with counted(cursor, locked=False) as changes:
        for row in search.rows:
            changes.add(row[:2], _change(row))
    return Claim(claim_id, scope.wanted, search.rows)


def _change(row: ClaimedRow) -> Counts:
    """Returns what the claim changed in the counts: the row is due before and after."""
    return Counts(acknowledged=-1 if row.before else 0, in_flight=0 if row.orphaned else 1)


def _first(fronts: Sequence[_Front]) -> dict[int, datetime]:
    """The first bucket in which something is due, and since when."""
    if not fronts:
        return {}
    bucket = min(front.bucket for front in fronts)
    return {bucket: min(front.due_at for front in fronts if front.bucket == bucket)}


def part(claim: Claim, rows: list[ClaimedRow]) -> Claim:
    """Returns the claim with some of its rows only."""
    return replace(claim, rows=rows)
