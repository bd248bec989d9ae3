"""The senders: many kept connections, one clock.

The clock is held while the hub has more to do than it should."""

import asyncio
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from local.demo.connection import EdgeConnection, Retries
from local.demo.errors import DemonstrationError, NotAcceptedError
from local.demo.latency import LatencyTracker
from local.demo.script import Step, StepKind

LONGEST_NAP_SECONDS = 0.05


class PlayClock:
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
        due = number / self._rate
        while True:  # the clock may be held meanwhile
            early = due - self._now()
            if early <= 0:
                return
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


CONNECTIONS = 64


@dataclass(slots=True)
class PlayProgress:
    """How far the play is. `answers` counts (kind, X-DMP-Status)."""

    steps: int
    sent: int = 0
    seconds: float = 0.0
    held_seconds: float = 0.0
    answers: Counter[tuple[StepKind, str]] = field(default_factory=Counter)
    repeats: Retries = field(default_factory=Retries)


async def play(
    steps: Sequence[Step], port: int, clock: PlayClock, latencies: LatencyTracker, progress: PlayProgress
) -> None:
    """Send every step at its time, those of one customer one after another.

    Raises NotAcceptedError at the first refusal, EdgeGoneError where the edge no longer answers.
    """
    shares: list[list[tuple[int, Step]]] = [[] for _ in range(CONNECTIONS)]
    for number, step in enumerate(steps):
        shares[zlib.crc32(step.customer.encode()) % CONNECTIONS].append((number, step))
    began = time.monotonic()
    clock.begin()
    try:
        async with asyncio.TaskGroup() as senders:
            for share in shares:
                connection = EdgeConnection("127.0.0.1", port, progress.repeats)
                senders.create_task(_send(share, connection, clock, latencies, progress))
    except ExceptionGroup as failures:
        first = failures.exceptions[0]
        raise (first if isinstance(first, DemonstrationError) else failures) from None
    progress.seconds, progress.held_seconds = time.monotonic() - began, clock.held_seconds


async def _send(
    share: list[tuple[int, Step]],
    connection: EdgeConnection,
    clock: PlayClock,
    latencies: LatencyTracker,
    progress: PlayProgress,
) -> None:
    for number, step in share:
        await clock.reach(number)
        answer = await connection.ask(step.request())
        if answer.name not in {"accepted", "stored"}:
            raise NotAcceptedError(f"{step.kind}: {answer.status} {answer.name} for {step.request()!r}")
        latencies.accepted(step, time.time())
        progress.sent += 1
        progress.answers[step.kind, answer.name] += 1
    await connection.close()
