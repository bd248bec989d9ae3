"""What a worker was doing when it died, so that a row which kills its workers is found.

Each batch is noted before it starts, on a connection of its own, and the note is deleted by the batch's
transaction. Whoever holds a bucket's lock and finds a note that names the bucket knows that the note's
worker is gone: the rows it had taken count one more attempt, and are taken fewer at a time.
"""

from typing import Any
from uuid import UUID, uuid4

from psycopg import Cursor

from core import clock
from core.database import Connection
from pipeline.absorb.rows import InboxRow

NOTE = "INSERT INTO absorb_run (id, buckets, last_ids, started_at) VALUES (%s, %s, %s, %s)"
LEFT_BEHIND = "SELECT id FROM absorb_run WHERE buckets && %s::smallint[]"
TAKE_OVER = "DELETE FROM absorb_run WHERE id = %s RETURNING buckets, last_ids"
COUNT = """
UPDATE inbox SET attempts = attempts + 1
FROM unnest(%s::smallint[], %s::bigint[]) AS k (bucket, last_id)
WHERE inbox.bucket = k.bucket AND inbox.id <= k.last_id
"""
FINISHED = "DELETE FROM absorb_run WHERE id = %s"


class Journal:
    """The notes of one worker, written over a connection of their own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, rows: list[InboxRow]) -> UUID:
        """Note, and commit, that these rows are being worked on."""
        last = {row.bucket: row.id for row in rows}
        run = uuid4()
        self._connection.execute(NOTE, [run, list(last), list(last.values()), clock.now()])
        return run

    def count_attempts(self, cursor: Cursor[Any], held: set[int]) -> None:
        """Find the notes that dead workers left on the held buckets, and count one attempt for each of their rows."""
        cursor.execute(LEFT_BEHIND, [sorted(held)])
        for (run,) in cursor.fetchall():
            with self._connection.transaction():
                left = self._connection.execute(TAKE_OVER, [run]).fetchone()
                if left is not None:
                    self._connection.execute(COUNT, list(left))

    def close(self) -> None:
        self._connection.close()

    def drop(self, run: UUID) -> None:
        """Delete the note of a batch that failed while its worker lives."""
        self._connection.execute(FINISHED, [run])


def finish(cursor: Cursor[Any], run: UUID) -> None:
    """Delete the note, in the batch's own transaction."""
    cursor.execute(FINISHED, [run])
