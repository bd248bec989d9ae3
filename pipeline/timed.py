"""Work that time alone asks for: windows of rules, ends of matches, and ids that nobody brought back.

Each kind of work finds the buckets in which something is due, locks those that are free, and does one batch of it
in one transaction, as absorb does with rows.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import Cursor

from audiences import store as memberships
from audiences.catalogue import CompiledAudience
from audiences.evaluation import group_into_tasks
from core import clock
from core.buckets import BUCKETS, try_lock
from core.database import Connection
from pipeline.absorb.loader import Needs
from pipeline.absorb.platform_ids import platform_of, take_back
from pipeline.absorb.unit_of_work import UnitOfWork
from profiles import identities
from profiles import store as profiles
from profiles.identities import IdentityKey

RECHECKS = 1_000  # memberships a transaction
EXPIRIES = 500  # platforms' ids a transaction
UNCONFIRMED = 500  # profiles a transaction
UNCONFIRMED_KEPT = timedelta(days=1)

TO_RECHECK = """
SELECT DISTINCT bucket FROM (
    SELECT bucket FROM membership
    WHERE bucket = ANY(%s::smallint[]) AND look_again_at <= %s ORDER BY bucket, look_again_at LIMIT %s
) AS front
"""
DueMembership = tuple[int, int, UUID, int]  # bucket, audience, user, customer


class TimedWork:
    """Does a batch of each kind over the given connection.

    `on_commit` is called after each commit with the (platform, bucket)s in which something is to be delivered.
    """

    def __init__(self, connection: Connection, on_commit: Callable[[set[tuple[int, int]]], None]) -> None:
        self._connection = connection
        self._on_commit = on_commit

    def recheck(self) -> int:
        """Evaluate again memberships that time may have changed; returns how many."""
        with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
            now = clock.now()
            cursor.execute(TO_RECHECK, [list(range(BUCKETS)), now, RECHECKS])
            held = try_lock(cursor, [bucket for (bucket,) in cursor])
            due = memberships.due(cursor, held, now, RECHECKS) if held else []
            if not due:
                return 0
            touched = _evaluate(cursor, held, due)
        self._on_commit(touched)
        return len(due)

    def expire(self) -> int:
        """Take back platforms' ids whose time has run out; returns how many.

        This is done in the buckets of the ids, which know the owners.
        """
        with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
            now = clock.now()
            held = try_lock(cursor, identities.buckets_with_expired(cursor, now, EXPIRIES))
            expired = identities.expired(cursor, held, now, EXPIRIES) if held else []
            if not expired:
                return 0
            touched = _take_back(cursor, held, expired)
        self._on_commit(touched)
        return len(expired)

    def delete_unconfirmed(self) -> int:
        """Delete profiles whose ids did not come back within a day; returns how many.

        Browsers without cookies leave one at every visit. They are in no audience and on no platform.
        """
        with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
            before = clock.now() - UNCONFIRMED_KEPT
            held = try_lock(cursor, profiles.buckets_with_unconfirmed(cursor, before, UNCONFIRMED))
            return profiles.erase_unconfirmed(cursor, held, before, UNCONFIRMED) if held else 0


def _evaluate(cursor: Cursor[Any], held: set[int], due: list[DueMembership]) -> set[tuple[int, int]]:
    unit = UnitOfWork(cursor, held, clock.now())
    states = profiles.load_profiles(cursor, {(customer, user) for _, _, user, customer in due})
    asked: dict[tuple[int, UUID], dict[int, CompiledAudience]] = defaultdict(dict)
    settled = set()
    for bucket, audience_id, user, customer in due:
        audience = unit.catalogue.audiences.by_id.get(audience_id)
        state = states.get((customer, user))
        if audience is None or state is None or not state.eligible:
            settled.add((bucket, audience_id, user))
        else:
            asking = unit.catalogue.audiences.asking(audience)
            asked[customer, user] |= {one.id: one for one in (audience, *asking)}
    memberships.clear_look_again(cursor, settled)
    tasks = group_into_tasks((states[key], audiences) for key, audiences in asked.items())
    unit.memberships.evaluate(lambda evaluation: evaluation.of_tasks(tasks))
    return unit.finish()


def _take_back(cursor: Cursor[Any], held: set[int], keys: list[IdentityKey]) -> set[tuple[int, int]]:
    unit = UnitOfWork(cursor, held, clock.now(), Needs(identities=set(keys)))
    for customer, kind, value in keys:
        platform = platform_of(kind)
        assert platform is not None, kind  # only platforms' ids end
        take_back(unit, customer, platform, value)
    unit.save()
    return unit.finish()
