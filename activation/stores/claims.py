"""Claim due rows before a request, under the lane's lease. A statement claims, counts and logs, and commits that.

A claim writes down, before the network is touched, that the platform's state is unknown from now on
(`acknowledged` is null), and counts the attempt. Whoever holds the lane may claim what an earlier holder left
claimed: its lease has run out, and its finish touches only rows that still bear its claim.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from activation.delivery.retry import SharingBound, sharing_bound
from activation.models import Batch
from activation.stores.activation_counts import ADDED, CHANGES
from activation.stores.batches import LOGGED
from activation.stores.due_marks import DueLook, DueMarks
from core.arrays import Ints, SmallInts
from integrations.connectors.base import Operation

# A row is the more suspect the oftener it has failed, and most of all when its sender died over it.
LEVEL = "attempts + CASE WHEN claim IS NULL THEN 0 ELSE 4 END"

# the first due row of each activation, in one operation
BUSY = f"""
SELECT a.id, front.level, front.bucket, front.due_at FROM unnest(%(activations)s) AS a (id) CROSS JOIN LATERAL (
    SELECT {LEVEL} AS level, bucket, due_at FROM delivery
    WHERE activation_id = a.id AND wanted = %(wanted)s AND bucket = ANY(%(buckets)s)
      AND due_at > %(since)s AND due_at <= %(now)s
    ORDER BY bucket, due_at LIMIT 1) AS front
"""
# the same in both
BUSY_IN_BOTH = f"""
SELECT w.wanted, a.id, front.level, front.bucket, front.due_at
FROM (VALUES (false, %(since_removals)s), (true, %(since_additions)s)) AS w (wanted, since)
CROSS JOIN unnest(%(activations)s) AS a (id) CROSS JOIN LATERAL (
    SELECT {LEVEL} AS level, bucket, due_at FROM delivery
    WHERE activation_id = a.id AND wanted = w.wanted AND bucket = ANY(%(buckets)s)
      AND due_at > w.since AND due_at <= %(now)s
    ORDER BY bucket, due_at LIMIT 1) AS front
"""

# The row is looked at once more as it is updated, for absorb may have changed it meanwhile; in a form that no
# index answers, or a table that was analysed while nothing was due is searched from this end.
CLAIM = f"""
WITH changed AS (
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
RETURNING d.bucket, d.activation_id, d.platform_user_id, d.user_id, d.attempts, old.acknowledged AS before,
          old.claim IS NOT NULL AS orphaned, {CHANGES}),
counted AS ({ADDED.format(locked="false")}),
logged AS ({LOGGED})
SELECT bucket, activation_id, platform_user_id, user_id, attempts, before, orphaned FROM changed
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
    """Where to look for due rows, and where their batch is logged.

    `activations`: of `platform`, in the order in which they get their turn.
    """

    platform: int
    buckets: list[int]
    activations: list[int]
    wanted: bool
    limit: int
    one_activation: bool
    log_bucket: int


class _Front(NamedTuple):
    """The first due row of an activation, in order of bucket and time."""

    activation: int
    level: int
    bucket: int
    due_at: datetime


class Fronts(NamedTuple):
    """What is due first in each activation that has something due, in one operation, as one look found it."""

    look: DueLook
    each: list[_Front]


@dataclass(slots=True)
class _ClaimSearch:
    """One search for due rows: what is asked for, and what was claimed."""

    scope: ClaimScope
    claim: Claim
    now: datetime
    bound: SharingBound | None = None

    @property
    def found(self) -> Claim | None:
        return self.claim if self.claim.rows else None

    @property
    def activations(self) -> list[int]:
        """Those of the rows that were claimed."""
        return sorted({row.activation for row in self.claim.rows})

    @property
    def room(self) -> int:
        """How many more rows may be claimed."""
        if self.bound is None or self.bound.rows is None:
            return self.scope.limit - len(self.claim.rows)
        return min(self.scope.limit, self.bound.rows) - len(self.claim.rows)

    def fronts(self, cursor: Cursor[Any], look: DueLook) -> Fronts:
        """Returns the first due row of each activation that has some."""
        chosen = self.activations if self.claim.rows and self.scope.one_activation else self.scope.activations
        cursor.execute(BUSY, {**self._where(look), "wanted": self.scope.wanted, "activations": Ints.of(chosen)})
        return Fronts(look, [_Front(*row) for row in cursor])

    def share(self, cursor: Cursor[Any], fronts: Fronts) -> bool:
        """Claim rows of these activations, shared fairly: first each gets its part, then those with more get the rest.

        How suspect the first row is decides, for the whole search, how few rows may go together. Returns whether all
        was claimed that was due there and may go together.
        """
        if not fronts.each:
            return True
        self.bound = self.bound or sharing_bound(fronts.each[0].level)
        found = fronts.each[:1] if self.scope.one_activation else fronts.each
        activations = [front.activation for front in found]
        greedy = self._claim(cursor, fronts.look, activations, -(-self.room // len(activations)))
        if greedy and len(activations) > 1 and self.room > 0:
            greedy = self._claim(cursor, fronts.look, greedy, self.room)
        return not greedy and found == fronts.each

    def _claim(self, cursor: Cursor[Any], look: DueLook, activations: Sequence[int], share: int) -> list[int]:
        """Claim up to `share` rows of each activation. Returns the activations that may have more."""
        assert self.bound is not None
        bounds = {"least": self.bound.least, "most": self.bound.most, "limit": self.room, "share": share}
        of = {"activations": Ints.of(activations), "wanted": self.scope.wanted, "claim": self.claim.id}
        cursor.execute(CLAIM, {**self._where(look), **bounds, **of, **self._log()})
        found = [ClaimedRow(*row) for row in cursor]
        self.claim.rows.extend(found)
        counts = dict.fromkeys(activations, 0)
        for row in found:
            counts[row.activation] += 1
        return [activation for activation, count in counts.items() if count >= share]

    def _where(self, look: DueLook) -> dict[str, Any]:
        return {"since": look.since, "buckets": SmallInts.of(look.buckets), "now": self.now}

    def _log(self) -> dict[str, Any]:
        return {
            "platform": self.scope.platform,
            "log_bucket": self.scope.log_bucket,
            "operation": self.claim.operation,
            "sending": Batch.Status.SENDING,
            "rows_before": len(self.claim.rows),
            "activations_before": Ints.of(self.activations),
        }


def look(
    cursor: Cursor[Any], buckets: list[int], activations: list[int], marks: Mapping[bool, DueMarks], now: datetime
) -> dict[bool, Fronts | None]:
    """Look for what is due in both operations, in one statement. `marks`: by whether rows are wanted.

    None for both where it takes several looks; `claim` makes them.
    """
    looks = {wanted: each.looks(buckets, now, activations) for wanted, each in marks.items()}
    if any(len(each) > 1 for each in looks.values()):
        return dict.fromkeys(looks)
    found = {wanted: Fronts(one, []) for wanted, (one,) in looks.items()}
    values = {"since_removals": found[False].look.since, "since_additions": found[True].look.since, "now": now}
    cursor.execute(BUSY_IN_BOTH, {**values, "buckets": SmallInts.of(buckets), "activations": Ints.of(activations)})
    for wanted, *front in cursor:
        found[wanted].each.append(_Front(*front))
    for wanted, fronts in found.items():
        marks[wanted].learn(fronts.look, now, _first(fronts.each))
    return {**found}


def claim(
    cursor: Cursor[Any],
    scope: ClaimScope,
    marks: DueMarks,
    claim_id: UUID,
    now: datetime,
    known: Fronts | None = None,
) -> Claim | None:
    """Claim up to `limit` due rows, shared fairly among the activations that have some, and log their batch.

    None where none is due. `known`: what a `look` has just found. Outside a transaction each statement commits, so what
    is claimed is counted and logged at any moment; inside one, nothing that waits for rows may follow.
    """
    search = _ClaimSearch(scope, Claim(claim_id, scope.wanted, []), now)
    if known is not None:
        if search.share(cursor, known):
            marks.learn(known.look, now)
        return search.found
    for look in marks.looks(scope.buckets, now, scope.activations):
        fronts = search.fronts(cursor, look)
        if not search.claim.rows or not scope.one_activation:
            marks.learn(look, now, _first(fronts.each))
        if search.share(cursor, fronts):
            marks.learn(look, now)
        if search.room <= 0:
            break
    return search.found


def _first(fronts: Sequence[_Front]) -> dict[int, datetime]:
    """The first bucket in which something is due, and since when."""
    if not fronts:
        return {}
    bucket = min(front.bucket for front in fronts)
    return {bucket: min(front.due_at for front in fronts if front.bucket == bucket)}


def part(claim: Claim, rows: list[ClaimedRow]) -> Claim:
    """Returns the claim with some of its rows only."""
    return replace(claim, rows=rows)
