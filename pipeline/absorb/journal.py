"""What a worker was doing when it died, so that a row which kills its workers is found.

Each batch is noted before it starts, on a connection of its own, and the note is deleted by the batch's
transaction. Whoever holds a bucket's lock and finds a note that names the bucket knows that the note's
worker is gone: the rows it had taken count one more attempt, and are taken fewer at a time.

An old snapshot keeps all notes that were deleted since. So ids of notes begin with the time, and a look begins a few
seconds back. Every few seconds it begins at the first note.
"""

import time
from datetime import datetime
from random import getrandbits
from typing import Any
from uuid import UUID

from psycopg import Cursor

from core import clock
from core.clock import milliseconds
from core.database import Connection
from pipeline.absorb.rows import SIZES, InboxRow

NOTE = "INSERT INTO absorb_run (id, buckets, last_ids, started_at) VALUES (%s, %s, %s, %s)"
NOTES = "SELECT id, buckets && %s::smallint[] FROM absorb_run WHERE id > %s ORDER BY id"
TAKE_OVER = "DELETE FROM absorb_run WHERE id = %s RETURNING buckets, last_ids"
COUNT = """
UPDATE inbox SET attempts = attempts + 1
FROM unnest(%s::smallint[], %s::bigint[]) AS k (bucket, last_id)
WHERE inbox.bucket = k.bucket AND inbox.id <= k.last_id
"""
# a batch that is too much for the database gets smaller, and no row is buried for that
POSTPONE = f"{COUNT.rstrip()} AND inbox.attempts < {len(SIZES) - 1}"
SINCE = "SELECT 1 FROM absorb_run WHERE id > %s AND started_at > %s LIMIT 1"
FINISHED = "DELETE FROM absorb_run WHERE id = %s"

SLACK_MS = 5_000  # how far clocks of workers may differ
FULL_LOOK_SECONDS = 5.0
FIRST = UUID(int=0)


class Journal:
    """The notes of one worker, written over a connection of their own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._mark = FIRST
        self._full_look_at = 0.0

    def note(self, rows: list[InboxRow]) -> UUID:
        """Note, and commit, that these rows are being worked on."""
        last = {row.bucket: row.id for row in rows}
        run = _id_of(_now_ms(), getrandbits(80))
        self._connection.execute(NOTE, [run, list(last), list(last.values()), clock.now()])
        return run

    def count_attempts(self, cursor: Cursor[Any], held: set[int]) -> None:
        """Find the notes that dead workers left on the held buckets, and count one attempt for each of their rows."""
        for run in self._left_behind(cursor, held):
            self._take_over(run, COUNT)

    def postpone(self, run: UUID) -> None:
        """Take the note of a batch back that the database refused. Its rows are taken fewer at a time."""
        self._take_over(run, POSTPONE)

    def _take_over(self, run: UUID, count: str) -> None:
        with self._connection.transaction():
            left = self._connection.execute(TAKE_OVER, [run]).fetchone()
            if left is not None:
                self._connection.execute(count, list(left))

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

    def drop(self, run: UUID) -> None:
        """Delete the note of a batch that failed while its worker lives."""
        self._connection.execute(FINISHED, [run])


def finish(cursor: Cursor[Any], run: UUID) -> None:
    """Delete the note, in the batch's own transaction."""
    cursor.execute(FINISHED, [run])


def has_notes_since(cursor: Cursor[Any], moment: datetime) -> bool:
    """Returns whether a batch that began after that moment is under way."""
    return cursor.execute(SINCE, [_id_of(milliseconds(moment) - SLACK_MS, 0), moment]).fetchone() is not None


def _id_of(ms: int, rest: int) -> UUID:
    return UUID(int=max(0, ms) << 80 | rest)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
