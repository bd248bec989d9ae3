"""One claim, from its rows to what came of each: sent in one request, or taken apart until it goes through.

A refused request is halved until its culprits are alone, a request that is too large until it fits. One request
is in flight at a time, and each is sent only while the lane's lease outlasts it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activation.delivery import broken, lanes, log, outcomes
from activation.delivery.claims import Claim, Row, part
from activation.delivery.log import Entry
from activation.delivery.members import members_of
from activation.delivery.platform_client import Gate, NotNowError
from activation.delivery.quotas import QuotaExhaustedError
from activation.delivery.retry import MOST_ATTEMPTS, MOST_DEATHS
from core import clock
from integrations.connectors.base import Connector, Member
from integrations.errors import (
    IntegrationError,
    MisconfiguredError,
    RateLimitedError,
    RefusedError,
    RequestTooLargeError,
    RetriableError,
    UnansweredError,
    UnauthorizedError,
)
from integrations.http import Request, Response

EXCERPT = 500
# what came of single rows is written down together, this often
FINISH_SECONDS = 0.5


@dataclass(slots=True)
class Work:
    """A claim under way. `run` answers whether the lane may go on."""

    gate: Gate
    claim: Claim
    entry: Entry
    accepted: list[Row] = field(default_factory=list)
    goes_on: bool = True
    _finished: float = field(default_factory=time.monotonic)
    _letters: bool = False

    def run(self) -> bool:
        self._letters = outcomes.has_letters(self.gate.cursor, self.gate.target.platform)
        rows = self._set_aside(self.claim.rows)
        parts = _cut(rows, self.gate.target.rows)[::-1]
        while parts:
            one = parts.pop()
            try:
                smaller = self._send(one)
            except NotNowError:
                smaller, self.goes_on = [one], False
            parts.extend(reversed(smaller))
            if not self.goes_on:
                self._put_back([row for left in parts for row in left])
                break
            if self.gate.probing and parts:
                self._put_back([row for left in parts for row in left])
                break
        self._finish()
        return self.goes_on

    def _set_aside(self, rows: list[Row]) -> list[Row]:
        """Rows over which their sender died each time are dead; the others."""
        killers = [row for row in rows if row.orphaned and row.attempts > MOST_DEATHS]
        exhausted = [row for row in rows if row.attempts > MOST_ATTEMPTS and row not in killers]
        for found, reason in ((killers, "its sender died each time"), (exhausted, "it was tried too often")):
            if found:
                outcomes.dead(self.gate.cursor, part(self.claim, found), reason, "", clock.now())
                self._tell(reason)
        left = set(rows).difference(killers, exhausted)
        return [row for row in rows if row in left]

    def _send(self, rows: list[Row]) -> list[list[Row]]:
        """Send one part; answers what to send instead, in order."""
        target = self.gate.target
        members = members_of(self.gate.cursor, target.connector, target.platform, target.segments, rows)
        try:
            request = self._request(members)
            response = self.gate.send(request)
        except IntegrationError as failure:
            return self._failed(rows, failure)
        self._answered(response.status, response.excerpt)
        try:
            self._outcomes(rows, members, response)
        except IntegrationError as failure:  # the platform took it, but nobody understands what it says
            failure.status, failure.excerpt = response.status, response.excerpt
            self._refused_alone(rows, failure)
        return []

    def _request(self, members: list[Member]) -> Request:
        connector = self.gate.target.connector
        request = connector.push(self.claim.operation, members, clock.now_seconds())
        size = len(request.body or b"")
        if connector.batch_bytes is not None and size > connector.batch_bytes and len(members) > 1:
            raise RequestTooLargeError(f"{size:,} bytes, at most {connector.batch_bytes:,}")
        self.entry.bytes += size
        self.entry.requests += 1
        if not self.entry.request_excerpt:
            self.entry.request_excerpt = excerpt(request)
        return request

    def _outcomes(self, rows: list[Row], members: list[Member], response: Response) -> None:
        """A request that the platform took; it may still have refused some of its rows."""
        connector = self.gate.target.connector
        said = connector.outcomes(self.claim.operation, members, response)
        if len(said) != len(rows):
            said = [None] * len(rows)
        self.accepted.extend(row for row, error in zip(rows, said, strict=True) if error is None)
        for row, error in zip(rows, said, strict=True):
            if error is not None:
                error.excerpt = error.excerpt or response.excerpt
                self._refused_alone([row], error)
        if len(rows) > 1 or time.monotonic() - self._finished > FINISH_SECONDS:
            self._flush()

    def _failed(self, rows: list[Row], failure: IntegrationError) -> list[list[Row]]:
        self._answered(failure.status, failure.excerpt)
        self._tell(str(failure))
        match failure:
            case UnauthorizedError() | MisconfiguredError():
                return self._broken(rows, failure)
            case RequestTooLargeError() if len(rows) > 1:
                self._learn(len(rows) // 2)
                return _halves(rows)
            case RefusedError() if len(rows) > 1:
                return _halves(rows)
            case QuotaExhaustedError():
                self.goes_on = False
                return [rows]
            case RateLimitedError():
                return self._limited(rows, failure)
        self._refused_alone(rows, failure)
        if isinstance(failure, UnansweredError):
            # the platform may still be working on it: the lane stays leased, nothing newer is sent meanwhile
            self.entry.unanswered = True
            self.goes_on = False
        elif self.gate.condition.holds_back(clock.now()):
            self.goes_on = False
        return []

    def _refused_alone(self, rows: list[Row], failure: IntegrationError) -> None:
        """Rows that cannot be told apart any further."""
        now, claim = clock.now(), part(self.claim, rows)
        with self.gate.connection.transaction():
            if isinstance(failure, RateLimitedError):
                outcomes.unsent(
                    self.gate.cursor, claim, str(failure), now + timedelta(seconds=failure.retry_after or 1)
                )
            elif isinstance(failure, RetriableError):
                least = self.gate.lease.until - now if isinstance(failure, UnansweredError) else timedelta()
                outcomes.failed(self.gate.cursor, claim, str(failure), now, least)
            else:
                outcomes.dead(self.gate.cursor, claim, str(failure), failure.excerpt, now)
        self._tell(str(failure))

    def _limited(self, rows: list[Row], failure: RateLimitedError) -> list[list[Row]]:
        wait = timedelta(seconds=failure.retry_after or 0)
        outcomes.unsent(self.gate.cursor, part(self.claim, rows), str(failure), clock.now(), wait)
        self.goes_on = False
        return []

    def _broken(self, rows: list[Row], failure: IntegrationError) -> list[list[Row]]:
        """A person has to act: what is due waits, and costs nothing."""
        outcomes.unsent(self.gate.cursor, part(self.claim, rows), str(failure), clock.now())
        broken.broke(self.gate.target.platform, sorted({row.activation for row in rows}), str(failure))
        self.goes_on = False
        return []

    def _put_back(self, rows: list[Row]) -> None:
        """Nothing of them was sent."""
        if rows:
            outcomes.unsent(self.gate.cursor, part(self.claim, rows), "", clock.now())

    def _learn(self, rows: int) -> None:
        self.gate.target.rows = max(1, min(self.gate.target.rows, rows))

    def _flush(self) -> None:
        """Write down whom the platform accepted."""
        self._finished = time.monotonic()
        if not self.accepted:
            return
        now, claim = clock.now(), part(self.claim, self.accepted)
        with self.gate.connection.transaction():
            outcomes.done(self.gate.cursor, claim, now, expiry(self.gate.target.connector, now, added=claim.wanted))
            if self._letters:
                outcomes.forget_letters(self.gate.cursor, [row[:3] for row in claim.rows])
        self.entry.accepted += len(self.accepted)
        self.accepted = []

    def _finish(self) -> None:
        self._flush()
        log.finish(self.gate.cursor, self.entry, clock.now())

    def _answered(self, status: int | None, text: str) -> None:
        if status is not None:
            self.entry.status = status
        self.entry.response_excerpt = text or self.entry.response_excerpt

    def _tell(self, error: str) -> None:
        self.entry.error = error


def excerpt(request: Request) -> str:
    """What of a request may be shown."""
    body = (request.body or b"")[:EXCERPT].decode("utf-8", "replace")
    return f"{request.method} {request.url}\n{body}"


def expiry(connector: Connector, now: datetime, *, added: bool) -> datetime | None:
    """When the platform forgets what it was told now."""
    return now + timedelta(days=connector.ttl_days) if added and connector.ttl_days else None


def log_bucket(lane: int) -> int:
    """The bucket in which a lane's requests are logged."""
    return lanes.buckets_of(lane)[0]


def _cut(rows: list[Row], size: int) -> list[list[Row]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _halves(rows: Sequence[Row]) -> list[list[Row]]:
    middle = len(rows) // 2
    return [list(rows[:middle]), list(rows[middle:])]
