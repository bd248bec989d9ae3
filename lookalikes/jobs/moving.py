"""Memberships after a scoring. Scores say whom to look at; who is in is decided as always, under the bucket's lock.

An event that was absorbed since the scoring began may have been judged by what was in force before, so whoever changed
since then is looked at too.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Cursor

from audiences import store as memberships
from audiences.catalogue import CompiledAudience, Selection
from audiences.models import Audience
from core import clock
from core.buckets import BUCKETS, try_lock
from core.database import Connection, connect
from pipeline.absorb import stage
from pipeline.absorb.unit_of_work import Work
from profiles import store as profiles

AT_ONCE = 500  # profiles of a transaction
GROUP = 16  # buckets that a transaction holds
PAUSE_SECONDS = 0.02
LONGEST_TRANSACTION = timedelta(seconds=60)

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

ByBucket = dict[int, set[bytes]]


@dataclass(slots=True)
class Moves:
    """Of one audience, by a connection of its own. `waiting`: who is to be looked at, of buckets that were begun."""

    audience: Audience
    since: datetime
    connection: Connection
    waiting: dict[int, list[UUID]] = field(default_factory=dict)


def move(audience: Audience, scored_at: datetime, above: ByBucket, told: Callable[[int], None]) -> int:
    """Look at all who are, or may be, on the wrong side; answers how many of those above are in the seed."""
    connection = connect(durable=False)
    overlap = 0
    try:
        moves = Moves(audience, scored_at - LONGEST_TRANSACTION, connection)
        for first in range(0, BUCKETS, GROUP):
            group = range(first, min(first + GROUP, BUCKETS))
            overlap += _overlap(moves, group, above)
            left = set(group)
            while left:
                left -= _step(moves, left, above)
            told(group.stop)
    finally:
        connection.close()
    return overlap


def _overlap(moves: Moves, group: Collection[int], above: ByBucket) -> int:
    with moves.connection.cursor(binary=True) as cursor:
        seed = _users(cursor, IN_AUDIENCE, [list(group), moves.audience.seed_id])
    return sum(len(users & above.get(bucket, set())) for bucket, users in seed.items())


def _step(moves: Moves, left: set[int], above: ByBucket) -> set[int]:
    """One transaction, on those of the buckets that are free; answers those that are done."""
    with moves.connection.transaction(), moves.connection.cursor(binary=True) as cursor:
        held = try_lock(cursor, left)
        work = Work(cursor, held, clock.now())
        work.configure()
        audience = work.catalogue.audiences.by_id.get(moves.audience.id)
        if audience is None:
            return left  # paused or deleted meanwhile
        moves.waiting |= _concerned(moves, cursor, held - moves.waiting.keys(), above, audience)
        users, done = _portion(moves.waiting, held)
        _look(work, audience, users)
        for bucket in sorted(done) if audience.version == moves.audience.version else ():
            memberships.built(cursor, bucket, audience.id, audience.version)
        work.finish()
    stage.tell(work.touched)
    if not held:
        time.sleep(PAUSE_SECONDS)
    return done


def _portion(waiting: dict[int, list[UUID]], held: set[int]) -> tuple[list[UUID], set[int]]:
    """As many as a transaction takes, and the buckets in which nobody is left then."""
    users: list[UUID] = []
    for bucket in sorted(held):
        room = AT_ONCE - len(users)
        users += waiting[bucket][:room]
        waiting[bucket] = waiting[bucket][room:]
    return users, {bucket for bucket in held if not waiting[bucket]}


def _concerned(
    moves: Moves, cursor: Cursor[Any], buckets: set[int], above: ByBucket, audience: CompiledAudience
) -> dict[int, list[UUID]]:
    """By bucket, in order."""
    asked = sorted(buckets)
    inside = _users(cursor, IN_AUDIENCE, [asked, audience.id]) if asked else {}
    found = {bucket: above.get(bucket, set()) ^ inside.get(bucket, set()) for bucket in asked}
    changed = _users(cursor, CHANGED, [asked, audience.customer, moves.since]) if asked else {}
    flipped = _users(cursor, FLIPPED, [asked, sorted(audience.audiences), moves.since]) if audience.audiences else {}
    for more in (changed, flipped):
        for bucket, users in more.items():
            found[bucket] |= users
    return {bucket: [UUID(bytes=user) for user in sorted(users)] for bucket, users in found.items()}


def _users(cursor: Cursor[Any], statement: str, values: Sequence[Any]) -> ByBucket:
    found: ByBucket = defaultdict(set)
    for bucket, user in cursor.execute(statement, values):
        found[bucket].add(user.bytes)
    return found


def _look(work: Work, audience: CompiledAudience, users: Collection[UUID]) -> None:
    states = profiles.load_profiles(work.cursor, {(audience.customer, user) for user in users})
    selection = Selection((audience, *work.catalogue.audiences.asking(audience)))
    eligible = [state for state in states.values() if state.eligible]
    work.evaluate(lambda evaluation: evaluation.of_tasks([(state, selection) for state in eligible]))
