"""Commands: effects on another bucket travel as rows of its inbox, never as locks."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from edge.arrays import Byteas, SmallInts, Times, columns
from edge.kinds import Kind

INSERT = """
INSERT INTO inbox (bucket, kind, query, body, received_at)
SELECT * FROM unnest(%s::smallint[], %s::smallint[], %s::bytea[], %s::bytea[], %s::timestamptz[])
"""
TYPES = (SmallInts, SmallInts, Byteas, Byteas, Times)


class Command(NamedTuple):
    """A row to append: `query` is the encoded message of its kind."""

    bucket: int
    kind: Kind
    query: bytes
    received_at: datetime
    body: bytes | None = None


_bucket = attrgetter("bucket")


class Cursor(Protocol):
    """A database cursor, Django's or psycopg's."""

    def execute(self, query: Any, params: Any = None, /) -> Any: ...


def append(cursor: Cursor, commands: Sequence[Command]) -> None:
    """Append the commands, in the caller's transaction, sorted by bucket so that appenders cannot deadlock."""
    if not commands:
        return
    ordered = sorted(commands, key=_bucket)
    cursor.execute(INSERT, columns(TYPES, [(c.bucket, c.kind, c.query, c.body, c.received_at) for c in ordered]))
