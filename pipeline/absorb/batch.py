"""One batch: rows already taken and locked are decoded, applied and deleted, in the caller's transaction."""

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Cursor

from core import clock
from core.inbox import FIRST_BULK, InboxKind
from pipeline import bad_rows, timed
from pipeline.absorb.bulk import BulkPass
from pipeline.absorb.handlers import BULK_HANDLERS, HANDLERS
from pipeline.absorb.loader import Needs
from pipeline.absorb.rows import InboxRow, delete
from pipeline.absorb.unit_of_work import UnitOfWork
from pipeline.timed import DueItem
from profiles.identities import ExpiredIdentity

Step = tuple[Callable[[UnitOfWork, InboxRow, Any], None], InboxRow, Any]


def absorb_rows(
    cursor: Cursor[Any], held: set[int], rows: Sequence[InboxRow], due: Sequence[DueItem] = ()
) -> tuple[int, set[tuple[int, int]]]:
    """Absorb the rows of buckets that are held, and do what is due in them.

    Of bulk commands only as many are done as one transaction has room for.

    Returns how many rows were absorbed, and the (platform, bucket)s in which something is to be delivered after the
    commit. Raises whatever a row's handler raises: then the transaction must be rolled back.
    """
    now = clock.now()
    plain = [row for row in rows if row.kind < FIRST_BULK]
    steps, needs = _decode(plain)
    needs.identities.update(item.key for item in due if isinstance(item, ExpiredIdentity))
    unit = UnitOfWork(cursor, held, now, needs)
    unit.catalogue.check(message.customer for _, _, message in steps if hasattr(message, "customer"))
    for apply, row, message in steps:
        unit.outbox.follow(row.received_at)
        apply(unit, row, message)
    unit.outbox.follow(None)
    timed.before_save(unit, due)
    unit.save()
    timed.after_save(unit, due)
    done = plain + _absorb_bulk(unit, [row for row in rows if row.kind >= FIRST_BULK])
    touched = unit.finish()
    bad_rows.keep_parts(cursor, unit.bad_parts, now)
    if done:
        delete(cursor, done)
    return len(done), touched


def _decode(rows: Sequence[InboxRow]) -> tuple[list[Step], Needs]:
    needs = Needs()
    steps: list[Step] = []
    for row in rows:
        handler = HANDLERS[row.kind]
        message = handler.decode(row.query)
        handler.needs(message, needs)
        steps.append((handler.apply, row, message))
    if any(row.kind == InboxKind.ERASE for row in rows):
        steps.sort(key=_comes_after_erasures)
    return steps, needs


def _comes_after_erasures(step: Step) -> bool:
    """Erasures come first: what a row of another bucket adds to a profile at once must not go with the old profile."""
    return step[1].kind != InboxKind.ERASE


def _absorb_bulk(unit: UnitOfWork, rows: Sequence[InboxRow]) -> list[InboxRow]:
    """Do as many of these bulk commands as the transaction has room for; returns those done."""
    bulk = BulkPass()
    done = []
    for row in rows:
        if bulk.is_over:
            break
        handler = BULK_HANDLERS[row.kind]
        handler.apply(unit, row, handler.decode(row.query), bulk)
        bulk.count_command()
        done.append(row)
    unit.memberships.evaluate(lambda evaluation: evaluation.of_tasks(bulk.tasks()))
    return done
