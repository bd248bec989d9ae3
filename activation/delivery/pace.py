"""Calls a second and calls at once, counted in Redis for all workers together.

A call is counted by the `limits` package when its answer is in, and takes a place in line before it is sent: it may
go where the window of a second has room for it and for everybody before it in the line. So no second at the
receiver, however late a call gets there, holds more calls than are allowed.

An empty Redis starts with empty buckets: whoever finds it so waits out the longest window first.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import ceil, floor
from uuid import uuid4

import redis
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

PREFIX = "dmphub:pace:"
PATIENCE_SECONDS = 0.5
STEP_SECONDS = 0.02
COUNTED = 1_000

# Who stands in line, in the order of arrival; whoever left without a word is gone after its time-out.
QUEUE = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('ZADD', KEYS[1], 'NX', now, ARGV[1])
redis.call('EXPIRE', KEYS[1], math.ceil(ARGV[2]) + 1)
if redis.call('SET', KEYS[2], now, 'NX') then return {redis.call('ZRANK', KEYS[1], ARGV[1]), '0'} end
return {redis.call('ZRANK', KEYS[1], ARGV[1]), tostring(now - redis.call('GET', KEYS[2]))}
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Of one platform: calls a second, calls at once; None where there is no bound."""

    per_second: float | None
    concurrent: int | None

    @property
    def is_bounded(self) -> bool:
        return self.per_second is not None or self.concurrent is not None

    @property
    def room(self) -> int:
        """How many calls a window takes."""
        return max(floor(self.per_second or 1.0), 1)

    @property
    def window(self) -> RateLimitItemPerSecond:
        """A second, or as many as one call takes. It counts further than `room`: a rate that was changed finds the
        calls made under the one before."""
        seconds = ceil(1 / self.per_second) if self.per_second and self.per_second < 1 else 1
        return RateLimitItemPerSecond(max(COUNTED, self.room), seconds)


class Pace:
    """The calls of all platforms, in one Redis."""

    def __init__(self, redis_url: str) -> None:
        options = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
        self._redis = redis.Redis.from_url(redis_url, **options)
        self._queue = self._redis.register_script(QUEUE)
        storage = RedisStorage("redis://", connection_pool=self._redis.connection_pool)
        self._limiter = MovingWindowRateLimiter(storage)

    def wait(self, platform: int, allowance: Allowance, seconds: float, timeout: float) -> "Turn | None":
        """A turn, within so many seconds; None where none comes, or Redis is away. A call takes `timeout` s at most."""
        turn = Turn(self, platform, allowance, uuid4().hex)
        end = time.monotonic() + seconds
        while not self._may_go(turn, timeout):
            if time.monotonic() > end:
                turn.leave()
                return None
            time.sleep(STEP_SECONDS)
        return turn

    def _may_go(self, turn: "Turn", timeout: float) -> bool:
        try:
            keys = [f"{PREFIX}line:{turn.platform}", f"{PREFIX}since"]
            rank, age = self._queue(keys=keys, args=[turn.name, timeout + 1.0])
            allowance = turn.allowance
            if allowance.concurrent is not None and rank >= allowance.concurrent:
                return False
            if allowance.per_second is None:
                return True
            window = allowance.window
            if float(age) <= window.get_expiry():
                return False
            used = window.amount - self._limiter.get_window_stats(window, str(turn.platform)).remaining
            return bool(used + rank < allowance.room)
        except redis.RedisError:
            return False

    def done(self, turn: "Turn", *, sent: bool) -> None:
        """The answer is in (or nothing was sent): the place in line is free."""
        with suppress(redis.RedisError):
            if sent and turn.allowance.per_second is not None:
                self._limiter.hit(turn.allowance.window, str(turn.platform))
            self._redis.zrem(f"{PREFIX}line:{turn.platform}", turn.name)


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to make one call."""

    pace: Pace
    platform: int
    allowance: Allowance
    name: str

    def over(self) -> None:
        """The call was made."""
        self.pace.done(self, sent=True)

    def leave(self) -> None:
        """The call was not made."""
        self.pace.done(self, sent=False)


@cache
def pace(redis_url: str) -> Pace:
    """This process's."""
    return Pace(redis_url)
