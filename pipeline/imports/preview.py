"""A dry run: what an import would change, found out without changing anything.

The names of the users are gathered in a temporary table, so that the file may be larger than the memory.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from psycopg import Cursor

from core import buckets
from core.arrays import SmallInts, Texts, columns
from core.clock import moment
from core.database import Connection
from core.json_values import is_empty
from pipeline.imports.errors import LineOf
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
SAMPLE = 10


@dataclass(slots=True)
class Preview:
    """Looks at the good rows of one import for a customer. `sample`: the first rows, as they would be kept."""

    connection: Connection
    customer: int
    sample: list[dict[str, Any]] = field(default_factory=list)
    _paths: set[tuple[str, ...]] = field(default_factory=set)
    _shapes: set[tuple[str, ...]] = field(default_factory=set)

    def start(self) -> None:
        self.connection.execute(TABLE)
        self.connection.execute(EMPTY)

    def look(self, cursor: Cursor[Any], rows: list[tuple[int, ImportRow]], line_of: LineOf) -> None:
        """Look at the rows of a batch, given with their numbers."""
        for number, row in rows[: SAMPLE - len(self.sample)]:
            self.sample.append({"row": number, "line": line_of(number), **_kept(row)})
        names = {(_bucket(row), *row.names) for _, row in rows}
        cursor.execute(GATHER, columns((SmallInts, Texts, Texts), sorted(names)))
        for _, row in rows:
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

    def report(self, *, good: int, bad: int, columns: list[str]) -> str:
        """Returns the report as JSON: how many rows are not empty, which users and attributes are new or known.

        `columns`: of the file, as they are called there.
        """
        users, known = self.connection.execute(USERS, {"customer": self.customer}).fetchone() or (0, 0)
        there = {
            keys_of(path) for path in Attribute.objects.filter(customer_id=self.customer).values_list("path", flat=True)
        }
        found = {
            "rows": good + bad,
            "good": good,
            "bad": bad,
            "columns": columns,
            "new_users": users - known,
            "known_users": known,
            "new_attributes": sorted(join_path(keys) for keys in self._paths - there),
            "known_attributes": sorted(join_path(keys) for keys in self._paths & there),
        }
        return msgspec.json.encode(found).decode()


def _kept(row: ImportRow) -> dict[str, Any]:
    """Returns what of a row is kept: ids, times as ISO 8601, dimensions and attributes that are not empty."""
    event = row.event
    ids = [{"kind": "uuid", "value": event.user}] if event.user else []
    ids += [{"kind": kind, "value": value} for kind, value in event.ids]
    return {
        "ids": ids,
        "at": moment(event.at).isoformat(),
        "last_seen": moment(event.seen).isoformat() if event.seen else None,
        "dimensions": event.dimensions,
        "attributes": {name: value for name, value in row.data.items() if not is_empty(value)},
    }


def _bucket(row: ImportRow) -> int:
    kind, value = row.names
    return row.bucket if kind == "uuid" else buckets.of_value(value)
