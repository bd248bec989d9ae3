"""Windows expire without events: what time alone may have changed is looked at again when it is due."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from psycopg import Cursor

from audiences import store as memberships
from audiences.catalogue import CompiledAudience
from audiences.evaluation import group_into_tasks
from core import clock
from core.buckets import BUCKETS, try_lock
from core.database import Connection
from pipeline.absorb.outbox import Touched
from pipeline.absorb.unit_of_work import Work
from profiles import store as profiles

LIMIT = 1_000

WAITING = """
SELECT DISTINCT bucket FROM (
    SELECT bucket FROM membership
    WHERE bucket = ANY(%s::smallint[]) AND look_again_at <= %s ORDER BY bucket, look_again_at LIMIT %s
) AS front
"""

Due = tuple[int, int, UUID, int]  # bucket, audience, user, customer


def recheck(connection: Connection) -> tuple[int, Touched | None]:
    """Look again at one batch of what is due; answers how many, and who has something to do now."""
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        now = clock.now()
        cursor.execute(WAITING, [list(range(BUCKETS)), now, LIMIT])
        held = try_lock(cursor, [bucket for (bucket,) in cursor])
        due = memberships.due(cursor, held, now, LIMIT) if held else []
        if not due:
            return 0, None
        return len(due), _look(cursor, held, due)


def _look(cursor: Cursor[Any], held: set[int], due: list[Due]) -> Touched:
    work = Work(cursor, held, clock.now())
    work.configure()
    states = profiles.load_profiles(cursor, {(customer, user) for _, _, user, customer in due})
    asked: dict[tuple[int, UUID], dict[int, CompiledAudience]] = defaultdict(dict)
    settled = set()
    for bucket, audience_id, user, customer in due:
        audience = work.catalogue.audiences.by_id.get(audience_id)
        state = states.get((customer, user))
        if audience is None or state is None or not state.eligible:
            settled.add((bucket, audience_id, user))
        else:
            asking = work.catalogue.audiences.asking(audience)
            asked[customer, user] |= {one.id: one for one in (audience, *asking)}
    memberships.clear_look_again(cursor, settled)
    tasks = group_into_tasks((states[key], audiences) for key, audiences in asked.items())
    work.evaluate(lambda evaluation: evaluation.of_tasks(tasks))
    work.finish()
    return work.touched
