"""The absorber: takes what waits, a batch at a time, until nothing does."""

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import django.db
import psycopg
from psycopg import Cursor

from edge.buckets import BUCKETS
from pipeline.absorb import bulk, expiries, rechecks, set_aside, unconfirmed
from pipeline.absorb.handlers import HANDLERS
from pipeline.absorb.journal import Journal, finish
from pipeline.absorb.rows import DEADLY, SIZES, Row, delete, lock_waiting, take
from pipeline.absorb.work import Needs, Touched, Work
from pipeline.database import connect
from pipeline.locks import try_lock
from profiles import sightings

log = logging.getLogger(__name__)

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
        self._start = random.randrange(BUCKETS)  # noqa: S311 (spreading work, not a secret)

    def absorb(self) -> int:
        """Absorb one batch; answers how many rows it took off the inbox (0: nothing waits that is free)."""
        done = self._attempt(lambda cursor: lock_waiting(cursor, self._start, SIZES[0]), SIZES[0])
        sightings.flush_if_due()
        return done

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

    def _attempt(self, lock: Callable[[Cursor[Any]], set[int]], limit: int) -> int:
        """One transaction. When it fails, its rows are tried bucket by bucket, then row by row."""
        rows: list[Row] = []
        run = None
        try:
            with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
                held = lock(cursor)
                if not held:
                    return 0
                self._journal.count_attempts(cursor, held)
                rows = take(cursor, held, self._start, limit)
                if not rows:
                    return 0
                self._start = (rows[-1].bucket + 1) % BUCKETS
                if len(rows) == 1 and rows[0].attempts >= DEADLY:
                    set_aside.whole(cursor, rows[0], f"its worker died {rows[0].attempts} times")
                    return 1
                run = self._journal.note(rows)
                done, touched = _absorb(cursor, held, rows)
                finish(cursor, run)
        except PASSING:
            raise
        except Exception as failure:  # noqa: BLE001 (whatever a row does, its neighbours go on)
            if run is not None:
                self._journal.drop(run)
            return self._isolate(rows, failure)
        self._touched(touched)
        return done

    def _isolate(self, rows: list[Row], failure: Exception) -> int:
        if len(rows) == 1:
            return self._refuse(rows[0], failure)
        log.warning("a batch of %s rows failed (%s): trying them apart", len(rows), type(failure).__name__)
        by_bucket = {bucket: sum(row.bucket == bucket for row in rows) for bucket in {row.bucket for row in rows}}
        if len(by_bucket) > 1:
            return sum(self._attempt(_locking(bucket), count) for bucket, count in by_bucket.items())
        return sum(self._attempt(_locking(row.bucket), 1) for row in rows)

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
    work = Work(cursor, held, datetime.now(UTC))
    plain = [row for row in rows if row.kind not in bulk.BULK]
    steps = _prepare(work, plain)
    work.configure()
    for handle, row, message in steps:
        handle(work, row, message)
    work.flush()
    done = plain + bulk.work_off(work, [row for row in rows if row.kind in bulk.BULK])
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
