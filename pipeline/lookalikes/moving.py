"""Memberships after a scoring. Scores say whom to look at; who is in is decided as always, under the bucket's lock.

An event that was absorbed since the scoring began may have been judged by what was in force before, so whoever changed
since then is looked at too.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Cursor

from audiences import store as memberships
from audiences.catalogue import CompiledAudience
from audiences.models import Audience
from edge import clock
from pipeline.absorb import stage
from pipeline.absorb.work import Work
from pipeline.database import connect
from pipeline.locks import try_lock
from profiles import store as profiles

AT_ONCE = 500  # profiles of a transaction
PAUSE_SECONDS = 0.02
LONGEST_TRANSACTION = timedelta(seconds=60)

IN_AUDIENCE = "SELECT user_id FROM membership WHERE bucket = %s AND audience_id = %s AND member"
CHANGED = "SELECT user_id FROM profile WHERE bucket = %s AND customer_id = %s AND updated_at >= %s"
FLIPPED = "SELECT user_id FROM membership WHERE bucket = %s AND audience_id = ANY(%s::int[]) AND since >= %s"


class Moves:
    """Of one audience, in the transactions of a connection of its own."""

    def __init__(self, audience: Audience, scored_at: datetime) -> None:
        self.audience = audience
        self.since = scored_at - LONGEST_TRANSACTION
        self.connection = connect(durable=False)

    def finish(self) -> None:
        self.connection.close()


def move(moves: Moves, bucket: int, above: set[bytes]) -> int:
    """Look at all of a bucket who are, or may be, on the wrong side; answers how many above are in the seed."""
    overlap = _in(moves, bucket, moves.audience.seed_id or 0) & above
    waiting: list[UUID] | None = None
    while waiting is None or waiting:
        waiting = _step(moves, bucket, above, waiting)
    return len(overlap)


def _in(moves: Moves, bucket: int, audience: int) -> set[bytes]:
    return {user.bytes for (user,) in moves.connection.execute(IN_AUDIENCE, [bucket, audience])}


def _step(moves: Moves, bucket: int, above: set[bytes], waiting: list[UUID] | None) -> list[UUID] | None:
    """One transaction; answers who is still to be looked at (none: they are not yet known, the bucket is taken)."""
    with moves.connection.transaction(), moves.connection.cursor(binary=True) as cursor:
        if not try_lock(cursor, {bucket}):
            held = False
        else:
            held = True
            work = Work(cursor, {bucket}, clock.now())
            work.configure()
            audience = work.catalogue.audiences.by_id.get(moves.audience.id)
            waiting = _concerned(moves, cursor, bucket, above, audience) if waiting is None else waiting
            now, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
            if audience is not None:
                _look(work, audience, now)
                if not waiting and audience.version == moves.audience.version:
                    memberships.built(cursor, bucket, audience.id, audience.version)
            work.finish()
    if held:
        stage.tell(work.touched)
    else:
        time.sleep(PAUSE_SECONDS)
    return waiting


def _concerned(
    moves: Moves, cursor: Cursor[Any], bucket: int, above: set[bytes], audience: CompiledAudience | None
) -> list[UUID]:
    """In order. Nobody, where the audience has been paused or deleted meanwhile."""
    if audience is None:
        return []
    wrong = {UUID(bytes=user) for user in above ^ _in(moves, bucket, audience.id)}
    wrong |= _users(cursor, CHANGED, [bucket, audience.customer, moves.since])
    if audience.audiences:
        wrong |= _users(cursor, FLIPPED, [bucket, sorted(audience.audiences), moves.since])
    return sorted(wrong, key=lambda user: user.int)


def _users(cursor: Cursor[Any], statement: str, values: Sequence[Any]) -> set[UUID]:
    cursor.execute(statement, values)
    return {user for (user,) in cursor}


def _look(work: Work, audience: CompiledAudience, users: Iterable[UUID]) -> None:
    states = profiles.load_profiles(work.cursor, {(audience.customer, user) for user in users})
    asking = work.catalogue.audiences.asking(audience)
    eligible = [state for state in states.values() if state.eligible]
    work.evaluate(lambda evaluation: evaluation.of_tasks([(state, (audience, *asking)) for state in eligible]))
