"""Sends what is due in one lane, claim by claim, until nothing is.

A `LaneWorker` holds the lane's lease and claims rows; a `BatchSender` sends one claim; the `PlatformClient` beneath
decides whether and when a request may go, with a `RateLimiter` and a `CircuitBreaker`.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from psycopg import Cursor

from activation.delivery import lanes, targets
from activation.delivery.batch_sender import BatchSender
from activation.delivery.circuit_breaker import BreakerState
from activation.delivery.lanes import Lease
from activation.delivery.members import MemberReader
from activation.delivery.platform_client import PlatformClient
from activation.delivery.settlement import Settlement
from activation.stores import batches, claims, dead_letters, deliveries
from activation.stores.batches import BatchRecord
from activation.stores.claims import Claim, ClaimScope, Fronts
from activation.stores.due_marks import DueMarks, marks_of
from activation.stores.outcomes import ClaimOutcomes
from core import clock
from core.database import Connection
from integrations.connectors.base import Strategy

# how long a holder stays in a lane after it has sent something, where a lane waits for rows to gather
STAY_SECONDS = 0.3
# how often a lane's log is looked at for batches of senders that died, although each gave the lane back
FULL_LOOK = timedelta(minutes=5)


class LogLooks:
    """When this process looked at each lane's log for batches of senders that died.

    A sender that died did not give its lane back, so whoever has it next looks. One that was stopped for longer than
    its lease, and died then, is found by a look now and then. The log of a busy platform has tens of thousands of
    batches an hour.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[int, int], datetime] = {}

    def is_due(self, lease: Lease, now: datetime) -> bool:
        """To be called when the lane was leased, by one who then looks."""
        key = lease.platform, lease.lane
        last = self._last.get(key)
        if last is not None and last <= now < last + FULL_LOOK and not lease.was_left:
            return False
        self._last[key] = now
        return True


_log_looks = LogLooks()


class LaneVisit(NamedTuple):
    """What came of a visit to a lane: how many rows (or segments) were taken on.

    `is_held_back`: nothing could be sent, whatever is due: the platform is not to be called now, or somebody else has
    the lane.
    """

    rows: int
    is_held_back: bool = False


HELD_BACK = LaneVisit(0, is_held_back=True)


def never() -> bool:
    return False


def drain(
    connection: Connection,
    platform: int,
    lane: int,
    keep_on: Callable[[], bool],
    may_stay: Callable[[], bool] = never,
) -> LaneVisit:
    """Send what is due in the lane, as long as `keep_on()`.

    If `may_stay()`, it looks again for a moment where nothing more is due: a visit costs more than some looks. Does
    nothing where somebody else holds the lane, or where the platform is not to be called now.
    """
    with connection.cursor(binary=True) as cursor:
        found = targets.look(cursor, platform)
        if found is None or found.target.connector.strategy is Strategy.FILE or not keep_on():
            return LaneVisit(0)
        at, buckets = clock.now(), lanes.buckets_of(lane)
        if found.breaker.holds_back(at):
            return HELD_BACK
        lease = lanes.lease(cursor, platform, lane, found.target.lease_duration, found.clock)
        if lease is None:
            return HELD_BACK
        if _log_looks.is_due(lease, at):
            batches.abandon(cursor, platform, lanes.log_bucket(lane), at)
        client = PlatformClient.of(connection, cursor, found.target, lease)
        return LaneVisit(LaneWorker(connection, cursor, client, buckets, may_stay).run(found.breaker, keep_on))


@dataclass(slots=True)
class LaneWorker:
    """One holder's time in a lane. It claims rows; only its `BatchSender`s record outcomes.

    `_has_letters`: whether the platform has dead letters; None: to be asked. Only the lane's holder writes some of its
    buckets.
    """

    connection: Connection
    cursor: Cursor[Any]
    client: PlatformClient
    buckets: list[int]
    may_stay: Callable[[], bool]
    _first: int = 0
    _sent_at: float | None = None
    _has_letters: bool | None = None

    def run(self, breaker: BreakerState, keep_on: Callable[[], bool]) -> int:
        """Send removals and additions in turn. Returns how many rows were taken on.

        `breaker`: as it has just been read. A lane without an answer stays leased until its lease has run out.
        """
        sent = 0
        state: BreakerState | None = breaker
        while state is not None and self.client.may_send(state):
            rows, goes_on = self._both_operations()
            sent += rows
            if not goes_on:
                break
            if rows == 0:
                self.client.decline()
                if not self._first and not self._stays():
                    break
            else:
                self._sent_at = time.monotonic()
            if rows < self.client.target.rows and not (rows == 0 and self._first):
                time.sleep(self._linger_seconds)
            self._first = self._next_first(rows)
            state = self._refresh() if keep_on() else None
        self.client.leave()
        return sent

    def _both_operations(self) -> tuple[int, bool]:
        """Send one claim of each operation. Returns the rows, and whether to go on."""
        rows = 0
        for wanted, fronts in self._look().items():
            if fronts is not None and not fronts.each:
                continue
            if not wanted and not self.client.target.connector.removal.is_sent:
                rows += self._drop_removals()
                continue
            sender = self._claim(fronts, wanted=wanted)
            if sender is None:
                continue
            rows += len(sender.claim.rows)
            goes_on = sender.run()
            if sender.record.accepted < sender.record.rows:
                self._has_letters = None
            if not goes_on:
                return rows, False
            if self.client.probing:
                break
        return rows, True

    @property
    def _linger_seconds(self) -> float:
        return self.client.target.connector.linger_ms / 1000

    def _stays(self) -> bool:
        """Whether to look again although nothing is due: as something was a moment ago, more is soon, as a rule."""
        if self._sent_at is None or not self._linger_seconds or self.client.probing:
            return False
        return time.monotonic() + self._linger_seconds < self._sent_at + STAY_SECONDS and self.may_stay()

    def _next_first(self, rows: int) -> int:
        """Buckets take turns in being the first: under load the last ones would wait for ever."""
        if rows < self.client.target.claimed_rows:
            return 0
        return (self._first + 1) % len(self.buckets)

    def _refresh(self) -> BreakerState | None:
        """Read the configuration again where it changed. Returns the breaker's state; None: nothing may be sent."""
        found = targets.look(self.cursor, self.client.target.platform)
        if found is None:
            return None
        self.client.target = found.target
        return found.breaker

    def _look(self) -> dict[bool, Fronts | None]:
        """What is due in each operation, removals first."""
        marks = {wanted: self._marks(wanted=wanted) for wanted in (False, True)}
        activations = sorted(self.client.target.segments)
        random.shuffle(activations)
        return claims.look(self.cursor, self.buckets[self._first :], activations, marks, clock.now())

    def _claim(self, fronts: Fronts | None, *, wanted: bool) -> BatchSender | None:
        """Claim rows and log that they are sent, while the lease outlasts what follows."""
        if not self.client.renew_lease():
            return None
        target, scope = self.client.target, self._scope(wanted=wanted)
        claim = claims.claim(self.cursor, scope, self._marks(wanted=wanted), uuid4(), clock.now(), fronts)
        if claim is None:
            return None
        record = BatchRecord(scope.log_bucket, claim.id, len(claim.rows))
        return BatchSender(
            client=self.client,
            members=MemberReader(self.cursor, target.connector, target.platform, target.segments),
            settlement=Settlement(self.client, self._outcomes(claim), record),
            record=record,
        )

    def _drop_removals(self) -> int:
        """Have no removal due, for a platform that is sent none: members leave while the lane is being drained, too.

        Returns how many were due; at most a page of them, so that nobody waits long for the rows.
        """
        if not self.client.renew_lease():
            return 0
        segments, marks, at = self.client.target.segments, self._marks(wanted=False), clock.now()
        for look in marks.looks(self.buckets, at, segments):
            dropped = deliveries.drop_removals(self.cursor, segments, look, at)
            if dropped:
                return dropped
            marks.learn(look, at)
        return 0

    def _marks(self, *, wanted: bool) -> DueMarks:
        return marks_of(self.client.target.platform, self.client.lease.lane, wanted)

    def _outcomes(self, claim: Claim) -> ClaimOutcomes:
        if self._has_letters is None:
            self._has_letters = dead_letters.exist(self.cursor, self.client.target.platform)
        return ClaimOutcomes(self.connection, self.cursor, claim, self._has_letters)

    def _scope(self, *, wanted: bool) -> ClaimScope:
        target = self.client.target
        activations = sorted(target.segments)
        random.shuffle(activations)
        single = self.client.probing and target.connector.batch_size == 1
        return ClaimScope(
            platform=target.platform,
            buckets=self.buckets[self._first :],
            activations=activations,
            wanted=wanted,
            limit=1 if single else target.claimed_rows,
            one_activation=target.connector.one_segment_a_request,
            log_bucket=lanes.log_bucket(self.client.lease.lane),
        )
