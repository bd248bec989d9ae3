"""Waking the absorb stage from the edge: off the event loop, and never more often than is of use."""

import threading
import time
from collections.abc import Collection

from core.wakeups import ABSORB, Wakeups

SHORTEST_SECONDS = 0.02


class Waker:
    """Told of every commit (see `edge.group_commit.OnCommit`); a thread of its own speaks to Redis."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._committed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)

    def __call__(self, _: Collection[int]) -> None:
        if not self._thread.is_alive():
            self._thread.start()
        self._committed.set()

    def _run(self) -> None:
        while True:
            self._committed.wait()
            self._committed.clear()
            self._wakeups.wake(ABSORB, 0)
            time.sleep(SHORTEST_SECONDS)
