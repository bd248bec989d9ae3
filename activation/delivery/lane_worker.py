"""Sends what is due in one lane, claim by claim, until nothing is.

A `LaneWorker` holds the lane's lease and claims rows; a `BatchSender` sends one claim; the `PlatformClient` beneath
decides whether and when a request may go, with a `RateLimiter` and a `CircuitBreaker`.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from psycopg import Cursor

from activation.delivery import lanes, targets
from activation.delivery.batch_sender import BatchSender
from activation.delivery.members import MemberReader
from activation.delivery.platform_client import PlatformClient
from activation.delivery.settlement import Settlement
from activation.stores import batches, claims, dead_letters, deliveries
from activation.stores.batches import BatchRecord
from activation.stores.claims import Claim, ClaimScope
from activation.stores.due_marks import DueMarks, marks_of
from activation.stores.outcomes import ClaimOutcomes
from core import clock
from core.database import Connection
from integrations.connectors.base import Strategy

# how often a lane's log is looked at for batches of senders that died, also for old ones
FULL_LOOK = timedelta(minutes=5)
SLACK = timedelta(seconds=10)


class FormerSenders:
    """Since when a sender may have died over batches of each lane: since this process last had the lane.

    The log of a busy platform has tens of thousands of batches an hour. All of them are looked at now and then only,
    because the clocks of machines may differ.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[int, int], datetime] = {}
        self._full: dict[tuple[int, int], datetime] = {}

    def since(self, platform: int, lane: int, now: datetime) -> datetime | None:
        """To be called when the lane was leased. None: look at all that is remembered."""
        key = platform, lane
        last, self._last[key] = self._last.get(key), now
        if last is None or not last <= now < self._full[key] + FULL_LOOK:
            self._full[key] = now
            return None
        return last - SLACK


_former_senders = FormerSenders()


def drain(connection: Connection, platform: int, lane: int, keep_on: Callable[[], bool]) -> int:
    """Send what is due in the lane, as long as `keep_on()`. Returns how many rows were sent.

    Does nothing where somebody else holds the lane, or where the platform is not to be called now.
    """
    with connection.cursor(binary=True) as cursor:
        target = targets.fillable(cursor, platform)
        if target is None or target.connector.strategy is Strategy.FILE:
            return 0
        at, buckets = clock.now(), lanes.buckets_of(lane)
        lease = lanes.lease(cursor, platform, lane, target.lease_duration)
        if lease is None:
            return 0
        batches.abandon(cursor, platform, lanes.log_bucket(lane), at, _former_senders.since(platform, lane, at))
        client = PlatformClient.of(connection, cursor, target, lease)
        return LaneWorker(connection, cursor, client, buckets).run(keep_on)


@dataclass(slots=True)
class LaneWorker:
    """One holder's time in a lane. It claims rows and logs batches; only its `BatchSender`s record outcomes."""

    connection: Connection
    cursor: Cursor[Any]
    client: PlatformClient
    buckets: list[int]
    _first: int = 0

    def run(self, keep_on: Callable[[], bool]) -> int:
        """Send removals and additions in turn. Returns how many rows were taken on.

        A lane without an answer stays leased until its lease has run out.
        """
        sent = 0
        while keep_on() and self.client.may_send():
            rows, goes_on = self._both_operations()
            sent += rows
            if not goes_on:
                break
            if rows == 0:
                self.client.decline()
            if (rows == 0 and not self._first) or not self._refresh():
                break
            self._first = self._next_first(rows)
            if 0 < rows < self.client.target.rows:
                time.sleep(self.client.target.connector.linger_ms / 1000)
        self.client.leave()
        return sent

    def _both_operations(self) -> tuple[int, bool]:
        """Send one claim of each operation. Returns the rows, and whether to go on."""
        rows = 0
        for wanted in (False, True):
            if not wanted and not self.client.target.connector.removal.is_sent:
                rows += self._drop_removals()
                continue
            sender = self._claim(wanted=wanted)
            if sender is None:
                continue
            rows += len(sender.claim.rows)
            goes_on = sender.run()
            batches.finish(self.cursor, sender.record, clock.now())
            if not goes_on:
                return rows, False
            if self.client.probing:
                break
        return rows, True

    def _next_first(self, rows: int) -> int:
        """Buckets take turns in being the first: under load the last ones would wait for ever."""
        if rows < self.client.target.claimed_rows:
            return 0
        return (self._first + 1) % len(self.buckets)

    def _refresh(self) -> bool:
        """Read the configuration again where it changed. Returns whether something may still be sent."""
        found = targets.fillable(self.cursor, self.client.target.platform)
        self.client.target = found or self.client.target
        return found is not None

    def _claim(self, *, wanted: bool) -> BatchSender | None:
        """Claim rows and log that they are sent, in one transaction, while the lease outlasts what follows."""
        if not self.client.renew_lease():
            return None
        at, target = clock.now(), self.client.target
        with self.connection.transaction():
            claim = claims.claim(self.cursor, self._scope(wanted=wanted), self._marks(wanted=wanted), uuid4(), at)
            if claim is None:
                return None
            record = BatchRecord(lanes.log_bucket(self.client.lease.lane), claim.id, len(claim.rows))
            activations = sorted({row.activation for row in claim.rows})
            batches.start(self.cursor, record, target.platform, activations, claim.operation, at)
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
        has_letters = dead_letters.exist(self.cursor, self.client.target.platform)
        return ClaimOutcomes(self.connection, self.cursor, claim, has_letters)

    def _scope(self, *, wanted: bool) -> ClaimScope:
        target = self.client.target
        activations = sorted(target.segments)
        random.shuffle(activations)
        single = self.client.probing and target.connector.batch_size == 1
        return ClaimScope(
            buckets=self.buckets[self._first :],
            activations=activations,
            wanted=wanted,
            limit=1 if single else target.claimed_rows,
            one_activation=target.connector.one_segment_a_request,
        )
