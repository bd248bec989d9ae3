"""Limits that documents set: calls in a sliding window of seconds, and amounts in a fixed period such as a UTC day."""

import time
from collections import deque
from collections.abc import Callable


class Window:
    """At most `most` calls in any `seconds`. A refused call does not count."""

    def __init__(self, most: int, seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._calls: deque[float] = deque()

    def admits(self) -> bool:
        """Count a call if it is within the limit. Return whether it is."""
        now = self._clock()
        while self._calls and self._calls[0] <= now - self._seconds:
            self._calls.popleft()
        if len(self._calls) >= self._most:
            return False
        self._calls.append(now)
        return True


class Quota:
    """At most `most` in each period of `seconds`. Periods begin at multiples of `seconds` (unix time, UTC)."""

    def __init__(self, most: int, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._period = -1
        self._used = 0

    def admits(self, amount: int = 1) -> bool:
        """Count `amount` if it is within the quota. Return whether it is."""
        period = int(self._clock()) // self._seconds
        if period != self._period:
            self._period, self._used = period, 0
        if self._used + amount > self._most:
            return False
        self._used += amount
        return True
