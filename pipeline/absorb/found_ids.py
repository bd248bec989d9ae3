"""Ids that an erasure finds on its way: texts may quote them, and are searched when the erasure has come everywhere.

Who asks for an erasure knows only the ids that the hub has absorbed by then. Rows that are under way say of further
ids, and of further profiles, that they are the same person's.
"""

from typing import Any
from uuid import UUID

from psycopg import Cursor

from core.arrays import SmallInts, Texts, Uuids, columns
from core.buckets import BUCKETS
from core.database import Connection
from profiles.erased import NOBODY

SAVE = """
INSERT INTO found_id (bucket, erasure, value) SELECT * FROM unnest(%s::smallint[], %s::uuid[], %s::text[])
ON CONFLICT (bucket, erasure, value) DO NOTHING
"""
READ = "SELECT value FROM found_id WHERE bucket = ANY(%s::smallint[]) AND erasure = %s"
FORGET = "DELETE FROM found_id WHERE bucket = ANY(%s::smallint[]) AND erasure = %s"


class BatchFoundIds:
    """The ids that a batch erases. The caller holds their buckets."""

    __slots__ = ("_cursor", "_found")

    def __init__(self, cursor: Cursor[Any]) -> None:
        self._cursor = cursor
        self._found: set[tuple[int, UUID, str]] = set()

    def note(self, bucket: int, erasure: str, value: str) -> None:
        """The id, in this bucket, is of the erasure's person. What nobody asked to erase is not searched for."""
        self._found.add((bucket, UUID(erasure), value))

    def save(self) -> None:
        rows = [row for row in self._found if row[1] != NOBODY]
        if rows:
            rows.sort(key=lambda row: (row[0], row[1].int, row[2]))
            self._cursor.execute(SAVE, columns((SmallInts, Uuids, Texts), rows))


def read(connection: Connection, erasure: UUID) -> set[str]:
    """Returns the ids that the erasure has found."""
    return {value for (value,) in connection.execute(READ, [list(range(BUCKETS)), erasure])}


def forget(connection: Connection, erasure: UUID) -> None:
    """Forget them: they were searched for."""
    connection.execute(FORGET, [list(range(BUCKETS)), erasure])
