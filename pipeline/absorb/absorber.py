"""The absorber: takes what waits in the inbox, a batch and a transaction at a time.

A row never takes its neighbours down: when a batch fails, its rows are tried apart, and the one that fails alone
becomes a bad row. What time alone asks for (`pipeline.timed`) is done beside the rows, and fails none of them.
"""

import logging
import random
from collections.abc import Callable, Sequence
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
from pipeline.absorb.flooding import Flood, LaterQueue, settle
from pipeline.absorb.inbox_marks import InboxMarks
from pipeline.absorb.journal import Journal, Note, finish
from pipeline.absorb.rows import DEADLY, SIZES, InboxRow, lock_waiting, take
from pipeline.failures import is_passing
from pipeline.timed import DueItem, TimedWork
from profiles import attribute_catalogue

log = logging.getLogger(__name__)

BESIDE = 64  # rows that were set aside, in a batch beside those of other customers
BULK_BUCKETS = 16  # so that other workers find some of their own; twice as many after each batch without work in it
PASSED_OVER = 3  # full batches after which bulk work has its turn all the same
GOING_AWAY = "57P"  # the class of what a server says that ends a connection
SHARE = 4  # for so many rows of a batch, one item that is due in the same buckets

Lock = Callable[[Cursor[Any]], set[int]]


class Absorber:
    """One worker, with two connections and rotating starts. Not for use by several threads.

    `on_commit` is called after each commit with the (platform, bucket)s in which something is to be delivered.
    """

    later = LaterQueue()  # of all absorbers of the process

    def __init__(self, on_commit: Callable[[set[tuple[int, int]]], None]) -> None:
        self._connection = connect(durable=False)
        self._connection.add_notice_handler(self._note_goodbye)
        self._was_told = False
        self._journal = Journal(connect(durable=False))
        self._on_commit = on_commit
        self._starts = {queue: random.randrange(BUCKETS) for queue in InboxQueue}
        self._flood = Flood()
        self._marks = InboxMarks()
        self._passed_over = 0
        self._bulk_buckets = BULK_BUCKETS
        self.timed = TimedWork()
        self._counts = CountSummer(counts.TABLES)

    def absorb(self) -> int:
        """Absorb one batch; returns how many rows it took off the inbox (0: nothing waits that is free).

        Beside the rows it does a share of what is due in their buckets. Bulk work follows in a transaction of its own,
        unless more rows wait than one batch takes; then what was set aside, a little where several customers share
        the hub.
        """
        self._journal.settle_lost()
        done = self.absorb_prompt()
        if done < SIZES[0] or self._passed_over >= PASSED_OVER:
            self._passed_over = 0
            done += self._attempt(self._waiting(self._bulk_buckets, InboxQueue.BULK), SIZES[0], InboxQueue.BULK)
        else:
            self._passed_over += 1
        if self.later.is_due(is_idle=not done):
            done += self._absorb_later()
        attribute_catalogue.flush_if_due()
        return done

    def _absorb_later(self) -> int:
        """Absorb a batch of what was set aside; returns how many rows."""
        most = BESIDE if self._flood.is_shared else SIZES[0]
        done = self._attempt(self._waiting(most, InboxQueue.LATER), most, InboxQueue.LATER)
        self.later.looked(done)
        return done

    def absorb_prompt(self) -> int:
        """Absorb one batch of what somebody waits for; returns how many rows were taken, or set aside."""
        return self._attempt(self._waiting(SIZES[0], InboxQueue.PROMPT), SIZES[0], InboxQueue.PROMPT, share=SHARE)

    @property
    def is_shared(self) -> bool:
        """Whether one customer floods the hub, or could, at the cost of others: several had rows in full batches."""
        return self._flood.is_shared

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
                if not held:
                    return 0
                self._journal.count_attempts(cursor, held)
                rows = take(cursor, held, self._starts[queue], limit, queue=queue, marks=self._marks)
                if not rows:
                    return 0
                self._starts[queue] = (rows[-1].bucket + 1) % BUCKETS
                if len(rows) == 1 and rows[0].attempts >= DEADLY:
                    bad_rows.move(cursor, rows[0], f"its worker died {rows[0].attempts} times")
                    return 1
                taken, rows = len(rows), self._kept(cursor, held, rows, queue)
                if not rows:
                    return taken
                note = self._journal.note(rows)
                due = self._due_beside(cursor, held, len(rows) // share if share else 0)
                absorbed = absorb_rows(cursor, held, rows, due)
                self._finish(cursor, note, held, queue)
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
        return absorbed.rows + taken - len(rows)

    def _adjust(self, queue: InboxQueue, *, is_light: bool) -> None:
        """Take more buckets in the next batch of bulk work where there was nothing to do in this one."""
        if queue == InboxQueue.BULK:
            self._bulk_buckets = min(2 * self._bulk_buckets, BUCKETS) if is_light else BULK_BUCKETS

    def _kept(self, cursor: Cursor[Any], held: set[int], rows: list[InboxRow], queue: InboxQueue) -> list[InboxRow]:
        """Set aside what floods the hub; returns the other rows."""
        if queue != InboxQueue.PROMPT:
            return rows
        kept = self._flood.set_aside(cursor, held, rows, is_full=len(rows) >= SIZES[0])
        if len(kept) < len(rows):
            self.later.filled()
        return kept

    def _finish(self, cursor: Cursor[Any], note: Note, held: set[int], queue: InboxQueue) -> None:
        finish(cursor, note)
        if queue == InboxQueue.LATER:
            settle(cursor, held, self._marks)

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
