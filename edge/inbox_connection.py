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
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format

from core.arrays import Byteas, Moments, SmallInts

CONNECT_SECONDS = 2

_INSERT_NAME, _PING_NAME = b"append", b"ping"
_INSERT = (
    b"INSERT INTO inbox (bucket, kind, query, body, received_at) "
    b"SELECT * FROM unnest($1::smallint[], $2::smallint[], $3::bytea[], $4::bytea[], $5::timestamptz[])"
)
_DONE = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})

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
    """Made by `connect`. `began`: the loop's time when the statement under way began, None between statements.

    Statements go to libpq directly, and the loop watches the socket all the time. A cursor of psycopg converts,
    prepares and registers anew for every statement, which shows where commits are many and small.
    """

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self.began: float | None = None
        self._connection = connection
        self._libpq = connection.pgconn
        self._socket = connection.fileno()
        self._loop = asyncio.get_running_loop()
        self._readable: asyncio.Future[None] | None = None
        self._lost: psycopg.Error | None = None
        self._loop.add_reader(self._socket, self._read)

    @classmethod
    async def connect(cls, database_url: str, statement_seconds: float) -> "InboxConnection":
        """Raises psycopg.Error, or TimeoutError after two seconds."""
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await AsyncConnection.connect(
                database_url, autocommit=True, application_name="dmphub edge", connect_timeout=CONNECT_SECONDS
            )
            await connection.execute("SET synchronous_commit = on")
            await connection.execute(f"SET statement_timeout = {round(statement_seconds * 1000)}")
            made = cls(connection)
            try:
                await made._prepare()
            except BaseException:
                await made.close()
                raise
        return made

    async def insert(self, rows: Sequence[PendingRow]) -> None:
        """Committed when it returns. `rows` come sorted by bucket. Raises psycopg.Error or ROW_FAULTS."""
        await self._execute(
            _INSERT_NAME,
            [
                SmallInts.of([row.bucket for row in rows]).encoded,
                SmallInts.of([row.kind for row in rows]).encoded,
                Byteas.of([row.query for row in rows]).encoded,
                Byteas.of([row.body for row in rows]).encoded,
                Moments.of([row.received for row in rows]).encoded,
            ],
        )

    async def ping(self) -> None:
        """Raises psycopg.Error where the database is gone."""
        await self._execute(_PING_NAME, [])

    def abort(self) -> None:
        """End a statement that hangs: the connection's socket is shut, so the wait ends in an error."""
        if self._connection.closed:
            return
        with socket.socket(fileno=socket.dup(self._socket)) as copy:
            copy.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        self._watch_no_more()
        await self._connection.close()

    async def _prepare(self) -> None:
        for name, statement in ((_INSERT_NAME, _INSERT), (_PING_NAME, b"SELECT 1")):
            self._libpq.send_prepare(name, statement)
            await self._results()

    async def _execute(self, name: bytes, parameters: Sequence[bytes]) -> None:
        if self._lost is not None:
            raise self._lost
        self._libpq.send_query_prepared(name, parameters, [Format.BINARY] * len(parameters))
        await self._results()

    async def _results(self) -> None:
        """Send what is queued, and wait until the database is ready for the next statement: only then it has committed.

        Raises the error that it reports.
        """
        if self._libpq.flush():
            self._loop.add_writer(self._socket, self._write)
        error: psycopg.Error | None = None
        while True:
            while self._libpq.is_busy():
                await self._arrival()
            result = self._libpq.get_result()
            if result is None:
                break
            if result.status not in _DONE:
                error = error_from_result(result)
        if error is not None:
            raise error

    async def _arrival(self) -> None:
        if self._lost is not None:
            raise self._lost
        self._readable = self._loop.create_future()
        await self._readable

    def _read(self) -> None:
        try:
            self._libpq.consume_input()
            if self._libpq.is_busy():
                return
        except psycopg.Error as error:
            self._lost = error
            self._watch_no_more()
        if self._readable is not None and not self._readable.done():
            if self._lost is None:
                self._readable.set_result(None)
            else:
                self._readable.set_exception(self._lost)

    def _write(self) -> None:
        try:
            if self._libpq.flush():
                return
        except psycopg.Error:
            pass  # reading tells of it too
        self._loop.remove_writer(self._socket)

    def _watch_no_more(self) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
