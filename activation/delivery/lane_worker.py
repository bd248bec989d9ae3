"""Sending what is due in one lane, claim by claim, until nothing is."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import psycopg
from django.core.exceptions import ValidationError
from psycopg import Cursor

from activation.delivery import claims, lanes, log, removals
from activation.delivery.batch_sender import Work, log_bucket
from activation.delivery.claims import Claim, Front
from activation.delivery.lanes import Lease
from activation.delivery.log import Entry
from activation.delivery.platform_client import Gate
from activation.delivery.targets import Target, target
from core import clock
from integrations.connectors.base import Strategy

Connection = psycopg.Connection[tuple[Any, ...]]
logger = logging.getLogger(__name__)


def drain(connection: Connection, platform: int, lane: int, keep_on: Callable[[], bool]) -> int:
    """Send what is due in the lane, as long as `keep_on()`; answers how many rows were sent.

    Does nothing where somebody else holds the lane, or where the platform is not to be called now.
    """
    with connection.cursor(binary=True) as cursor:
        found = usable(cursor, platform)
        if found is None or found.connector.strategy is Strategy.FILE:
            return 0
        now = clock.now()
        lease = lanes.lease(cursor, platform, lane, now, found.lease_duration)
        if lease is None:
            return 0
        log.abandon(cursor, platform, log_bucket(lane), now)
        removals.let_go(cursor, found, lanes.buckets_of(lane), now)
        return _Round(Gate(connection, cursor, found, lease)).run(keep_on)


def usable(cursor: Cursor[Any], platform: int) -> Target | None:
    """The platform, where something may be sent to it."""
    try:
        found = target(cursor, platform)
    except ValidationError as wrong:
        logger.warning("platform %s cannot be delivered to: %s", platform, wrong.messages)
        return None
    return found if found is not None and found.segments else None


@dataclass(slots=True)
class _Round:
    """One holder's time in a lane."""

    gate: Gate
    _first: int = 0

    def run(self, keep_on: Callable[[], bool]) -> int:
        """Removals and additions in turn; a lane without an answer stays leased until its lease has run out."""
        sent = 0
        while keep_on() and self.gate.opens(clock.now()):
            rows = 0
            for wanted in (False, True):
                work = self._take(wanted=wanted)
                if work is None:
                    continue
                rows += len(work.claim.rows)
                if not work.run():
                    self._leave(unanswered=work.entry.unanswered)
                    return sent + rows
                if self.gate.probing:
                    break
            sent += rows
            if rows == 0:
                self.gate.decline()
            if (rows == 0 and not self._first) or not self._refresh():
                break
            self._first = self._next_first(rows)
            if 0 < rows < self.gate.target.rows:
                time.sleep(self.gate.target.connector.linger_ms / 1000)
        self._leave(unanswered=False)
        return sent

    def _leave(self, *, unanswered: bool) -> None:
        if not unanswered:
            self.lease.release(self.gate.cursor)

    @property
    def lease(self) -> Lease:
        return self.gate.lease

    def _next_first(self, rows: int) -> int:
        """Buckets take turns in being the first: under load the last ones would wait for ever."""
        if rows < self.gate.target.claimed_rows:
            return 0
        return (self._first + 1) % len(lanes.buckets_of(self.lease.lane))

    def _refresh(self) -> bool:
        """Take note of a changed configuration; whether something may still be sent."""
        found = usable(self.gate.cursor, self.gate.target.platform)
        self.gate.target = found or self.gate.target
        return found is not None

    def _take(self, *, wanted: bool) -> Work | None:
        """Claim rows and log that they are sent, in one transaction, while the lease outlasts what follows."""
        if not self.gate.stays():
            return None
        now = clock.now()
        with self.gate.connection.transaction():
            claim = claims.claim(self.gate.cursor, self._front(wanted=wanted), uuid4(), now)
            if claim is None:
                return None
            entry = Entry(log_bucket(self.lease.lane), claim.id, len(claim.rows))
            self._log(entry, claim, now)
        return Work(self.gate, claim, entry)

    def _front(self, *, wanted: bool) -> Front:
        target = self.gate.target
        turns = sorted(target.segments)
        random.shuffle(turns)
        size = 1 if self.gate.probing and target.connector.batch_size == 1 else target.claimed_rows
        buckets = lanes.buckets_of(self.lease.lane)[self._first :]
        return Front(buckets, turns, wanted, size, target.connector.one_segment_a_request)

    def _log(self, entry: Entry, claim: Claim, now: datetime) -> None:
        activations = sorted({row.activation for row in claim.rows})
        log.start(self.gate.cursor, entry, self.gate.target.platform, activations, claim.operation, now)
