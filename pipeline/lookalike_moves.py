"""Memberships of a lookalike after a scoring, moved under the locks of the buckets.

Scores only say which users to look at. Who is a member is decided as always: by evaluation, under the bucket's lock. An
event that was absorbed since the scoring began may have been judged by the model or the threshold that was in force
before, so users who changed since then are looked at too.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from psycopg import Cursor

from audiences import store as memberships
from audiences.compiled import CompiledAudience, Selection
from audiences.models import Audience
from core import clock
from core.buckets import BUCKETS, try_lock
from core.database import Connection, connect
from pipeline import catalogue
from pipeline.absorb import stage
from pipeline.absorb.unit_of_work import UnitOfWork
from profiles import store as profiles

PROFILES_A_TRANSACTION = 500
BUCKETS_A_TRANSACTION = 16
PAUSE_SECONDS = 0.02
LONGEST_TRANSACTION = timedelta(seconds=60)

UsersByBucket = Mapping[int, set[bytes]]
"""The 16 bytes of each user, by bucket."""

IN_AUDIENCE = (
    "SELECT bucket, user_id FROM membership WHERE bucket = ANY(%s::smallint[]) AND audience_id = %s AND member"
)
CHANGED = """
SELECT bucket, user_id FROM profile WHERE bucket = ANY(%s::smallint[]) AND customer_id = %s AND updated_at >= %s
"""
FLIPPED = """
SELECT bucket, user_id FROM membership
WHERE bucket = ANY(%s::smallint[]) AND audience_id = ANY(%s::int[]) AND since >= %s
"""


def move_members(audience: Audience, scored_at: datetime, above: UsersByBucket, report: Callable[[int], None]) -> int:
    """Look at all users who are, or may be, on the wrong side (a `lookalikes.jobs.scoring.MoveMembers`).

    It opens a connection of its own, and waits for buckets that others hold.
    """
    connection = connect(durable=False)
    overlap = 0
    try:
        move = LookalikeMove(audience, scored_at - LONGEST_TRANSACTION, above, connection)
        for first in range(0, BUCKETS, BUCKETS_A_TRANSACTION):
            group = range(first, min(first + BUCKETS_A_TRANSACTION, BUCKETS))
            overlap += move.overlap_with_seed(group)
            left = set(group)
            while left:
                left -= catalogue.run(partial(move.step, left))
            report(group.stop)
    finally:
        connection.close()
    return overlap


@dataclass(slots=True)
class LookalikeMove:
    """The move of one audience. `above`: the users at or above the threshold; `waiting`: the users who are still to be
    looked at, of buckets that were begun.
    """

    audience: Audience
    changed_since: datetime
    above: UsersByBucket
    connection: Connection
    waiting: dict[int, list[UUID]] = field(default_factory=dict)

    def overlap_with_seed(self, group: Collection[int]) -> int:
        """Returns how many users above the threshold are members of the seed."""
        with self.connection.cursor(binary=True) as cursor:
            seed = _users(cursor, IN_AUDIENCE, [list(group), self.audience.seed_id])
        return sum(len(users & self.above.get(bucket, set())) for bucket, users in seed.items())

    def step(self, left: set[int]) -> set[int]:
        """Run one transaction on those of the buckets that are free; return the buckets that are done."""
        with self.connection.transaction(), self.connection.cursor(binary=True) as cursor:
            held = try_lock(cursor, left)
            unit = UnitOfWork(cursor, held, clock.now())
            audience = unit.catalogue.audiences.get(self.audience.id)
            if audience is None:
                return left  # paused or deleted meanwhile
            self.waiting |= self._to_look_at(cursor, held - self.waiting.keys(), audience)
            users, done = self._take(held)
            _evaluate(unit, audience, users)
            for bucket in sorted(done) if audience.version == self.audience.version else ():
                memberships.mark_built(cursor, {bucket}, audience.id, audience.version)
            touched = unit.finish()
        stage.wake_deliverers(touched)
        if not held:
            time.sleep(PAUSE_SECONDS)
        return done

    def _take(self, held: set[int]) -> tuple[list[UUID], set[int]]:
        """Returns as many users as a transaction takes, and the buckets in which nobody is left then."""
        users: list[UUID] = []
        for bucket in sorted(held):
            room = PROFILES_A_TRANSACTION - len(users)
            users += self.waiting[bucket][:room]
            self.waiting[bucket] = self.waiting[bucket][room:]
        return users, {bucket for bucket in held if not self.waiting[bucket]}

    def _to_look_at(self, cursor: Cursor[Any], buckets: set[int], audience: CompiledAudience) -> dict[int, list[UUID]]:
        """Returns the users on the wrong side and those who changed since the scoring, by bucket, in order."""
        asked, since = sorted(buckets), self.changed_since
        inside = _users(cursor, IN_AUDIENCE, [asked, audience.id]) if asked else {}
        found = {bucket: self.above.get(bucket, set()) ^ inside.get(bucket, set()) for bucket in asked}
        changed = _users(cursor, CHANGED, [asked, audience.customer, since]) if asked else {}
        flipped = _users(cursor, FLIPPED, [asked, sorted(audience.audiences), since]) if audience.audiences else {}
        for more in (changed, flipped):
            for bucket, users in more.items():
                found[bucket] |= users
        return {bucket: [UUID(bytes=user) for user in sorted(users)] for bucket, users in found.items()}


def _users(cursor: Cursor[Any], statement: str, values: Sequence[Any]) -> dict[int, set[bytes]]:
    found: dict[int, set[bytes]] = defaultdict(set)
    for bucket, user in cursor.execute(statement, values):
        found[bucket].add(user.bytes)
    return found


def _evaluate(unit: UnitOfWork, audience: CompiledAudience, users: Collection[UUID]) -> None:
    """Evaluate the audience, and those that ask about it, for these users."""
    states = profiles.load_profiles(unit.cursor, {(audience.customer, user) for user in users})
    selection = Selection((audience, *unit.catalogue.audiences.asking(audience)))
    eligible = [state for state in states.values() if state.eligible]
    unit.memberships.evaluate(lambda evaluation: evaluation.of_tasks([(state, selection) for state in eligible]))
