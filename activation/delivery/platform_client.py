"""The one place from which requests go to a platform: within its limits, under the lease, seen by its breaker."""

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from psycopg import Cursor

from activation.delivery import quotas
from activation.delivery.circuit_breaker import BreakerState, CircuitBreaker
from activation.delivery.lanes import Lease
from activation.delivery.quotas import QuotaExhaustedError
from activation.delivery.rate_limiter import CallLimit, Permit, RateLimiter, rate_limiter
from activation.delivery.retry import backoff
from activation.delivery.targets import DeliveryTarget
from core import clock
from core.database import Connection
from integrations.errors import (
    AskedToWaitError,
    BusyError,
    IntegrationError,
    RateLimitedError,
    RetriableError,
    UnansweredError,
)
from integrations.http import Request, Response
from integrations.limits import Limits
from integrations.services import send_request

PATIENCE_SECONDS = 2.0
SLOWEST = 1.0  # calls a second
# a lowered rate is back at the platform's own after so long without another complaint
RECOVERY = timedelta(minutes=10)


class NotNowError(Exception):
    """Nothing was sent: the lease runs out, or others of the platform are ahead. Go on later."""


@dataclass(slots=True)
class PlatformClient:
    """What one holder of a lane may do with its platform: ask whether to send, send, and keep its lease.

    The client writes the lane's lease, the platform's quotas and the breaker; it never touches deliveries.
    `unanswered`: the last request got no response, so the platform may still be working on it.
    """

    _connection: Connection
    _cursor: Cursor[Any]
    target: DeliveryTarget
    lease: Lease
    breaker: CircuitBreaker
    limiter: RateLimiter
    state: BreakerState = field(default_factory=BreakerState)
    unanswered: bool = False
    _probe_ends: datetime | None = None
    _sent_at: deque[float] = field(default_factory=lambda: deque(maxlen=1_000))

    @classmethod
    def of(cls, connection: Connection, cursor: Cursor[Any], target: DeliveryTarget, lease: Lease) -> "PlatformClient":
        """Returns the client of a lane that has just been leased."""
        breaker = CircuitBreaker(cursor, target.platform)
        return cls(connection, cursor, target, lease, breaker, rate_limiter(settings.REDIS_URL))

    def may_send(self, state: BreakerState | None = None) -> bool:
        """Whether anything may be sent now. If the breaker was open until now, only one sender gets True: it probes.

        `state`: the breaker's, where it has just been read.
        """
        self.state, at = state or self.breaker.read(), clock.now()
        if self.state.holds_back(at):
            return False
        if not self.state.is_broken:
            return True
        self._probe_ends = at + self.target.lease_duration
        return self.breaker.begin_probe(at, self.target.lease_duration)

    def decline(self) -> None:
        """Give a probe that is this sender's to another, because nothing is due here."""
        if self._probe_ends is not None:
            self.breaker.end_probe(clock.now(), self._probe_ends)

    @property
    def probing(self) -> bool:
        """Whether only one request may be sent, to find out."""
        return self.state.is_broken

    @property
    def is_held_back(self) -> bool:
        """Whether the breaker, as it was last read, lets nothing through now."""
        return self.state.holds_back(clock.now())

    def send(self, request: Request) -> Response:
        """Send the request, and return the response where the platform took it.

        Raises `integrations.errors` for all else, and `NotNowError` where nothing was sent. Waits up to
        `PATIENCE_SECONDS` for the platform's limits.
        """
        permit = self._permit()
        sent = False
        try:
            self.reserve(calls=1, size=len(request.body or b""))
            self._require_lease()
            sent = True
            return self._exchange(request)
        finally:
            if permit is not None:
                permit.release(sent=sent)

    def renew_lease(self) -> bool:
        """Extend the lease where the next request needs it. False where it is lost."""
        if self.lease.outlasts(self.target.request_duration):
            return True
        return self.lease.renew(self._cursor, self.target.lease_duration)

    def ask(self, request: Request) -> Response:
        """Send a request that changes nothing at the platform: beside its limits and its breaker, under the lease.

        Raises `integrations.errors`, and `NotNowError` where nothing was sent.
        """
        self._require_lease()
        return send_request(self.target.connector, request)

    def leave(self) -> None:
        """Give the lane back. After a request without a response it stays leased until the lease has run out."""
        if not self.unanswered:
            self.lease.release(self._cursor)

    @property
    def free_at(self) -> datetime:
        """When others may have the lane, by the database's clock: as `leave` does."""
        return self.lease.until if self.unanswered else self.lease.clock.now()

    def reserve(self, *, size: int, calls: int = 0, files: int = 0) -> None:
        """Reserve quotas, in a transaction of its own: what is sent is spent, whatever becomes of the sender.

        Raises `QuotaExhaustedError`; nothing is sent to the platform before the next period then.
        """
        amounts = {quotas.BYTES: size}
        amounts |= {quotas.CALLS: calls} if calls else {}
        amounts |= {quotas.FILES: files} if files else {}
        if not quotas.is_limited(self.target.limits, *amounts):
            return
        at = clock.now()
        try:
            with self._connection.transaction():
                quotas.reserve(self._cursor, self.target.platform, self.target.limits, at, **amounts)
        except QuotaExhaustedError as full:
            self.breaker.pause(at + timedelta(seconds=full.retry_after or 0), str(full), at)
            raise

    def record_failure(self, failure: IntegrationError) -> None:
        """Count a failure of the platform itself against it."""
        self.unanswered = isinstance(failure, UnansweredError)
        self.breaker.record_failure(str(failure), clock.now())
        self.state = self.breaker.read()

    def record_success(self) -> None:
        """Note that the platform is there; writes only where that is news."""
        if self.state.is_troubled:
            self.breaker.record_success(clock.now())
            self.state = self.breaker.read()

    def _exchange(self, request: Request) -> Response:
        self._sent_at.append(time.monotonic())
        self.unanswered = False
        try:
            response = send_request(self.target.connector, request)
        except RateLimitedError as failure:
            self.wait(failure)
            raise
        except BusyError:
            self.record_success()
            raise
        except RetriableError as failure:
            self.record_failure(failure)
            raise
        except IntegrationError:
            self.record_success()  # whatever it says, it is there
            raise
        self.record_success()
        return response

    def _permit(self) -> Permit | None:
        limit = self._call_limit()
        if not limit.is_bounded:
            return None
        timeout = self.target.connector.timeout
        permit = self.limiter.acquire(self.target.platform, limit, PATIENCE_SECONDS, timeout)
        if permit is None:
            raise NotNowError
        return permit

    def _require_lease(self) -> None:
        """The lease must outlast whatever the platform does with the request."""
        if not self.renew_lease():
            raise NotNowError
        if not self.lease.outlasts(timedelta(seconds=self.target.connector.timeout)):
            raise NotNowError

    def _call_limit(self) -> CallLimit:
        limits = self.target.limits
        return CallLimit(rate(limits, self.state, clock.now()), limits.concurrent)

    def wait(self, failure: RateLimitedError) -> None:
        """Wait as long as the platform says; go slower afterwards where its rate was the reason."""
        at = clock.now()
        failure.retry_after = wait_of(failure, self.state.limited)
        until = at + timedelta(seconds=failure.retry_after)
        if isinstance(failure, AskedToWaitError):
            self.breaker.pause(until, str(failure), at)
        else:
            allowed = self._call_limit().per_second or float("inf")
            per_second = max(min(_calls_of_last_second(self._sent_at), allowed) / 2, SLOWEST)
            self.breaker.slow_down(until, str(failure), at, per_second)
        self.state = self.breaker.read()


def wait_of(failure: RateLimitedError, already: int) -> float:
    """Returns the seconds to wait where the platform asked `already` times before without taking anything since."""
    if already and failure.again_after is not None:
        return failure.again_after
    if failure.retry_after is not None:
        return failure.retry_after
    return backoff(already + 1).total_seconds()


def rate(limits: Limits, state: BreakerState, at: datetime) -> float | None:
    """Returns the calls a second: the platform's own limit, lowered when it complained, and raised again slowly."""
    if state.slowed_to is None or state.slowed_at is None or at >= state.slowed_at + RECOVERY:
        return limits.per_second
    share = (at - state.slowed_at) / RECOVERY
    if limits.per_second is None:
        return state.slowed_to * 2 ** (10 * share)  # no bound to return to: it doubles every minute
    return min(state.slowed_to + share * limits.per_second, limits.per_second)


def _calls_of_last_second(sent_at: deque[float]) -> float:
    return float(sum(at > time.monotonic() - 1 for at in sent_at))
