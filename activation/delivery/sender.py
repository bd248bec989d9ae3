"""Sending what is due in one lane, request by request, until nothing is."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
from django.core.exceptions import ValidationError
from psycopg import Cursor

from activation.delivery import claims, lanes, log
from activation.delivery.claims import Claim, Front
from activation.delivery.lanes import Lease
from activation.delivery.retry import backoff
from activation.delivery.targets import Target, target
from activation.models import Batch
from integrations import http
from integrations.connectors.base import Member
from integrations.errors import IntegrationError, RateLimited, Unanswered
from integrations.http import Request

Connection = psycopg.Connection[tuple[Any, ...]]
logger = logging.getLogger(__name__)

EXCERPT = 500


def drain(connection: Connection, platform: int, lane: int, keep_on: Callable[[], bool]) -> int:
    """Send what is due in the lane, as long as `keep_on()`; answers how many rows were sent.

    Does nothing where somebody else holds the lane.
    """
    with connection.cursor(binary=True) as cursor:
        found = _target(cursor, platform)
        if found is None:
            return 0
        now = datetime.now(UTC)
        lease = lanes.lease(cursor, platform, lane, now, found.lease_duration)
        if lease is None:
            return 0
        log.abandon(cursor, platform, lanes.buckets_of(lane)[0], now)
        return _Round(connection, cursor, found, lease).run(keep_on)


def _target(cursor: Cursor[Any], platform: int) -> Target | None:
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

    connection: Connection
    cursor: Cursor[Any]
    target: Target
    lease: Lease

    def run(self, keep_on: Callable[[], bool]) -> int:
        """Removals and additions in turn; a lane without an answer stays leased until its lease has run out."""
        sent = 0
        while keep_on():
            rows = 0
            for wanted in (False, True):
                taken = self._take(wanted=wanted)
                if taken is None:
                    continue
                rows += len(taken.claim.rows)
                if not self._deliver(taken):
                    return sent + rows
            sent += rows
            if rows == 0 or not self._refresh():
                break
            if rows < self.target.connector.batch_size:
                time.sleep(self.target.connector.linger_ms / 1000)
        self.lease.release(self.cursor)
        return sent

    def _refresh(self) -> bool:
        """Take note of a changed configuration; whether something may still be sent."""
        found = _target(self.cursor, self.target.platform)
        self.target = found or self.target
        return found is not None

    def _take(self, *, wanted: bool) -> "_Taken | None":
        """Claim rows and log the request, in one transaction, while the lease outlasts what follows."""
        now = datetime.now(UTC)
        if not self._hold_on(now):
            return None
        connector = self.target.connector
        front = Front(
            self.target.platform, lanes.buckets_of(self.lease.lane), sorted(self.target.segments), wanted,
            connector.batch_size, connector.one_segment_a_request,
        )  # fmt: skip
        with self.connection.transaction():
            claim = claims.claim(self.cursor, front, uuid4(), now, self.lease.until)
            if claim is None:
                return None
            taken = _Taken(claim, self._request(claim))
            self._log_start(taken)
        return taken

    def _hold_on(self, now: datetime) -> bool:
        """Stretch the lease where it is needed.

        In a statement of its own: whoever asks for the lane meanwhile must not wait for a claim.
        """
        enough = self.lease.outlasts(now, self.target.request_duration)
        return enough or self.lease.renew(self.cursor, now, self.target.lease_duration)

    def _request(self, claim: Claim) -> Request | IntegrationError:
        segments = self.target.segments
        members = [Member(segments[row.activation], row.platform_user_id, row.user_id) for row in claim.rows]
        try:
            return self.target.connector.push(claim.operation, members, int(time.time()))
        except IntegrationError as failure:
            return failure

    def _deliver(self, taken: "_Taken") -> bool:
        """Send a claim and record what came of it; answers whether the lane may go on."""
        try:
            if isinstance(taken.request, IntegrationError):
                raise taken.request
            if not self.lease.outlasts(datetime.now(UTC), timedelta(seconds=self.target.connector.timeout)):
                return False  # held up on the way: the rows are due again when the lease has run out
            response = http.send(taken.request, self.target.connector.timeout)
        except IntegrationError as failure:
            return self._fail(taken.claim, failure)
        now = datetime.now(UTC)
        with self.connection.transaction():
            claims.done(self.cursor, taken.claim, now)
            answer = (response.status, response.excerpt)
            self._log_finish(taken.claim, Batch.Status.DONE, len(taken.claim.rows), answer, "", now)
        return True

    def _fail(self, claim: Claim, failure: IntegrationError) -> bool:
        now = datetime.now(UTC)
        delay = backoff(claim.attempts)
        if isinstance(failure, RateLimited):
            delay = timedelta(seconds=failure.retry_after) if failure.retry_after is not None else delay
            self.lease.hold(self.cursor, now + delay)
        unanswered = isinstance(failure, Unanswered)
        if unanswered:
            # the platform may still be working on it: nothing newer is sent before the lease has run out
            delay = max(delay, self.lease.until - now)
        status = Batch.Status.UNKNOWN if unanswered else Batch.Status.FAILED
        costs_attempt = not isinstance(failure, RateLimited)
        with self.connection.transaction():
            claims.failed(self.cursor, claim, str(failure), now, delay, costs_attempt=costs_attempt)
            self._log_finish(claim, status, 0, None, str(failure), now)
        return not isinstance(failure, Unanswered | RateLimited)

    def _log_start(self, taken: "_Taken") -> None:
        claim = taken.claim
        activations = sorted({row.activation for row in claim.rows})
        log.start(
            self.cursor, self._log_bucket, claim.id, self.target.platform, activations, claim.operation,
            len(claim.rows), taken.excerpt, datetime.now(UTC),
        )  # fmt: skip

    def _log_finish(
        self, claim: Claim, status: str, accepted: int, answer: tuple[int, str] | None, error: str, now: datetime
    ) -> None:
        log.finish(self.cursor, self._log_bucket, claim.id, status, accepted, answer, error, now)

    @property
    def _log_bucket(self) -> int:
        return lanes.buckets_of(self.lease.lane)[0]


@dataclass(frozen=True, slots=True)
class _Taken:
    """A claim, and the request for it, or why there can be none."""

    claim: Claim
    request: Request | IntegrationError

    @property
    def excerpt(self) -> str:
        if isinstance(self.request, IntegrationError):
            return ""
        body = (self.request.body or b"")[:EXCERPT].decode("utf-8", "replace")
        return f"{self.request.method} {self.request.url}\n{body}"
