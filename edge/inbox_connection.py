"""One database connection that appends rows to the inbox table: one statement, one commit.

It must never read or update a table: the edge only appends.
"""

import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection

from core import arrays
from core.arrays import Byteas, Moments, SmallInts

CONNECT_SECONDS = 2

_INSERT = (
    "INSERT INTO inbox (bucket, kind, query, body, received_at) "
    "SELECT * FROM unnest(%b::smallint[], %b::smallint[], %b::bytea[], %b::bytea[], %b::timestamptz[])"
)

# What a row's own content can cause, as opposed to the state of the database.
ROW_FAULTS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
    struct.error,  # a number that does not fit into its column
)


class PendingRow:
    """A row that waits for its commit. `received`: unix microseconds; `since`: the loop's time when it was appended."""

    __slots__ = ("body", "bucket", "committed", "kind", "query", "received", "since")

    def __init__(
        self,
        bucket: int,
        kind: int,
        query: bytes,
        body: bytes | None,
        received: int,
        since: float,
        committed: "asyncio.Future[None]",
    ) -> None:
        self.bucket = bucket
        self.kind = kind
        self.query = query
        self.body = body
        self.received = received
        self.since = since
        self.committed = committed


class InboxConnection:
    """Made by `connect`. `began`: the loop's time when the statement under way began, None between statements."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self.began: float | None = None
        self._connection = connection
        self._cursor = connection.cursor()

    @classmethod
    async def connect(cls, database_url: str, statement_seconds: float) -> "InboxConnection":
        """Raises psycopg.Error, or TimeoutError after two seconds."""
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await AsyncConnection.connect(
                database_url, autocommit=True, application_name="dmphub edge", connect_timeout=CONNECT_SECONDS
            )
        arrays.register(connection)
        await connection.execute("SET synchronous_commit = on")
        await connection.execute(f"SET statement_timeout = {round(statement_seconds * 1000)}")
        return cls(connection)

    async def insert(self, rows: Sequence[PendingRow]) -> None:
        """Committed when it returns. `rows` come sorted by bucket. Raises psycopg.Error or ROW_FAULTS."""
        parameters = (
            SmallInts.of([row.bucket for row in rows]),
            SmallInts.of([row.kind for row in rows]),
            Byteas.of([row.query for row in rows]),
            Byteas.of([row.body for row in rows]),
            Moments.of([row.received for row in rows]),
        )
        await self._cursor.execute(_INSERT, parameters, prepare=True)

    async def ping(self) -> None:
        """Raises psycopg.Error where the database is gone."""
        await self._cursor.execute("SELECT 1", prepare=True)

    def abort(self) -> None:
        """End a statement that hangs: the connection's socket is shut, so the wait ends in an error."""
        if self._connection.closed:
            return
        with socket.socket(fileno=socket.dup(self._connection.fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        await self._connection.close()
