"""When to try again, and with whom: backoff with full jitter, and smaller requests for what keeps failing."""

import random
from datetime import timedelta
from typing import NamedTuple

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
MOST_ATTEMPTS = 12
# how often a sender may die over a row
MOST_DEATHS = 6

_MOST_DOUBLINGS = 20


class SharingBound(NamedTuple):
    """Rows whose level is `least` to `most` go together, so many at a time (None: as many as fit)."""

    least: int
    most: int
    rows: int | None


# A row that spoils the request of a thousand is alone in the end, and the others go on without it.
BOUNDS = (SharingBound(0, 3, None), SharingBound(4, 7, 32), SharingBound(8, 32_767, 1))


def sharing_bound(level: int) -> SharingBound:
    """Returns with how many of its like a row of this level may share a request."""
    return next(bound for bound in BOUNDS if level <= bound.most)


def longest_wait(failures: int, first_seconds: float = FIRST_SECONDS) -> timedelta:
    """Returns `first_seconds` after the first failure, and twice as long after each further one, up to 300 seconds."""
    doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
    return timedelta(seconds=min(first_seconds * 2.0**doublings, LONGEST_SECONDS))


def backoff(failures: int) -> timedelta:
    """Returns a random wait between nothing and `longest_wait`, so that many rows do not come back at once."""
    return random.uniform(0, 1) * longest_wait(failures)
