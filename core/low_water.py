"""Low-water marks: up to which key nothing is left to find in each bucket of a queue.

PostgreSQL keeps deleted rows, and old versions of changed ones, while any snapshot may still need them. A look at the
front of a queue reads past all of these. A look that begins behind a low-water mark reads past none of them, so its
cost does not depend on how much was taken off the queue since the oldest snapshot.

Marks are kept in memory only. Whoever starts without them pays for one full look, and learns them from it.
"""

from collections.abc import Iterable, Mapping, Sequence

from core.buckets import BUCKETS

LOWEST = 0
"""Below every key: the ids of rows, and unix milliseconds."""


class LowWaterMarks:
    """The mark of each bucket. A key is an integer by which the queue is read in ascending order.

    Buckets whose marks differ by at most `spread` are looked at in one statement.
    """

    __slots__ = ("_marks", "_spread")

    def __init__(self, spread: int) -> None:
        self._spread = spread
        self._marks = [LOWEST] * BUCKETS

    def runs(self, buckets: Iterable[int]) -> list[tuple[int, list[int]]]:
        """Returns (mark, buckets) for each look, in the given order. In these buckets only keys above the mark are
        left.
        """
        lowest = min(self._marks)
        if max(self._marks) - lowest <= self._spread:
            return [(lowest, list(buckets))]  # nearly always
        found: list[tuple[int, list[int]]] = []
        least = most = LOWEST
        for bucket in buckets:
            mark = self._marks[bucket]
            if found and max(most, mark) - min(least, mark) <= self._spread:
                least, most = min(least, mark), max(most, mark)
                found[-1] = (least, found[-1][1])
                found[-1][1].append(bucket)
            else:
                least = most = mark
                found.append((mark, [bucket]))
        return found

    def learn(self, looked_at: Sequence[int], first: Mapping[int, int], upto: int, *, is_cut: bool) -> None:
        """Raise the marks after a look at these buckets, which must be in ascending order.

        `first`: the lowest key that was found, by bucket. `upto`: no key up to this one can appear any more. `is_cut`:
        the look ended in the last bucket in which something was found, so the buckets behind it are not known.
        """
        last = max(first) if is_cut else BUCKETS
        for bucket in looked_at:
            if bucket > last:
                return
            self._marks[bucket] = min(first[bucket] - 1, upto) if bucket in first else upto

    def forget(self, buckets: Iterable[int] | None = None) -> None:
        """Begin the next look at these buckets, or at all, at their lowest key."""
        for bucket in range(BUCKETS) if buckets is None else buckets:
            self._marks[bucket] = LOWEST
