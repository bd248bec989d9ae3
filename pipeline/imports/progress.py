"""How far an import has come: the `position` in its row.

It changes in the same transaction that appends the rows to the inbox. So whatever is killed, each row is stored once.
"""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

from core import clock
from core.database import Connection
from pipeline.imports.errors import ImportStoppedError

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
# commits for good, with all that was committed before: afterwards the file may be deleted
DURABLE = "SET LOCAL synchronous_commit = on"
START_AGAIN = "UPDATE import SET position = 0, stored = 0, errors = 0, errors_bytes = 0 WHERE id = %s"
END = """
UPDATE import SET status = %(status)s, error = %(error)s, report = %(report)s::jsonb, finished_at = %(at)s,
    read = CASE WHEN %(done)s THEN size ELSE read END
WHERE id = %(id)s AND status = 'running'
"""


class ImportProgress:
    """The progress of one import, which only one process can have: it holds an advisory lock of its connection.

    Made by `begin`. `position`: how many of the file's rows are dealt with.
    """

    def __init__(self, connection: Connection, import_id: int, kept: Sequence[int]) -> None:
        self._connection = connection
        self._id = import_id
        self.position, self.stored, self.errors, self.errors_bytes = kept

    @classmethod
    def begin(cls, connection: Connection, import_id: int) -> "ImportProgress":
        """Take the import up where it stands. Raises ImportStoppedError if it has ended, or another process has it."""
        (free,) = connection.execute(CLAIM, [IMPORT_LOCKS, import_id]).fetchone() or (False,)
        kept = connection.execute(BEGIN, [import_id]).fetchone() if free else None
        if kept is None:
            raise ImportStoppedError
        return cls(connection, import_id, kept)

    def start_again(self) -> None:
        """Go back to the beginning of the file, in a transaction of its own."""
        self._connection.execute(START_AGAIN, [self._id])
        self.position = self.stored = self.errors = self.errors_bytes = 0

    def advance(
        self, cursor: Cursor[Any], *, rows: int, stored: int, errors: int, errors_bytes: int, read: int
    ) -> None:
        """Note that `rows` more rows are dealt with, in the cursor's transaction.

        `stored` and `errors` are added to the counts; `errors_bytes` and `read` are sizes. Raises ImportStoppedError
        if the import was cancelled, or another process has advanced it.
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
        """End the import. The end is on the disk when this returns."""
        values = {
            "status": status,
            "error": error,
            "report": report,
            "at": clock.now(),
            "done": status == "done",
            "id": self._id,
        }
        with self._connection.transaction():
            self._connection.execute(DURABLE)
            self._connection.execute(END, values)
