"""The absorber: takes what waits, a batch at a time, until nothing does."""

import logging
import random
from collections.abc import Callable
from typing import Any

import django.db
import psycopg
from psycopg import Cursor

from core import clock
from core.buckets import BUCKETS, try_lock
from core.database import connect
from core.inbox import BULK
from pipeline.absorb import set_aside
from pipeline.absorb.bulk import work_off
from pipeline.absorb.handlers import HANDLERS
from pipeline.absorb.journal import Journal, finish
from pipeline.absorb.loader import Needs
from pipeline.absorb.outbox import Touched
from pipeline.absorb.rows import DEADLY, SIZES, Row, delete, lock_waiting, take
from pipeline.absorb.unit_of_work import Work
from pipeline.timed import expiries, rechecks, unconfirmed
from profiles import attribute_catalogue

log = logging.getLogger(__name__)

BULK_BUCKETS = 16  # at most, so that other workers find some of their own
PASSED_OVER = 3  # full batches after which bulk work has its turn all the same

Step = tuple[Callable[[Work, Row, Any], None], Row, Any]
# the database's own trouble: the rows are not to blame, and are taken again
PASSING = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    django.db.OperationalError,
    django.db.InterfaceError,
)


class Absorber:
    """One worker's hands: two connections and a rotating start. `touched` is told after each commit."""

    def __init__(self, touched: Callable[[Touched], None]) -> None:
        self._connection = connect(durable=False)
        self._journal = Journal(connect(durable=False))
        self._touched = touched
        self._starts = {bulk: random.randrange(BUCKETS) for bulk in (False, True)}
        self._passed_over = 0

    def absorb(self) -> int:
        """Absorb one batch; answers how many rows it took off the inbox (0: nothing waits that is free).

        Bulk work follows in a transaction of its own, unless more rows wait than one batch takes.
        """
        done = self._attempt(self._waiting(SIZES[0], bulk=False), SIZES[0], bulk=False)
        if done < SIZES[0] or self._passed_over >= PASSED_OVER:
            self._passed_over = 0
            done += self._attempt(self._waiting(BULK_BUCKETS, bulk=True), SIZES[0], bulk=True)
        else:
            self._passed_over += 1
        attribute_catalogue.flush_if_due()
        return done

    def _waiting(self, limit: int, *, bulk: bool) -> Callable[[Cursor[Any]], set[int]]:
        return lambda cursor: lock_waiting(cursor, self._starts[bulk], limit, bulk=bulk)

    def recheck(self) -> int:
        """Look again at what time alone may have changed; answers at how many memberships."""
        done, touched = rechecks.recheck(self._connection)
        if touched is not None:
            self._touched(touched)
        return done

    def expire(self) -> int:
        """Take back platforms' ids whose time has run out; answers how many."""
        done, touched = expiries.expire(self._connection)
        if touched is not None:
            self._touched(touched)
        return done

    def forget_unconfirmed(self) -> int:
        """Delete profiles of ids that never came back; answers how many."""
        return unconfirmed.forget(self._connection)

    def close(self) -> None:
        self._connection.close()
        self._journal.close()

    def _attempt(self, lock: Callable[[Cursor[Any]], set[int]], limit: int, *, bulk: bool) -> int:
        """One transaction. When it fails, its rows are tried bucket by bucket, then row by row."""
        rows: list[Row] = []
        run = None
        try:
            with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
                held = lock(cursor)
                if not held:
                    return 0
                self._journal.count_attempts(cursor, held)
                rows = take(cursor, held, self._starts[bulk], limit, bulk=bulk)
                if not rows:
                    return 0
                self._starts[bulk] = (rows[-1].bucket + 1) % BUCKETS
                if len(rows) == 1 and rows[0].attempts >= DEADLY:
                    set_aside.whole(cursor, rows[0], f"its worker died {rows[0].attempts} times")
                    return 1
                run = self._journal.note(rows)
                done, touched = _absorb(cursor, held, rows)
                finish(cursor, run)
        except PASSING:
            raise
        except Exception as failure:
            if run is not None:
                self._journal.drop(run)
            return self._isolate(rows, failure)
        self._touched(touched)
        return done

    def _isolate(self, rows: list[Row], failure: Exception) -> int:
        if len(rows) == 1:
            return self._refuse(rows[0], failure)
        log.warning("a batch of %s rows failed (%s): trying them apart", len(rows), type(failure).__name__)
        bulk = bool(rows) and rows[0].kind in BULK
        by_bucket = {bucket: sum(row.bucket == bucket for row in rows) for bucket in {row.bucket for row in rows}}
        if len(by_bucket) > 1:
            return sum(self._attempt(_locking(bucket), count, bulk=bulk) for bucket, count in by_bucket.items())
        return sum(self._attempt(_locking(row.bucket), 1, bulk=bulk) for row in rows)

    def _refuse(self, row: Row, failure: Exception) -> int:
        with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
            if not try_lock(cursor, {row.bucket}):
                return 0
            set_aside.whole(cursor, row, f"{type(failure).__name__}: {failure}")
        return 1


def _locking(bucket: int) -> Callable[[Cursor[Any]], set[int]]:
    return lambda cursor: try_lock(cursor, {bucket})


def _absorb(cursor: Cursor[Any], held: set[int], rows: list[Row]) -> tuple[int, Touched]:
    """The work itself, under the locks."""
    work = Work(cursor, held, clock.now())
    plain = [row for row in rows if row.kind not in BULK]
    steps = _prepare(work, plain)
    work.configure()
    for handle, row, message in steps:
        handle(work, row, message)
    work.flush()
    done = plain + work_off(work, [row for row in rows if row.kind in BULK])
    work.finish()
    set_aside.parts(cursor, work.refused, work.now)
    delete(cursor, done)
    return len(done), work.touched


def _prepare(work: Work, rows: list[Row]) -> list[Step]:
    """Read the rows and load all that they will look at."""
    needs = Needs()
    steps: list[Step] = []
    for row in rows:
        handler = HANDLERS[row.kind]
        message = handler.decode(row.query)
        handler.needs(message, needs)
        steps.append((handler.handle, row, message))
    work.load(needs)
    return steps
