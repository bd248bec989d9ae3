"""Which lanes the threads of a process work in, so that no platform takes the threads of the others.

A platform may be slow without failing: each of its lanes then holds a thread for as long as a request may take. A
process works in a lane once, a platform holds a bounded number of threads, and the last quarter of the threads is kept
for platforms that hold none.
"""

import threading
from collections import defaultdict

from activation.delivery.lanes import LANES

# threads that one platform may hold in a process: its lanes, and the one in which segments are created
MOST_THREADS = LANES + 1
# one in so many threads is kept for platforms that hold none
KEPT_SHARE = 4
# threads of a process, where nobody said how many it has
THREADS = 48


class LaneSlots:
    """The lanes in which this process works now, by platform. Threads share it."""

    def __init__(self, threads: int = THREADS) -> None:
        self.threads = threads
        self._guard = threading.Lock()
        self._held: defaultdict[int, set[int]] = defaultdict(set)
        self._refused: defaultdict[int, set[int]] = defaultdict(set)

    def take(self, platform: int, lane: int) -> bool:
        """Take a thread for the lane. False where it is worked in already, or where the platform has its share."""
        with self._guard:
            held = self._held[platform]
            if not held or (lane not in held and self._has_room(held)):
                held.add(lane)
                return True
            self._refused[platform].add(lane)
            return False

    def holds(self, platform: int, lane: int) -> bool:
        """Whether the lane is worked in."""
        with self._guard:
            return lane in self._held.get(platform, ())

    def has_many_free(self) -> bool:
        """Whether half of the threads are free, so that one may wait in its lane for more to do."""
        with self._guard:
            return self._free() >= self.threads // 2

    def give_back(self, platform: int, lane: int) -> set[int]:
        """Give the thread back. Returns the platform's lanes that were refused one meanwhile, this lane perhaps too."""
        with self._guard:
            self._held[platform].discard(lane)
            if not self._held[platform]:
                del self._held[platform]
            return self._refused.pop(platform, set())

    def _has_room(self, held: set[int]) -> bool:
        """Whether a platform that holds these may have one more."""
        return len(held) < MOST_THREADS and self._free() > self.threads // KEPT_SHARE

    def _free(self) -> int:
        return self.threads - sum(map(len, self._held.values()))
