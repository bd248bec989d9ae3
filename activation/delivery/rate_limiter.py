"""Limits calls a second and calls at once, counted in Redis for all workers together.

A call is counted when its answer is in, and takes a place in line before it is sent: it may go where the window of a
second has room for it and for everybody before it in the line. So no second at the receiver, however late a call gets
there, holds more calls than are allowed. (Limiters in packages count what is sent, by the senders' clocks.)

An empty Redis starts with empty buckets: a caller that finds it so waits out the longest window first.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import ceil, floor
from uuid import uuid4

import redis

PREFIX = "dmphub:calls:"
PATIENCE_SECONDS = 0.5
STEP_SECONDS = 0.02

# The line is in the order of arrival; a caller that died leaves it after its time-out. All times are Redis's.
ASK = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
local line, answered, since = KEYS[1], KEYS[2], KEYS[3]
local name, patience, window = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local room, concurrent = tonumber(ARGV[4]), tonumber(ARGV[5])
redis.call('ZREMRANGEBYSCORE', line, '-inf', now - patience)
redis.call('ZADD', line, 'NX', now, name)
redis.call('EXPIRE', line, math.ceil(patience) + 1)
local rank = redis.call('ZRANK', line, name)
local fresh = redis.call('SET', since, now, 'NX')
if concurrent > 0 and rank >= concurrent then return 0 end
if room == 0 then return 1 end
if fresh or now - redis.call('GET', since) <= window then return 0 end
if redis.call('ZCOUNT', answered, now - window, '+inf') + rank < room then return 1 end
return 0
"""
RELEASE = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
redis.call('ZREM', KEYS[1], ARGV[1])
if ARGV[2] == '0' then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('EXPIRE', KEYS[2], math.ceil(ARGV[2]) + 1)
return 1
"""


@dataclass(frozen=True, slots=True)
class CallLimit:
    """Of one platform: calls a second, calls at once; None where there is no bound."""

    per_second: float | None
    concurrent: int | None

    @property
    def is_bounded(self) -> bool:
        return self.per_second is not None or self.concurrent is not None

    @property
    def room(self) -> int:
        """How many calls a window takes; 0: as many as come."""
        return 0 if self.per_second is None else max(floor(self.per_second), 1)

    @property
    def window(self) -> int:
        """Seconds: one, or as many as one call takes."""
        return ceil(1 / self.per_second) if self.per_second and self.per_second < 1 else 1


class RateLimiter:
    """The calls of all platforms, in one Redis."""

    def __init__(self, redis_url: str) -> None:
        options = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
        self._redis = redis.Redis.from_url(redis_url, **options)
        self._ask = self._redis.register_script(ASK)
        self._release = self._redis.register_script(RELEASE)

    def acquire(self, platform: int, limit: CallLimit, seconds: float, timeout: float) -> "Permit | None":
        """Wait up to `seconds` for the right to make one call, which takes at most `timeout` seconds.

        None where no call may be made in that time, or where Redis is away.
        """
        permit = Permit(self, platform, limit, uuid4().hex)
        end = time.monotonic() + seconds
        while not self._may_go(permit, timeout):
            if time.monotonic() > end:
                permit.release(sent=False)
                return None
            time.sleep(STEP_SECONDS)
        return permit

    def _may_go(self, permit: "Permit", timeout: float) -> bool:
        limit = permit.limit
        given: list[str | float] = [permit.name, timeout + 1.0, limit.window, limit.room, limit.concurrent or 0]
        try:
            return bool(self._ask(keys=[*permit.keys, f"{PREFIX}since"], args=given))
        except redis.RedisError:
            return False

    def release(self, permit: "Permit", *, sent: bool) -> None:
        """Free the permit's place in line; the call counts from now on where it was `sent`."""
        counted = sent and permit.limit.per_second is not None
        with suppress(redis.RedisError):
            self._release(keys=permit.keys, args=[permit.name, permit.limit.window if counted else 0])


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call. Must be released when its answer is in, or when nothing was sent."""

    limiter: RateLimiter
    platform: int
    limit: CallLimit
    name: str

    @property
    def keys(self) -> list[str]:
        """The line, and the calls that were answered."""
        return [f"{PREFIX}line:{self.platform}", f"{PREFIX}answered:{self.platform}"]

    def release(self, *, sent: bool) -> None:
        self.limiter.release(self, sent=sent)


@cache
def rate_limiter(redis_url: str) -> RateLimiter:
    """Returns the limiter of this process."""
    return RateLimiter(redis_url)
