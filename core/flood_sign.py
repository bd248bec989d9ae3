"""The sign of a flood: customers that send more than is absorbed, while others share the hub.

Who absorbs shows it in Redis, round after round, and edges slow these customers down as long as they see it. Nothing
depends on it: where Redis is away, the inbox grows, and the rows of others are absorbed first all the same.
"""

import time
from collections.abc import Collection
from contextlib import suppress

import redis

from core.right_of_way import AWAY_SECONDS, PATIENCE_SECONDS

PREFIX = "dmphub:flood:"
SHOWN_MS = 300
"""How long a customer counts as flooding after it was last said."""


class FloodSign:
    """What absorbers say of customers in Redis, and what edges read."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS
        )
        self._ask_again = 0.0

    def show(self, customers: Collection[int]) -> None:
        """Say that these customers flood the hub now. Never raises."""
        said = self._redis.pipeline(transaction=False)
        for customer in customers:
            said.set(f"{PREFIX}{customer}", 1, px=SHOWN_MS)
        with suppress(redis.RedisError):
            said.execute()

    def shown(self, customers: Collection[int]) -> set[int]:
        """Returns those of the customers that flood the hub; nobody, where Redis does not respond."""
        if not customers or time.monotonic() < self._ask_again:
            return set()
        asked = sorted(customers)
        try:
            said = self._redis.mget([f"{PREFIX}{customer}" for customer in asked])
        except redis.RedisError:
            self._ask_again = time.monotonic() + AWAY_SECONDS
            return set()
        return {customer for customer, one in zip(asked, said, strict=True) if one}
