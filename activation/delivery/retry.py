"""When to try again, and with whom: backoff with full jitter, and smaller requests for what keeps failing."""

import random
from datetime import timedelta
from typing import NamedTuple

FIRST = 1.0  # seconds
LONGEST = 300.0
MOST_ATTEMPTS = 12
# how often a sender may die over a row
MOST_DEATHS = 6


class Bound(NamedTuple):
    """Rows whose level is `least` to `most` go together, so many at a time (None: as many as fit)."""

    least: int
    most: int
    rows: int | None


# Whoever spoils the request of a thousand is alone in the end, and the others go on without it.
BOUNDS = (Bound(0, 3, None), Bound(4, 7, 32), Bound(8, 32_767, 1))


def most_rows(level: int) -> Bound:
    """With how many of its like a row of this level may share a request."""
    return next(bound for bound in BOUNDS if level <= bound.most)


def backoff(attempts: int) -> timedelta:
    """How long to wait after the `attempts`-th failure: anything up to 1, 2, 4 … 300 seconds."""
    ceiling = min(FIRST * 2 ** max(attempts - 1, 0), LONGEST)
    return timedelta(seconds=random.uniform(0, ceiling))
