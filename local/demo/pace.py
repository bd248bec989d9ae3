"""The speed of the play: so many requests a second, held while the hub has more to do than it should."""

import asyncio
import time

LONGEST_NAP_SECONDS = 0.05


class Pace:
    """A clock that begins when first asked and can be held; request `n` is due at `n / rate` seconds."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._passed = 0.0
        self._running_since: float | None = None
        self._held_since: float | None = None
        self.held_seconds = 0.0

    def begin(self) -> None:
        self._running_since = time.monotonic()

    async def reach(self, number: int) -> None:
        """Return when the request is due."""
        while (early := number / self._rate - self._now()) > 0:  # noqa: ASYNC110  a clock, which may be held
            await asyncio.sleep(min(early, LONGEST_NAP_SECONDS))

    def adapt(self, waiting: int) -> None:
        """Hold while more than a second's worth of requests waits in the hub."""
        if waiting > self._rate and self._running_since is not None:
            self._passed, self._running_since, self._held_since = self._now(), None, time.monotonic()
        elif waiting <= self._rate and self._held_since is not None:
            self.held_seconds += time.monotonic() - self._held_since
            self._running_since, self._held_since = time.monotonic(), None

    def _now(self) -> float:
        return self._passed + (0.0 if self._running_since is None else time.monotonic() - self._running_since)
