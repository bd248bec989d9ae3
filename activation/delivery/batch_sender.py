"""Sends the rows of one claim, in one request or taken apart until it goes through.

A refused request is halved until its culprits are alone, a request that is too large until it fits. One request
is in flight at a time, and each is sent only while the lane's lease outlasts it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activation.delivery import activation_status
from activation.delivery.members import MemberReader
from activation.delivery.platform_client import NotNowError, PlatformClient
from activation.delivery.quotas import QuotaExhaustedError
from activation.delivery.retry import MOST_ATTEMPTS, MOST_DEATHS
from activation.stores.batches import BatchRecord
from activation.stores.claims import Claim, ClaimedRow
from activation.stores.outcomes import ClaimOutcomes
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
class BatchSender:
    """One claim while it is sent: through `client`, with what came of it recorded in `outcomes` and `record`."""

    client: PlatformClient
    members: MemberReader
    outcomes: ClaimOutcomes
    record: BatchRecord
    accepted: list[ClaimedRow] = field(default_factory=list)
    goes_on: bool = True
    _finished: float = field(default_factory=time.monotonic)

    @property
    def claim(self) -> Claim:
        return self.outcomes.claim

    @property
    def connector(self) -> Connector:
        return self.members.connector

    def run(self) -> bool:
        """Send all rows of the claim. Returns whether the lane may go on; rows that were not sent are due again."""
        rows = self._set_aside(self.claim.rows)
        parts = _cut(rows, self.client.target.rows)[::-1]
        while parts:
            one = parts.pop()
            try:
                smaller = self._send(one)
            except NotNowError:
                smaller, self.goes_on = [one], False
            parts.extend(reversed(smaller))
            if not self.goes_on or (self.client.probing and parts):
                self.outcomes.unsent([row for left in parts for row in left], "")
                break
        self._flush()
        return self.goes_on

    def _set_aside(self, rows: list[ClaimedRow]) -> list[ClaimedRow]:
        """Give up rows over which their sender died each time, or that were tried too often. Returns the others."""
        killers = [row for row in rows if row.orphaned and row.attempts > MOST_DEATHS]
        exhausted = [row for row in rows if row.attempts > MOST_ATTEMPTS and row not in killers]
        for found, reason in ((killers, "its sender died each time"), (exhausted, "it was tried too often")):
            if found:
                self.outcomes.refused(found, reason, "")
                self.record.error = reason
        left = set(rows).difference(killers, exhausted)
        return [row for row in rows if row in left]

    def _send(self, rows: list[ClaimedRow]) -> list[list[ClaimedRow]]:
        """Send one part. Returns what to send instead, in order."""
        members = self.members.read(rows)
        try:
            request = self._request(members)
            response = self.client.send(request)
        except IntegrationError as failure:
            return self._failed(rows, failure)
        self._note_answer(response.status, response.excerpt)
        try:
            self._read_outcomes(rows, members, response)
        except IntegrationError as failure:  # the platform took it, but nobody understands what it says
            failure.status, failure.excerpt = response.status, response.excerpt
            self._give_back(rows, failure)
        return []

    def _request(self, members: list[Member]) -> Request:
        connector = self.connector
        request = connector.push(self.claim.operation, members, clock.now_seconds())
        size = len(request.body or b"")
        if connector.batch_bytes is not None and size > connector.batch_bytes and len(members) > 1:
            raise RequestTooLargeError(f"{size:,} bytes, at most {connector.batch_bytes:,}")
        self.record.bytes += size
        self.record.requests += 1
        if not self.record.request_excerpt:
            self.record.request_excerpt = excerpt(request)
        return request

    def _read_outcomes(self, rows: list[ClaimedRow], members: list[Member], response: Response) -> None:
        """Sort the rows of a request that the platform took; it may still have refused some of them."""
        errors = self.connector.outcomes(self.claim.operation, members, response)
        if len(errors) != len(rows):
            errors = [None] * len(rows)
        self.accepted.extend(row for row, error in zip(rows, errors, strict=True) if error is None)
        for row, error in zip(rows, errors, strict=True):
            if error is not None:
                error.excerpt = error.excerpt or response.excerpt
                self._give_back([row], error)
        if len(rows) > 1 or time.monotonic() - self._finished > FINISH_SECONDS:
            self._flush()

    def _failed(self, rows: list[ClaimedRow], failure: IntegrationError) -> list[list[ClaimedRow]]:
        """Do what the error asks for. Returns what to send instead."""
        self._note_answer(failure.status, failure.excerpt)
        self.record.error = str(failure)
        match failure:
            case UnauthorizedError() | MisconfiguredError():
                self._mark_broken(rows, failure)
                return []
            case RequestTooLargeError() if len(rows) > 1:
                target = self.client.target
                target.rows = max(1, min(target.rows, len(rows) // 2))
                return _halves(rows)
            case RefusedError() if len(rows) > 1:
                return _halves(rows)
            case QuotaExhaustedError():
                self.goes_on = False
                return [rows]
            case RateLimitedError():
                self.outcomes.unsent(rows, str(failure), timedelta(seconds=failure.retry_after or 0))
                self.goes_on = False
                return []
        self._give_back(rows, failure)
        if isinstance(failure, UnansweredError):
            # the platform may still be working on it: the lane stays leased, nothing newer is sent meanwhile
            self.record.unanswered = True
            self.goes_on = False
        elif self.client.is_held_back:
            self.goes_on = False
        return []

    def _give_back(self, rows: list[ClaimedRow], failure: IntegrationError) -> None:
        """Record a failure of rows that cannot be told apart any further."""
        error = str(failure)
        if isinstance(failure, RateLimitedError):
            self.outcomes.unsent(rows, error, timedelta(seconds=failure.retry_after or 1))
        elif isinstance(failure, UnansweredError):
            self.outcomes.failed(rows, error, self.client.lease.until - clock.now())
        elif isinstance(failure, RetriableError):
            self.outcomes.failed(rows, error)
        else:
            self.outcomes.refused(rows, error, failure.excerpt)
        self.record.error = error

    def _mark_broken(self, rows: list[ClaimedRow], failure: IntegrationError) -> None:
        """A person has to act: what is due waits, and costs no attempt."""
        self.outcomes.unsent(rows, str(failure))
        activations = sorted({row.activation for row in rows})
        activation_status.mark_broken(self.client.target.platform, activations, str(failure))
        self.goes_on = False

    def _flush(self) -> None:
        """Record the rows that the platform accepted."""
        self._finished = time.monotonic()
        if not self.accepted:
            return
        at = clock.now()
        self.outcomes.accepted(self.accepted, at, expiry(self.connector, at, added=self.claim.wanted))
        self.record.accepted += len(self.accepted)
        self.accepted = []

    def _note_answer(self, status: int | None, text: str) -> None:
        if status is not None:
            self.record.status = status
        self.record.response_excerpt = text or self.record.response_excerpt


def excerpt(request: Request) -> str:
    """Returns what of a request may be shown."""
    body = (request.body or b"")[:EXCERPT].decode("utf-8", "replace")
    return f"{request.method} {request.url}\n{body}"


def expiry(connector: Connector, at: datetime, *, added: bool) -> datetime | None:
    """Returns when the platform forgets an id that it was sent at `at`. None where it keeps it, or has removed it."""
    return at + timedelta(days=connector.ttl_days) if added and connector.ttl_days else None


def _cut(rows: list[ClaimedRow], size: int) -> list[list[ClaimedRow]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _halves(rows: Sequence[ClaimedRow]) -> list[list[ClaimedRow]]:
    middle = len(rows) // 2
    return [list(rows[:middle]), list(rows[middle:])]
