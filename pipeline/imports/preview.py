"""A dry run: what an import would change, found out without changing anything.

The names of the users are gathered in a temporary table, so that the file may be larger than the memory.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from psycopg import Cursor

from core import buckets
from core.arrays import SmallInts, Texts, columns
from core.database import Connection
from pipeline.imports.rows import ImportRow
from profiles.models import Attribute
from profiles.paths import join_path, keys_of

TABLE = "CREATE TEMPORARY TABLE IF NOT EXISTS import_names (bucket smallint, kind text, value text)"
EMPTY = "TRUNCATE import_names"
GATHER = "INSERT INTO import_names SELECT * FROM unnest(%s::smallint[], %s::text[], %s::text[])"
USERS = """
SELECT count(*), count(*) FILTER (WHERE CASE WHEN kind = 'uuid'
    THEN EXISTS (SELECT FROM profile p WHERE p.bucket = n.bucket AND p.customer_id = %(customer)s
                 AND p.user_id = CASE WHEN n.kind = 'uuid' THEN n.value::uuid END)
    ELSE EXISTS (SELECT FROM identity i WHERE i.bucket = n.bucket AND i.customer_id = %(customer)s
                 AND i.kind = n.kind AND i.value = n.value AND i.user_id IS NOT NULL) END)
FROM (SELECT DISTINCT bucket, kind, value FROM import_names) n
"""
MOST_PATHS = 2_000
DEEPEST = 8


@dataclass(slots=True)
class Preview:
    """Looks at the good rows of one import for a customer."""

    connection: Connection
    customer: int
    _paths: set[tuple[str, ...]] = field(default_factory=set)
    _shapes: set[tuple[str, ...]] = field(default_factory=set)

    def start(self) -> None:
        self.connection.execute(TABLE)
        self.connection.execute(EMPTY)

    def look(self, cursor: Cursor[Any], rows: list[ImportRow]) -> None:
        """Look at the rows of a batch."""
        names = {(_bucket(row), *row.names) for row in rows}
        cursor.execute(GATHER, columns((SmallInts, Texts, Texts), sorted(names)))
        for row in rows:
            shape = tuple(row.data)
            flat = not any(isinstance(value, dict) for value in row.data.values())
            if not (flat and shape in self._shapes):
                self._look_at(row.data, ())
                if flat:
                    self._shapes.add(shape)

    def _look_at(self, data: dict[str, Any], above: tuple[str, ...]) -> None:
        for key, value in data.items():
            keys = (*above, key)
            if isinstance(value, dict):
                if len(keys) < DEEPEST:
                    self._look_at(value, keys)
            elif len(self._paths) < MOST_PATHS:
                self._paths.add(keys)

    def report(self, *, good: int, bad: int) -> str:
        """Returns the report as JSON: how many rows are not empty, which users and attributes are new or known."""
        users, known = self.connection.execute(USERS, {"customer": self.customer}).fetchone() or (0, 0)
        there = {
            keys_of(path) for path in Attribute.objects.filter(customer_id=self.customer).values_list("path", flat=True)
        }
        found = {
            "rows": good + bad,
            "good": good,
            "bad": bad,
            "new_users": users - known,
            "known_users": known,
            "new_attributes": sorted(join_path(keys) for keys in self._paths - there),
            "known_attributes": sorted(join_path(keys) for keys in self._paths & there),
        }
        return msgspec.json.encode(found).decode()


def _bucket(row: ImportRow) -> int:
    kind, value = row.names
    return row.bucket if kind == "uuid" else buckets.of_value(value)
