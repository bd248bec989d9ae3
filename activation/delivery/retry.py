"""When to try again: exponential backoff with full jitter, bounded in length and number."""

import random
from datetime import timedelta

FIRST = 1.0  # seconds
LONGEST = 300.0
MOST_ATTEMPTS = 12


def backoff(attempts: int) -> timedelta:
    """How long to wait after the `attempts`-th failure: anything up to 1, 2, 4 … 300 seconds."""
    ceiling = min(FIRST * 2 ** max(attempts - 1, 0), LONGEST)
    return timedelta(seconds=random.uniform(0, ceiling))  # noqa: S311 (spreading retries, not a secret)
