"""Ids that an erasure finds on its way: texts may quote them, and are searched when the erasure has come everywhere.

Who asks for an erasure knows only the ids that the hub has absorbed by then. Rows that are under way say of further
ids, and of further profiles, that they are the same person's.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from core.arrays import SmallInts, Texts, Times, Uuids, columns
from core.buckets import BUCKETS
from core.database import Connection
from profiles.erased import NOBODY

SAVE = """
INSERT INTO found_id AS kept (bucket, erasure, value, since)
SELECT * FROM unnest(%s::smallint[], %s::uuid[], %s::text[], %s::timestamptz[])
ON CONFLICT (bucket, erasure, value) DO UPDATE SET since = least(kept.since, excluded.since)
"""
# An id that a platform knows by our own is found in the user's bucket and in that of its value: only the first knows
# of a profile.
READ = "SELECT value, min(since) FROM found_id WHERE bucket = ANY(%s::smallint[]) AND erasure = %s GROUP BY value"
ERASURES = "SELECT DISTINCT erasure FROM found_id WHERE bucket = ANY(%s::smallint[])"
UNSWEPT = "SELECT id FROM erasure WHERE id = ANY(%s::uuid[]) AND swept_at IS NULL"
FORGET = "DELETE FROM found_id WHERE bucket = ANY(%s::smallint[]) AND erasure = ANY(%s::uuid[])"


class BatchFoundIds:
    """The ids that a batch erases. The caller holds their buckets."""

    __slots__ = ("_cursor", "_found")

    def __init__(self, cursor: Cursor[Any]) -> None:
        self._cursor = cursor
        self._found: dict[tuple[int, UUID, str], datetime | None] = {}

    def note(self, bucket: int, erasure: str, value: str, since: datetime | None = None) -> None:
        """The id, in this bucket, is of the erasure's person. What nobody asked to erase is not searched for.

        `since`: from when on the log may quote the id. Mostly this is when its profile was made, if there is one.
        """
        key = (bucket, UUID(erasure), value)
        known = self._found.get(key)
        self._found[key] = min(known, since) if known and since else known or since

    def save(self) -> None:
        rows = [(*key, since) for key, since in self._found.items() if key[1] != NOBODY]
        if rows:
            rows.sort(key=lambda row: (row[0], row[1].int, row[2]))
            self._cursor.execute(SAVE, columns((SmallInts, Uuids, Texts, Times), rows))


def read(connection: Connection, erasure: UUID) -> dict[str, datetime | None]:
    """Returns the ids that the erasure has found, and since when the log may quote each, where that is known."""
    return dict(connection.execute(READ, [list(range(BUCKETS)), erasure]).fetchall())


def forget(connection: Connection) -> None:
    """Forget the ids that were searched for, and those that were found again afterwards, by what came later."""
    found = {erasure for (erasure,) in connection.execute(ERASURES, [list(range(BUCKETS))])}
    if found:
        found -= {erasure for (erasure,) in connection.execute(UNSWEPT, [list(found)])}
        connection.execute(FORGET, [list(range(BUCKETS)), list(found)])
