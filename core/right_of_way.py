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
from typing import NamedTuple

import redis

log = logging.getLogger(__name__)

KEY = "dmphub:edge-busy"
BUSY_MS = 400
"""How long an edge counts as busy after it last said so."""

MEASURED_SECONDS = 0.1
# Of the time: an edge is busy if its thread runs for the first share of it, and runs or waits for a processor for the
# second. The first alone would miss an edge that is starved, the second one that little is asked of on a full machine.
RAN_SHARE, WANTED_SHARE = 0.4, 0.6

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


class CpuShare(NamedTuple):
    """Of a time; 1.0 is a whole processor. `wanted`: ran, or waited for a processor."""

    ran: float
    wanted: float

    @property
    def is_busy(self) -> bool:
        return self.ran >= RAN_SHARE and self.wanted >= WANTED_SHARE


class CpuDemand:
    """How much of a processor the first thread of this process, which is the edge's event loop, uses and wants."""

    def __init__(self) -> None:
        self._began, self._spent = time.monotonic(), _spent_seconds()

    def measure(self) -> CpuShare:
        """Returns the shares of the time since the last call."""
        began, spent = self._began, self._spent
        self._began, self._spent = time.monotonic(), _spent_seconds()
        passed = max(self._began - began, 1e-6)
        ran, wanted = (after - before for after, before in zip(self._spent, spent, strict=True))
        return CpuShare(ran / passed, wanted / passed)


def _spent_seconds() -> tuple[float, float]:
    """Returns how long the thread has run, and how long it has run or waited for a processor."""
    try:
        ran, waited, _ = (_PROC / "self/schedstat").read_bytes().split()
    except (OSError, ValueError):
        return (time.process_time(),) * 2
    return int(ran) / 1e9, (int(ran) + int(waited)) / 1e9


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
