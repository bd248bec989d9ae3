"""The one place from which requests go to a platform: within its limits, under the lease, seen by its breaker."""

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.conf import settings
from psycopg import Cursor

from activation.delivery import circuit_breaker, quotas
from activation.delivery.circuit_breaker import Condition
from activation.delivery.lanes import Lease
from activation.delivery.quotas import QuotaExhaustedError
from activation.delivery.rate_limiter import Allowance, Turn, pace
from activation.delivery.retry import backoff
from activation.delivery.targets import Target
from core import clock
from integrations.errors import IntegrationError, RateLimitedError, RetriableError
from integrations.http import Request, Response
from integrations.limits import Limits
from integrations.services import send_request

Connection = psycopg.Connection[tuple[Any, ...]]

PATIENCE_SECONDS = 2.0
SLOWEST = 1.0  # calls a second
# a lowered rate is back at the platform's own after so long without another complaint
RECOVERY = timedelta(minutes=10)


class NotNowError(Exception):
    """Nothing was sent: the lease runs out, or others of the platform are ahead. Go on later."""


@dataclass(slots=True)
class Gate:
    """One sender's way to its platform."""

    connection: Connection
    cursor: Cursor[Any]
    target: Target
    lease: Lease
    condition: Condition = field(default_factory=Condition)
    _probe_ends: datetime | None = None
    _sent_at: deque[float] = field(default_factory=lambda: deque(maxlen=1_000))

    def opens(self, now: datetime) -> bool:
        """Whether anything may be sent now. Where the breaker is open and its time is over: by one sender alone."""
        self.condition = circuit_breaker.read(self.cursor, self.target.platform)
        if self.condition.holds_back(now):
            return False
        if not self.condition.is_broken:
            return True
        self._probe_ends = now + self.target.lease_duration
        return circuit_breaker.probe(self.cursor, self.target.platform, now, self.target.lease_duration)

    def decline(self) -> None:
        """Nothing is due here: a probe that is this sender's is for somebody who has something to send."""
        if self._probe_ends is not None:
            circuit_breaker.decline(self.cursor, self.target.platform, clock.now(), self._probe_ends)

    @property
    def probing(self) -> bool:
        """One request only, to find out."""
        return self.condition.is_broken

    def send(self, request: Request) -> Response:
        """Send, and answer what came back where the platform took it.

        Raises `integrations.errors` for all else, and `NotNowError` where nothing was sent.
        """
        turn = self._turn()
        sent = False
        try:
            self._reserve(request)
            self._hold_on()
            sent = True
            return self._exchange(request)
        finally:
            if turn is not None:
                (turn.over if sent else turn.leave)()

    def stays(self) -> bool:
        """Stretch the lease where it is needed; no, where it is lost."""
        now = clock.now()
        return self.lease.outlasts(now, self.target.request_duration) or self.lease.renew(
            self.cursor, now, self.target.lease_duration
        )

    def _exchange(self, request: Request) -> Response:
        self._sent_at.append(time.monotonic())
        try:
            response = send_request(self.target.connector, request)
        except RateLimitedError as failure:
            self._limited(failure)
            raise
        except RetriableError as failure:
            self._failed(failure)
            raise
        except IntegrationError:
            self._well()  # whatever it says, it is there
            raise
        self._well()
        return response

    def _well(self) -> None:
        if self.condition.is_troubled:
            circuit_breaker.succeeded(self.cursor, self.target.platform, clock.now())
            self.condition = circuit_breaker.read(self.cursor, self.target.platform)

    def _turn(self) -> Turn | None:
        allowance = self._allowance()
        if not allowance.is_bounded:
            return None
        target = self.target
        turn = pace(settings.REDIS_URL).wait(target.platform, allowance, PATIENCE_SECONDS, target.connector.timeout)
        if turn is None:
            raise NotNowError
        return turn

    def _reserve(self, request: Request) -> None:
        """In a transaction of its own: what is sent is spent, whatever becomes of the sender."""
        limits = self.target.limits
        if not quotas.is_limited(limits, quotas.CALLS, quotas.BYTES):
            return
        now = clock.now()
        amounts = {quotas.CALLS: 1, quotas.BYTES: len(request.body or b"")}
        try:
            with self.connection.transaction():
                quotas.reserve(self.cursor, self.target.platform, limits, now, **amounts)
        except QuotaExhaustedError as full:
            until = now + timedelta(seconds=full.retry_after or 0)
            circuit_breaker.limited(self.cursor, self.target.platform, until, str(full), now, slowed=None, counts=False)
            raise

    def _hold_on(self) -> None:
        """The lease outlasts whatever the platform does with the request."""
        if not self.stays():
            raise NotNowError
        if not self.lease.outlasts(clock.now(), timedelta(seconds=self.target.connector.timeout)):
            raise NotNowError

    def _allowance(self) -> Allowance:
        limits = self.target.limits
        return Allowance(rate(limits, self.condition, clock.now()), limits.concurrent)

    def _limited(self, failure: RateLimitedError) -> None:
        """Wait as long as the platform says, and go slower afterwards."""
        now = clock.now()
        failure.retry_after = wait_of(failure, self.condition.limited)
        until = now + timedelta(seconds=failure.retry_after)
        slowed = max(min(self._rate_of_late(), self._allowance().per_second or float("inf")) / 2, SLOWEST)
        circuit_breaker.limited(self.cursor, self.target.platform, until, str(failure), now, slowed=slowed, counts=True)
        self.condition = circuit_breaker.read(self.cursor, self.target.platform)

    def _failed(self, failure: IntegrationError) -> None:
        circuit_breaker.failed(self.cursor, self.target.platform, str(failure), clock.now())
        self.condition = circuit_breaker.read(self.cursor, self.target.platform)

    def _rate_of_late(self) -> float:
        """Calls of this sender in the last second."""
        return float(sum(at > time.monotonic() - 1 for at in self._sent_at))


def wait_of(failure: RateLimitedError, already: int) -> float:
    """Seconds to wait, where the platform has asked `already` times before without taking anything since."""
    if already and failure.again_after is not None:
        return failure.again_after
    if failure.retry_after is not None:
        return failure.retry_after
    return backoff(already + 1).total_seconds()


def rate(limits: Limits, condition: Condition, now: datetime) -> float | None:
    """Calls a second: the platform's own, lowered when it complained, and raised again slowly."""
    if condition.slowed_to is None or condition.slowed_at is None or now >= condition.slowed_at + RECOVERY:
        return limits.per_second
    share = (now - condition.slowed_at) / RECOVERY
    if limits.per_second is None:
        return condition.slowed_to * 2 ** (10 * share)  # no bound to return to: it doubles every minute
    return min(condition.slowed_to + share * limits.per_second, limits.per_second)
