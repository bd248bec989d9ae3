"""How far an import is: kept in its row, changed in the transaction that appends the rows it has read."""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

from core import clock
from core.database import Connection
from pipeline.imports.row_errors import ImportStoppedError

IMPORT_LOCKS = 0x696D70  # the hub's class of advisory locks for imports
CLAIM = "SELECT pg_try_advisory_lock(%s, %s)"
BEGIN = """
UPDATE import SET status = 'running' WHERE id = %s AND status IN ('waiting', 'running')
RETURNING position, stored, errors, errors_bytes
"""
ADVANCE = """
UPDATE import SET position = %s, stored = %s, errors = %s, errors_bytes = %s, read = %s
WHERE id = %s AND status = 'running' AND position = %s
"""
# with it all that was committed before: the file may go
DURABLE = "SET LOCAL synchronous_commit = on"
END = """
UPDATE import SET status = %(status)s, error = %(error)s, report = %(report)s::jsonb, finished_at = %(at)s,
    read = CASE WHEN %(done)s THEN size ELSE read END
WHERE id = %(id)s AND status = 'running'
"""


class Progress:
    """Of one import, in the hands of one process: a lock of its connection sees to that.

    Use `begin` to make one. `position`: the file's rows that are dealt with.
    """

    def __init__(self, connection: Connection, import_id: int, kept: Sequence[int]) -> None:
        self._connection = connection
        self._id = import_id
        self.position, self.stored, self.errors, self.errors_bytes = kept

    @classmethod
    def begin(cls, connection: Connection, import_id: int) -> "Progress":
        """Where it stands. Raises ImportStoppedError where it has ended, or another process has it."""
        (free,) = connection.execute(CLAIM, [IMPORT_LOCKS, import_id]).fetchone() or (False,)
        kept = connection.execute(BEGIN, [import_id]).fetchone() if free else None
        if kept is None:
            raise ImportStoppedError
        return cls(connection, import_id, kept)

    def advance(self, cursor: Cursor[Any], rows: int, stored: int, errors: int, errors_bytes: int, read: int) -> None:
        """So many more rows are dealt with, in the cursor's transaction.

        Raises ImportStoppedError where they are not ours.
        """
        before = self.position
        self.position += rows
        self.stored += stored
        self.errors += errors
        self.errors_bytes = errors_bytes
        values = [self.position, self.stored, self.errors, errors_bytes, read, self._id, before]
        if cursor.execute(ADVANCE, values).rowcount != 1:
            raise ImportStoppedError

    def end(self, status: str, error: str = "", report: str | None = None) -> None:
        """It is over; on the disk when this returns."""
        at = clock.now()
        values = {
            "status": status,
            "error": error,
            "report": report,
            "at": at,
            "done": status == "done",
            "id": self._id,
        }
        with self._connection.transaction():
            self._connection.execute(DURABLE)
            self._connection.execute(END, values)
