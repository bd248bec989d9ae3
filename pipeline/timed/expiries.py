"""Matches with an end: the bucket of the platform's id, which knows the owner, takes them back when it has come."""

from typing import Any

from psycopg import Cursor

from core import clock
from core.buckets import try_lock
from core.database import Connection
from pipeline.absorb.loader import Needs
from pipeline.absorb.outbox import Touched
from pipeline.absorb.syncs import take_back
from pipeline.absorb.unit_of_work import Work
from profiles import identities
from profiles.identities import IdentityKey

LIMIT = 500


def expire(connection: Connection) -> tuple[int, Touched | None]:
    """Take back one batch of what has run out; answers how many ids, and who has something to do now."""
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        now = clock.now()
        held = try_lock(cursor, identities.buckets_with_expired(cursor, now, LIMIT))
        expired = identities.expired(cursor, held, now, LIMIT) if held else []
        if not expired:
            return 0, None
        return len(expired), _take_back(cursor, held, expired)


def _take_back(cursor: Cursor[Any], held: set[int], keys: list[IdentityKey]) -> Touched:
    work = Work(cursor, held, clock.now())
    work.load(Needs(identities=set(keys)))
    work.configure()
    for customer, kind, value in keys:
        take_back(work, customer, int(kind.partition(":")[2]), value)
    work.flush()
    work.finish()
    return work.touched
