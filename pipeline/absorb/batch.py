"""One batch: rows already taken and locked are decoded, applied and deleted, in the caller's transaction."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from psycopg import Cursor

from core import clock
from core.inbox import FIRST_BULK, InboxKind
from core.turns import in_turn
from pipeline import bad_rows, timed
from pipeline.absorb.bulk import BulkPass
from pipeline.absorb.handlers import BULK_HANDLERS, HANDLERS
from pipeline.absorb.idle_commands import idle
from pipeline.absorb.loader import Needs
from pipeline.absorb.rows import InboxRow, delete
from pipeline.absorb.unit_of_work import UnitOfWork
from pipeline.timed import DueItem
from profiles.identities import ExpiredIdentity

Step = tuple[Callable[[UnitOfWork, InboxRow, Any], None], InboxRow, Any]


class Absorbed(NamedTuple):
    """What came of a batch: how many rows it took, and the (platform, bucket)s in which something is to be delivered
    after the commit. `is_light`: it was bulk work, and for most of it there was nothing to do.
    """

    rows: int
    touched: set[tuple[int, int]]
    is_light: bool


def absorb_rows(cursor: Cursor[Any], held: set[int], rows: Sequence[InboxRow], due: Sequence[DueItem] = ()) -> Absorbed:
    """Absorb the rows of buckets that are held, and do what is due in them.

    Of bulk commands only as many are done as one transaction has room for. Raises whatever a row's handler raises: then
    the transaction must be rolled back.
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
    bulk = [row for row in rows if row.kind >= FIRST_BULK]
    bulk_done, for_nothing = _absorb_bulk(unit, bulk) if bulk else ([], 0)
    touched = unit.finish()
    bad_rows.keep_parts(cursor, unit.bad_parts, now)
    done = plain + bulk_done
    if done:
        delete(cursor, done)
    return Absorbed(len(done), touched, is_light=4 * for_nothing >= 3 * len(rows) > 0)


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


def _absorb_bulk(unit: UnitOfWork, rows: Sequence[InboxRow]) -> tuple[list[InboxRow], int]:
    """Do as many of these bulk commands as the transaction has room for, those of each customer in turn; one at least,
    or a machine on which the time is over before the first would do none for ever.

    Returns those done, and for how many of them there was nothing to do.
    """
    bulk = BulkPass()
    commands = [(row, BULK_HANDLERS[row.kind].decode(row.query)) for row in rows]
    idle_ids = idle(unit, commands)
    done = [row for row in rows if row.id in idle_ids]
    has_begun = False
    for row, message in in_turn(commands, lambda one: unit.catalogue.owner_of(one[1]), rows[0].id):
        if has_begun and bulk.is_over:
            break
        if row.id not in idle_ids:
            has_begun = True
            BULK_HANDLERS[row.kind].apply(unit, row, message, bulk)
            bulk.count_command()
            done.append(row)
    unit.memberships.evaluate(lambda evaluation: evaluation.of_tasks(bulk.tasks()))
    return done, len(idle_ids)
