"""Limits that documents set: calls in a sliding window of seconds, and calls of a day (UTC)."""

import time
from collections import deque
from collections.abc import Callable


class Window:
    """At most `most` calls in any `seconds`; a call that is refused does not count."""

    def __init__(self, most: int, seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._calls: deque[float] = deque()

    def admits(self) -> bool:
        """Whether one more call is within the limit; counts it if so."""
        now = self._clock()
        while self._calls and self._calls[0] <= now - self._seconds:
            self._calls.popleft()
        if len(self._calls) >= self._most:
            return False
        self._calls.append(now)
        return True


class Quota:
    """At most `most` within each `seconds` of the clock, which start anew at multiples of it (unix time, UTC)."""

    def __init__(self, most: int, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._period = -1
        self._used = 0

    def admits(self, amount: int = 1) -> bool:
        """Whether `amount` more is within the quota; counts it if so."""
        period = int(self._clock()) // self._seconds
        if period != self._period:
            self._period, self._used = period, 0
        if self._used + amount > self._most:
            return False
        self._used += amount
        return True
