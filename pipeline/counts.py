"""Whether the counters say what a count of the tables would say, and the repair of those that do not.

Pages show counters and never count. Each is kept by whoever changes what it counts, in the same transaction:
deliveries by state and matched members (`activation.stores.activation_counts`), members (`audiences.store`), users
whom a platform knows (`usersync.user_counts`) and users whom a customer knows (`profiles.user_counts`).
"""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from django.db import transaction
from psycopg import Cursor

from activation.stores import activation_counts
from activation.stores.activation_counts import Counts
from audiences import store as memberships
from core.buckets import BUCKETS, lock
from core.database import bare_cursor
from profiles import user_counts as known_users
from usersync import user_counts as mapped_users

log = logging.getLogger(__name__)

BUCKETS_A_ROUND = 4

TABLES = (activation_counts.TABLE, memberships.SIZES, mapped_users.TABLE, known_users.TABLE)

Key = tuple[int, int]  # bucket, and what is counted: an audience, a platform, a customer
Differences = Callable[[Cursor[Any], Collection[int]], dict[Key, int]]
Correct = Callable[[Cursor[Any], Mapping[Key, int]], None]

# what is counted in one number: of what, of whom, and how it is looked at and corrected
_SINGLE: tuple[tuple[str, str, Differences, Correct], ...] = (
    ("members", "audience", memberships.differences, memberships.correct),
    ("mapped users", "platform", mapped_users.differences, mapped_users.correct),
    ("known users", "customer", known_users.differences, known_users.correct),
)


class WrongCount(NamedTuple):
    """A counter that is `too_low` by so many (negative: too high), and where it stands: `of` names its owner."""

    what: str
    of: str
    owner: int
    bucket: int
    too_low: int

    def __str__(self) -> str:
        return f"{self.what} of {self.of} {self.owner} in bucket {self.bucket}: too low by {self.too_low}"


def check(buckets: Collection[int] = range(BUCKETS)) -> list[WrongCount]:
    """Returns the counters that are wrong. Reads all that the buckets hold, and takes no lock.

    May be called at any time: each statement sees a counter and what it counts as of the same moment.
    """
    with bare_cursor() as cursor:
        return _check(cursor, buckets)


def repair(bucket: int) -> list[WrongCount]:
    """Correct what is wrong in the bucket, under its lock. Returns what was wrong."""
    with transaction.atomic(), bare_cursor() as cursor:
        lock(cursor, bucket)
        found = _check(cursor, [bucket])
        changes = activation_counts.DeliveryChanges(cursor, locked=True)
        for one in found:
            if one.of == "activation":
                changes.add((bucket, one.owner), Counts(**{one.what.replace(" ", "_"): one.too_low}))
        changes.write()
        for what, _, _, correct in _SINGLE:
            if wrong := {(bucket, one.owner): one.too_low for one in found if one.what == what}:
                correct(cursor, wrong)
    return found


def _check(cursor: Cursor[Any], buckets: Collection[int]) -> list[WrongCount]:
    found = [
        WrongCount(state.replace("_", " "), "activation", activation, bucket, number)
        for (bucket, activation), counts in activation_counts.differences(cursor, buckets).items()
        for state, number in counts._asdict().items()
        if number
    ]
    for what, of, differences, _ in _SINGLE:
        wrong = differences(cursor, buckets)
        found += [WrongCount(what, of, owner, bucket, number) for (bucket, owner), number in wrong.items()]
    return found


class CountsKeeper:
    """Checks all buckets in turn, a few a round, and repairs what is wrong. Nothing should be: it is logged."""

    def __init__(self) -> None:
        self._next = 0

    def round(self) -> None:
        """To be called every minute."""
        buckets = [(self._next + n) % BUCKETS for n in range(BUCKETS_A_ROUND)]
        self._next = (buckets[-1] + 1) % BUCKETS
        for bucket in sorted({one.bucket for one in check(buckets)}):
            for one in repair(bucket):
                log.warning("counted anew: %s", one)
