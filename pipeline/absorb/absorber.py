"""The absorber: takes what waits in the inbox, a batch and a transaction at a time.

A row never takes its neighbours down: when a batch fails, its rows are tried apart, and the one that fails alone
becomes a bad row. What time alone asks for (`pipeline.timed`) is done beside the rows, and fails none of them.
"""

import logging
import random
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import Cursor, errors

from core import clock
from core.buckets import BUCKETS, try_lock
from core.count_periods import CountSummer
from core.database import connect
from core.inbox import InboxQueue
from core.per_customer import OutdatedConfigurationError
from pipeline import bad_rows, catalogue, counts, timed
from pipeline.absorb.batch import absorb_rows
from pipeline.absorb.flooding import Flood, Taken
from pipeline.absorb.inbox_marks import InboxMarks
from pipeline.absorb.journal import Journal, Note, finish
from pipeline.absorb.rows import DEADLY, SIZES, InboxRow, lock_waiting, take
from pipeline.failures import is_passing
from pipeline.timed import DueItem, TimedWork
from profiles import attribute_catalogue

log = logging.getLogger(__name__)

BULK_BUCKETS = 16  # so that other workers find some of their own; twice as many after each batch without work in it
PASSED_OVER = 3  # full batches after which bulk work has its turn all the same
GOING_AWAY = "57P"  # the class of what a server says that ends a connection
SHARE = 4  # for so many rows of a batch, one item that is due in the same buckets

HAS_OTHERS = "SELECT count(*) > 1 FROM (SELECT 1 AS one FROM customer LIMIT 2) AS found"

Lock = Callable[[Cursor[Any]], set[int]]


def ignore(_: Collection[int]) -> None:
    """Tell nobody who floods the inbox."""


class Absorber:
    """One worker, with two connections and rotating starts. Not for use by several threads.

    `on_commit` is called after each commit with the (platform, bucket)s in which something is to be delivered.
    `on_flood` is called in each round with the customers that are to be slowed down, if there are some.
    """

    def __init__(
        self,
        on_commit: Callable[[set[tuple[int, int]]], None],
        on_flood: Callable[[Collection[int]], None] = ignore,
    ) -> None:
        self._connection = connect(durable=False)
        self._connection.add_notice_handler(self._note_goodbye)
        self._was_told = False
        self._journal = Journal(connect(durable=False))
        self._on_commit = on_commit
        self._on_flood = on_flood
        self._starts = {queue: random.randrange(BUCKETS) for queue in InboxQueue}
        self._flood = Flood()
        self._marks = InboxMarks()
        self._passed_over = 0
        self._bulk_buckets = BULK_BUCKETS
        self.is_behind = False  # after the last round more rows waited than one batch takes
        self.timed = TimedWork()
        self._counts = CountSummer(counts.TABLES)

    def absorb(self) -> int:
        """Absorb one batch; returns how many rows it took off the inbox (0: nothing waits that is free).

        Beside the rows it does a share of what is due in their buckets. Bulk work follows in a transaction of its own,
        unless more rows wait than one batch takes. Where one customer floods the inbox, the rows of the others come
        first, and then a few of its own.
        """
        self._journal.settle_lost()
        done = self.absorb_others()
        done += self._absorb_in_order()
        self.is_behind = done >= SIZES[0] or bool(self._flood.customers)
        if not self.is_behind or self._passed_over >= PASSED_OVER:
            self._passed_over = 0
            done += self._attempt(self._waiting(self._bulk_buckets, InboxQueue.BULK), SIZES[0], InboxQueue.BULK)
        else:
            self._passed_over += 1
        attribute_catalogue.flush_if_due()
        return done

    def absorb_others(self) -> int:
        """Where somebody floods the inbox, absorb a batch of the others' rows; returns how many."""
        if not self._flood.customers:
            return 0
        if self._flood.lasts:
            self._on_flood(self._flood.customers)
        self._marks.pass_over(self._flood.customers)
        return self._attempt(self._waiting(SIZES[0], InboxQueue.OTHERS), SIZES[0], InboxQueue.OTHERS, share=SHARE)

    def _absorb_in_order(self) -> int:
        """Absorb a batch of anybody's rows; where somebody floods what others share, only a few."""
        if not (self._flood.customers and self._flood.is_shared):
            return self._absorb_prompt(SIZES[0])
        with self._flood.beside() as most:
            return self._absorb_prompt(most)

    def _absorb_prompt(self, most: int) -> int:
        return self._attempt(self._waiting(most, InboxQueue.PROMPT), most, InboxQueue.PROMPT, share=SHARE)

    def absorb_due(self) -> int:
        """Do a batch of what time alone asks for, in buckets that are free; returns how many items."""
        return catalogue.run(self._transact_due)

    def _transact_due(self) -> int:
        due: list[DueItem] = []
        try:
            with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
                now = clock.now()
                held = self.timed.lock(cursor, now)
                due = self.timed.take(cursor, held, now, timed.BATCH) if held else []
                if not due:
                    return 0
                touched = absorb_rows(cursor, held, (), due).touched
        except OutdatedConfigurationError:
            raise
        except Exception as failure:
            if is_passing(failure):
                raise
            return self._isolate_due(due, failure)
        self._on_commit(touched)
        return len(due)

    def close(self) -> None:
        self._connection.close()
        self._journal.close()

    @property
    def closed(self) -> bool:
        return self._connection.closed

    def _waiting(self, limit: int, queue: InboxQueue) -> Lock:
        return lambda cursor: lock_waiting(cursor, self._starts[queue], limit, queue=queue, marks=self._marks)

    def _attempt(self, lock: Lock, limit: int, queue: InboxQueue, *, share: int = 0) -> int:
        """One transaction, tried again where the configuration that it needs had to be compiled first."""
        return catalogue.run(lambda: self._transact(lock, limit, queue, share))

    def _transact(self, lock: Lock, limit: int, queue: InboxQueue, share: int) -> int:
        """One transaction. When it fails, its rows are tried bucket by bucket, then row by row.

        `share`: for so many rows one item that is due is done with them; 0: none.
        """
        rows: list[InboxRow] = []
        due: list[DueItem] = []
        note = None
        try:
            with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
                held = lock(cursor)
                if held:
                    self._journal.count_attempts(cursor, held)
                    rows = take(cursor, held, self._starts[queue], limit, queue=queue, marks=self._marks)
                if queue != InboxQueue.BULK:
                    taken = Taken(rows, is_full=len(rows) >= limit, of_all=queue == InboxQueue.PROMPT)
                    self._flood.note(taken, lambda: _is_true(cursor, HAS_OTHERS))
                if not rows:
                    return 0
                self._starts[queue] = (rows[-1].bucket + 1) % BUCKETS
                if len(rows) == 1 and rows[0].attempts >= DEADLY:
                    bad_rows.move(cursor, rows[0], f"its worker died {rows[0].attempts} times")
                    return 1
                note = self._journal.note(rows, are_first=queue != InboxQueue.OTHERS)
                due = self._due_beside(cursor, held, len(rows) // share if share else 0)
                absorbed = absorb_rows(cursor, held, rows, due)
                finish(cursor, note)
                self._counts.sum_up(cursor, held)
        except OutdatedConfigurationError:
            if note is not None:
                self._journal.drop(note)
            raise
        except Exception as failure:
            if is_passing(failure):
                self._leave(note, failure)
                raise
            if note is not None:
                self._journal.drop(note)
            return self._retry(rows, due, failure, queue)
        self._counts.committed()
        self._adjust(queue, is_light=absorbed.is_light)
        self._on_commit(absorbed.touched)
        return absorbed.rows

    def _adjust(self, queue: InboxQueue, *, is_light: bool) -> None:
        """Take more buckets in the next batch of bulk work where there was nothing to do in this one."""
        if queue == InboxQueue.BULK:
            self._bulk_buckets = min(2 * self._bulk_buckets, BUCKETS) if is_light else BULK_BUCKETS

    def _retry(self, rows: list[InboxRow], due: list[DueItem], failure: Exception, queue: InboxQueue) -> int:
        """Try the rows of a failed transaction without what was due beside them, or else by themselves."""
        if not due:
            return self._isolate(rows, failure, queue)
        done = self._attempt(_locking({row.bucket for row in rows}), len(rows), queue)
        self._retry_due(due, is_last=False)
        return done

    def _leave(self, note: Note | None, failure: Exception) -> None:
        """Leave the rows of a batch that the database refused, or over which it went away: no row is to blame.

        A transaction that was idle for too long is another matter: a row may take for ever. Then the note stays, as if
        the worker had died.
        """
        if note is None or isinstance(failure, errors.IdleInTransactionSessionTimeout):
            return
        if self._connection.broken:
            self._journal.remember_lost(note, told=self._was_told or getattr(failure, "sqlstate", None) is not None)
            return
        with suppress(psycopg.Error):
            self._journal.postpone(note)

    def _note_goodbye(self, notice: psycopg.errors.Diagnostic) -> None:
        self._was_told |= (notice.sqlstate or "").startswith(GOING_AWAY)

    def _due_beside(self, cursor: Cursor[Any], held: set[int], limit: int) -> list[DueItem]:
        """Returns what is due in buckets that are held, up to `limit` items. Often it does not look."""
        return [] if not limit or self.timed.is_resting else self.timed.take(cursor, held, clock.now(), limit)

    def _isolate(self, rows: list[InboxRow], failure: Exception, queue: InboxQueue) -> int:
        if len(rows) == 1:
            return self._move_to_bad_rows(rows[0], failure)
        log.warning("a batch of %s rows failed (%s): trying them apart", len(rows), type(failure).__name__)
        by_bucket = {bucket: sum(row.bucket == bucket for row in rows) for bucket in {row.bucket for row in rows}}
        if len(by_bucket) > 1:
            return sum(self._attempt(_locking({bucket}), count, queue) for bucket, count in by_bucket.items())
        return sum(self._attempt(_locking({row.bucket}), 1, queue) for row in rows)

    def _isolate_due(self, due: Sequence[DueItem], failure: Exception) -> int:
        """Try the items apart. The one that fails alone is postponed, so that it does not keep others waiting."""
        if not due:
            raise failure
        if len(due) == 1:
            log.warning("what is due in bucket %s failed (%s): postponed", due[0].bucket, type(failure).__name__)
        halves = (due[: len(due) // 2], due[len(due) // 2 :])
        return sum(self._retry_due(half, is_last=len(due) == 1) for half in halves if half)

    def _retry_due(self, due: Sequence[DueItem], *, is_last: bool) -> int:
        try:
            with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
                held = try_lock(cursor, {item.bucket for item in due})
                free = [item for item in due if item.bucket in held]
                if is_last:
                    timed.postpone(cursor, free, clock.now())
                    return len(free)
                touched = absorb_rows(cursor, held, (), free).touched
        except OutdatedConfigurationError:
            raise
        except Exception as failure:
            if is_passing(failure):
                raise
            return self._isolate_due(due, failure)
        self._on_commit(touched)
        return len(free)

    def _move_to_bad_rows(self, row: InboxRow, failure: Exception) -> int:
        with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
            if not try_lock(cursor, {row.bucket}):
                return 0
            bad_rows.move(cursor, row, f"{type(failure).__name__}: {failure}")
        return 1


def _locking(buckets: set[int]) -> Lock:
    return lambda cursor: try_lock(cursor, buckets)


def _is_true(cursor: Cursor[Any], question: str) -> bool:
    (found,) = cursor.execute(question).fetchone() or (False,)
    return bool(found)
