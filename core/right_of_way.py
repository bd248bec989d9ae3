"""The right of way of the edge: while it needs its cores, those who work in the background give way.

Two things see to it. Background processes have a lower priority than the edge (`lower_priority`, and
`lower_priority_of` for what PostgreSQL does for them). And an edge that is busy says so in Redis several times a
second; whoever absorbs reads that between batches and pauses (`Pauses`). Nothing depends on it: where Redis is away,
nobody pauses.
"""

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import redis

log = logging.getLogger(__name__)

KEY = "dmphub:edge-busy"
BUSY_MS = 400
"""How long an edge counts as busy after it last said so."""

MEASURED_SECONDS = 0.1
BUSY_SHARE = 0.6
"""Of the time: an edge whose thread runs, or waits for a processor, for this share of it is busy."""

PATIENCE_SECONDS = 0.2
AWAY_SECONDS = 5.0
"""So long nobody asks a Redis that did not respond."""

# Under a burst, a batch is followed by a pause of so many times its own duration; so a tenth of the work goes on.
YIELD = 9
LONGEST_PAUSE_SECONDS = 1.0
LOOK_SECONDS = 0.05
# A worker pauses for so long in all, then works on beside the edge. It earns a pause back by working.
ALLOWANCE_SECONDS = 15.0
EARNED_PER_SECOND = 0.1

_PROC = Path("/proc")


class BusySign:
    """What edges say of themselves in Redis, and what background workers read."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS
        )
        self._ask_again = 0.0

    def show(self) -> None:
        """Say that this edge is busy now. Never raises."""
        with suppress(redis.RedisError):
            self._redis.set(KEY, 1, px=BUSY_MS)

    def is_shown(self) -> bool:
        """Whether an edge is busy; no, where Redis does not respond."""
        if time.monotonic() < self._ask_again:
            return False
        try:
            return bool(self._redis.exists(KEY))
        except redis.RedisError:
            self._ask_again = time.monotonic() + AWAY_SECONDS
            return False


class CpuDemand:
    """How much of a processor the first thread of this process wants: the time that it ran or waited for one."""

    def __init__(self) -> None:
        self._began, self._wanted = time.monotonic(), _wanted_seconds()

    def share(self) -> float:
        """Returns the share of the time since the last call; 1.0 is a whole processor."""
        began, wanted = self._began, self._wanted
        self._began, self._wanted = time.monotonic(), _wanted_seconds()
        return (self._wanted - wanted) / max(self._began - began, 1e-6)


def _wanted_seconds() -> float:
    try:
        ran, waited, _ = (_PROC / "self/schedstat").read_bytes().split()
    except (OSError, ValueError):
        return time.process_time()
    return (int(ran) + int(waited)) / 1e9


class Pauses:
    """The pauses of one background worker: after each batch while an edge is busy, within an allowance.

    The worker never stops: batches go on at a tenth of the pace. At a load that never ends the allowance is used up
    once, and from then on the worker pauses for a tenth of its time at most.
    """

    def __init__(
        self,
        is_busy: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._is_busy = is_busy
        self._clock = clock
        self._sleep = sleep
        self._allowance = ALLOWANCE_SECONDS
        self._left_at = clock()
        self.seconds = 0.0  # in all

    def after(self, batch_seconds: float) -> None:
        """Pause if an edge is busy, until it is not, or the pause is long enough."""
        began = self._clock()
        self._allowance = min(ALLOWANCE_SECONDS, self._allowance + EARNED_PER_SECOND * (began - self._left_at))
        end = began + min(YIELD * batch_seconds, LONGEST_PAUSE_SECONDS, self._allowance)
        now = began
        while now < end and self._is_busy():
            self._sleep(min(LOOK_SECONDS, end - now))
            now = self._clock()
        self._left_at = now
        self._allowance -= now - began
        self.seconds += now - began


def lower_priority(niceness: int, pid: int = 0) -> None:
    """Give a process (0: this one) a lower priority, as `nice` does; never a higher one. Raises OSError."""
    if niceness <= os.getpriority(os.PRIO_PROCESS, pid):
        return
    os.setpriority(os.PRIO_PROCESS, pid, niceness)
    # where sessions share a processor evenly, niceness counts within a session only: the session has one as well
    with suppress(OSError):
        (_PROC / (str(pid) if pid else "self") / "autogroup").write_bytes(b"%d" % niceness)


def lower_priority_of(backend_pid: int, host: str) -> None:
    """Have PostgreSQL work for this process at this process's own priority, where it runs on this machine.

    `host`: where the connection goes. Does nothing where that is not allowed: it is not needed for being right.
    """
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness <= 0 or not host.startswith("/"):
        return
    with suppress(OSError):
        if (_PROC / str(backend_pid) / "comm").read_bytes().startswith(b"postgres"):
            lower_priority(niceness, backend_pid)
