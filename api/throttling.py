"""How many requests a key may make, and how often an address may send a key that does not exist.

Counted in Redis, in windows of a minute. Where Redis is away, every request passes: it may lose everything. The headers
`RateLimit-Policy` and `RateLimit` are as of draft-ietf-httpapi-ratelimit-headers-10.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import redis
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from core.models import ApiKey

WINDOW_SECONDS = 60
FAILURES = 30  # wrong keys of an address in a window; beyond, it is told to wait
PREFIX = "dmphub:requests:"
PATIENCE_SECONDS = 0.2
AWAY_SECONDS = 5.0
_SAID = "_rate_limits"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What is left of a quota of requests. `policy`: its name. `reset`: seconds until all of it is there again."""

    policy: str
    quota: int
    used: int
    reset: int

    @property
    def left(self) -> int:
        return max(0, self.quota - self.used)

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.quota};w={WINDOW_SECONDS}',
            "RateLimit": f'"{self.policy}";r={self.left};t={self.reset}',
        }


class RequestCounter:
    """Counts in the Redis of one address."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS
        )
        self._ask_again = 0.0

    def count(self, name: str) -> int:
        """Count one request in the present window; returns how many there are. 0 where Redis does not respond."""
        if time.monotonic() < self._ask_again:
            return 0
        key = f"{PREFIX}{name}:{int(time.time()) // WINDOW_SECONDS}"
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.incr(key)
                pipeline.expire(key, WINDOW_SECONDS)
                counted, _ = pipeline.execute()
        except redis.RedisError:
            self._ask_again = time.monotonic() + AWAY_SECONDS
            return 0
        return int(counted)


@cache
def counter(redis_url: str) -> RequestCounter:
    """This process's counter."""
    return RequestCounter(redis_url)


def count_request(request: Request, key: ApiKey) -> None:
    """Count a request of a key. Raises Throttled if there were too many."""
    allowed = key.customer.allowed if key.customer else settings.CUSTOMER_LIMITS
    quota = allowed.requests_per_minute
    _count(request, "key", str(key.pk), quota)


def count_failure(request: Request, address: str) -> None:
    """Count a request whose key does not exist. Raises Throttled if its address has sent too many."""
    _count(request, "failures", hashlib.sha256(address.encode()).hexdigest()[:32], FAILURES)


def _count(request: Request, policy: str, name: str, quota: int) -> None:
    used = counter(settings.REDIS_URL).count(f"{policy}:{name}")
    limit = RateLimit(policy, quota, used, WINDOW_SECONDS - int(time.time()) % WINDOW_SECONDS)
    setattr(request._request, _SAID, limit)
    if used > quota:
        raise Throttled(limit.reset)


class RateLimitMiddleware:
    """Says in every answer to an API key what is left of its quota."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        limit: RateLimit | None = getattr(request, _SAID, None)
        if limit is not None:
            for name, value in limit.headers.items():
                response.headers[name] = value
        return response
