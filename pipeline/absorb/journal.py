"""What a worker was doing when it died, so that a row which kills its workers is found.

Each batch is noted before it starts, on a connection of its own, and the note is deleted by the batch's
transaction. Whoever holds a bucket's lock and finds a note that names the bucket knows that the note's
worker is gone: the rows it had taken count one more attempt, and are taken fewer at a time. A worker that lives, and
only lost the database, takes its note back as soon as it can (`lost_batches`).

An old snapshot keeps all notes that were deleted since. So ids of notes begin with the time, and a look begins a few
seconds back. Every few seconds it begins at the first note.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from random import getrandbits
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import Cursor

from core import clock
from core.clock import milliseconds
from core.database import Connection
from pipeline.absorb.lost_batches import LostBatch, ServerLife
from pipeline.absorb.rows import SIZES, InboxRow

NOTE = "INSERT INTO absorb_run (id, buckets, last_ids, started_at) VALUES (%s, %s, %s, %s)"
NOTES = "SELECT id, buckets && %s::smallint[] FROM absorb_run WHERE id > %s ORDER BY id"
TAKE_OVER = "DELETE FROM absorb_run WHERE id = %s RETURNING buckets, last_ids"
COUNT = """
UPDATE inbox SET attempts = attempts + 1
FROM unnest(%s::smallint[], %s::bigint[]) AS k (bucket, last_id)
WHERE inbox.bucket = k.bucket AND (inbox.id <= k.last_id OR inbox.id = -k.last_id)
"""
# a batch that is too much for the database gets smaller, and no row is buried for that
POSTPONE = f"{COUNT.rstrip()} AND inbox.attempts < {len(SIZES) - 1}"
# where an attempt was counted of a batch that only lost the database: as if it had been postponed
UNDO_COUNT = COUNT.replace("attempts + 1", "attempts - 1").rstrip() + f" AND inbox.attempts >= {len(SIZES)}"
SINCE = "SELECT 1 FROM absorb_run WHERE id > %s AND started_at > %s LIMIT 1"
FINISHED = "DELETE FROM absorb_run WHERE id = %s"

SLACK_MS = 5_000  # how far clocks of workers may differ
FULL_LOOK_SECONDS = 5.0
FIRST = UUID(int=0)


class Note(NamedTuple):
    """What a batch takes: in each of these buckets, rows up to the last id; this very row, where the id is negative."""

    run: UUID
    buckets: list[int]
    last_ids: list[int]


# those of all threads of this process
_lost: deque[LostBatch[Note]] = deque()


class Journal:
    """The notes of one worker, written over a connection of their own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._life = ServerLife.read(connection)
        self._mark = FIRST
        self._full_look_at = 0.0

    def note(self, rows: list[InboxRow], *, are_first: bool = True) -> Note:
        """Note, and commit, that these rows are being worked on. `are_first`: no other row lies before one of them."""
        if are_first:
            last = {row.bucket: row.id for row in rows}
            places = list(last), list(last.values())
        else:
            places = [row.bucket for row in rows], [-row.id for row in rows]
        note = Note(_id_of(_now_ms(), getrandbits(80)), *places)
        with self._not_left(note):
            self._connection.execute(NOTE, [*note, clock.now()])
        return note

    def count_attempts(self, cursor: Cursor[Any], held: set[int]) -> None:
        """Find the notes that dead workers left on the held buckets, and count one attempt for each of their rows."""
        for run in self._left_behind(cursor, held):
            self._take_over(run, COUNT)

    def postpone(self, note: Note) -> None:
        """Take the note of a batch back that the database refused. Its rows are taken fewer at a time."""
        with self._not_left(note):
            if not self._take_over(note.run, POSTPONE):
                self._connection.execute(UNDO_COUNT, list(note[1:]))

    def remember_lost(self, note: Note, *, told: bool) -> None:
        """The database went away over the batch; `told`: it said that it would."""
        _lost.append(LostBatch(note, self._life, told=told))

    def settle_lost(self) -> None:
        """Take the notes of batches back over which the database went away, in this process."""
        while _lost:
            with suppress(IndexError):  # another thread may be quicker
                lost = _lost.popleft()
                if not lost.is_to_blame(self._life):
                    self.postpone(lost.note)

    @contextmanager
    def _not_left(self, note: Note) -> Iterator[None]:
        """Where the database fails over the note itself, it is taken back later."""
        try:
            yield
        except psycopg.Error:
            self.remember_lost(note, told=True)
            raise

    def _take_over(self, run: UUID, count: str) -> bool:
        with self._connection.transaction():
            left = self._connection.execute(TAKE_OVER, [run]).fetchone()
            if left is not None:
                self._connection.execute(count, list(left))
        return left is not None

    def _left_behind(self, cursor: Cursor[Any], held: set[int]) -> list[UUID]:
        """Returns the notes that name one of these buckets."""
        if time.monotonic() >= self._full_look_at:
            self._mark, self._full_look_at = FIRST, time.monotonic() + FULL_LOOK_SECONDS
        now = _now_ms()
        cursor.execute(NOTES, [sorted(held), self._mark])
        notes = cursor.fetchall()
        oldest = notes[0][0].int >> 80 if notes else now
        self._mark = _id_of(min(oldest - 1, now - SLACK_MS), 0)
        return [run for run, is_ours in notes if is_ours]

    def close(self) -> None:
        self._connection.close()

    def drop(self, note: Note) -> None:
        """Delete the note of a batch that failed while its worker lives."""
        with self._not_left(note):
            self._connection.execute(FINISHED, [note.run])


def finish(cursor: Cursor[Any], note: Note) -> None:
    """Delete the note, in the batch's own transaction."""
    cursor.execute(FINISHED, [note.run])


def has_notes_since(cursor: Cursor[Any], moment: datetime) -> bool:
    """Returns whether a batch that began after that moment is under way."""
    return cursor.execute(SINCE, [_id_of(milliseconds(moment) - SLACK_MS, 0), moment]).fetchone() is not None


def _id_of(ms: int, rest: int) -> UUID:
    return UUID(int=max(0, ms) << 80 | rest)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
