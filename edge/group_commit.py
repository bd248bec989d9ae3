"""Group commit: every request waits for a commit, and shares it with the requests that came during the last one.

A writer commits what is waiting as soon as its previous commit is done, so an idle edge commits at once and a
busy one commits many at a time. In between, it gathers until enough wait, for four milliseconds at most. This module
knows nothing of HTTP and reads nothing: it only appends.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol

import psycopg

from core.errors import UnavailableError
from edge.inbox_connection import ROW_FAULTS, InboxConnection, PendingRow

logger = logging.getLogger(__name__)

OnCommit = Callable[[Collection[int]], None]
"""Called after each commit with the buckets that received rows. Must not block."""

_TICK = 0.1  # seconds
_IDLE = 1.0  # seconds without a row, until the connection is looked after
# If the last commit carried several rows and fewer than `_ENOUGH` wait now, wait up to `_GATHER` for more: fewer,
# fuller commits under load, no delay for a lone sender.
_ENOUGH = 16
_GATHER = 0.004  # seconds
_GRACE = 0.3  # seconds
_by_bucket = attrgetter("bucket")


class RowRefusedError(Exception):
    """The database refuses this very row."""


@dataclass(frozen=True, slots=True)
class CommitBounds:
    """Per commit, and of all that may wait for one."""

    commit_rows: int = 2_000
    commit_bytes: int = 8 * 1024 * 1024
    waiting_rows: int = 20_000
    waiting_bytes: int = 64 * 1024 * 1024
    seconds: float = 2.0


def ignore(buckets: Collection[int]) -> None:
    """Wake nobody after a commit: the sweeper finds the rows."""


class RowAppender(Protocol):
    """What takes the rows of requests."""

    def append(self, bucket: int, kind: int, query: bytes, body: bytes | None = None) -> "asyncio.Future[None]": ...


class InboxAppender:
    """Appends rows; a row's future is done once it is committed."""

    def __init__(
        self,
        database_url: str,
        *,
        on_commit: OnCommit = ignore,
        bounds: CommitBounds | None = None,
    ) -> None:
        self.on_commit = on_commit
        self._database_url = database_url
        self._bounds = bounds or CommitBounds()
        self._waiting: deque[PendingRow] = deque()
        self._waiting_bytes = 0
        self._wanted = 1  # so many rows settle what the writer awaits
        self._arrival: asyncio.Future[None] | None = None
        self._writer: InboxConnection | None = None
        self._in_flight: list[PendingRow] = []
        self._now = 0.0  # the loop's time, read every tick: cheaper than once a row
        self._away = True
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop

    @property
    def reachable(self) -> bool:
        """Whether the last attempt to reach the database succeeded."""
        return not self._away

    def append(self, bucket: int, kind: int, query: bytes, body: bytes | None = None) -> "asyncio.Future[None]":
        """Await the result: it returns when the row is committed, or raises UnavailableError or RowRefusedError."""
        size = len(query) if body is None else len(query) + len(body)
        full = len(self._waiting) >= self._bounds.waiting_rows
        if self._away or full or self._waiting_bytes + size > self._bounds.waiting_bytes:
            raise UnavailableError
        committed = self._loop.create_future()
        row = PendingRow(bucket, kind, query, body, time.time_ns() // 1000, self._now, committed)
        self._waiting.append(row)
        self._waiting_bytes += size
        if self._arrival is not None and len(self._waiting) >= self._wanted:
            _settle(self._arrival)
        return committed

    def discard(self, bucket: int, kind: int, query: bytes, body: bytes | None = None) -> "asyncio.Future[None]":
        """Answer as `append` does, and append nothing."""
        if self._away:
            raise UnavailableError
        dropped = self._loop.create_future()
        dropped.set_result(None)
        return dropped

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time()
        self._tasks = [self._loop.create_task(job) for job in (self._watch(), self._keep_writing())]

    async def close(self) -> None:
        """Commit what waits, then stop."""
        self._closing = True
        if self._arrival is not None:
            _settle(self._arrival)
        await asyncio.wait(self._tasks[1:], timeout=self._bounds.seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fail(self._take_all())

    async def _keep_writing(self) -> None:
        pause = _TICK
        while not self._closing:
            try:
                writer = await InboxConnection.connect(self._database_url, self._bounds.seconds)
            except (psycopg.Error, OSError) as error:
                self._lost(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 1.0)
            else:
                pause = _TICK
                self._away = False
                await self._use(writer)

    def _lost(self, error: Exception) -> None:
        if not self._away:
            logger.warning("the database is away: %s", error)
        self._away = True
        self._fail(self._take_all())

    async def _use(self, writer: InboxConnection) -> None:
        self._writer = writer
        crowd = False
        try:
            while not self._closing or self._waiting:
                await self._await_rows(1, _IDLE)
                if not self._waiting:
                    await self._look_after(writer)
                    continue
                if crowd:
                    await self._await_rows(_ENOUGH, _GATHER)
                if rows := self._take():
                    crowd = len(rows) > 1
                    self._in_flight = rows
                    await self._commit(writer, sorted(rows, key=_by_bucket))
        except (psycopg.Error, OSError) as error:
            logger.warning("a commit failed: %s", error)
        finally:
            self._writer = None
            self._fail(self._in_flight)
            await writer.close()

    async def _await_rows(self, count: int, seconds: float) -> None:
        """Wait until so many rows wait, but not for longer."""
        if len(self._waiting) >= count or self._closing:
            return
        self._wanted = count
        self._arrival = self._loop.create_future()
        timer = self._loop.call_later(seconds, _settle, self._arrival)
        await self._arrival
        timer.cancel()
        self._arrival = None

    async def _look_after(self, writer: InboxConnection) -> None:
        """While there is nothing to do, so that the loss of the connection costs no request."""
        writer.began = self._loop.time()
        await writer.ping()
        writer.began = None

    def _take(self) -> list[PendingRow]:
        rows: list[PendingRow] = []
        waiting, room = self._waiting, self._bounds.commit_bytes
        while waiting and len(rows) < self._bounds.commit_rows and room > 0:
            row = waiting.popleft()
            room -= len(row.query) if row.body is None else len(row.query) + len(row.body)
            rows.append(row)
        self._waiting_bytes -= self._bounds.commit_bytes - room
        return rows

    def _take_all(self) -> list[PendingRow]:
        rows = list(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return rows

    async def _commit(self, writer: InboxConnection, rows: list[PendingRow]) -> None:
        writer.began = self._loop.time()
        try:
            await writer.insert(rows)
        except ROW_FAULTS as error:
            await self._split(writer, rows, error)
            return
        finally:
            writer.began = None
        for row in rows:
            if not row.committed.done():
                row.committed.set_result(None)
        try:
            self.on_commit({row.bucket for row in rows})
        except Exception:  # whatever fails afterwards, the rows are committed
            logger.exception("on_commit failed")

    async def _split(self, writer: InboxConnection, rows: list[PendingRow], error: Exception) -> None:
        """A bad row fails alone: halve until it is found."""
        if len(rows) == 1:
            logger.warning("the database refuses a row: %s", error)
            if not rows[0].committed.done():
                rows[0].committed.set_exception(RowRefusedError())
            return
        middle = len(rows) // 2
        await self._commit(writer, rows[:middle])
        await self._commit(writer, rows[middle:])

    def _fail(self, rows: list[PendingRow]) -> None:
        for row in rows:
            if not row.committed.done():
                row.committed.set_exception(UnavailableError())

    async def _watch(self) -> None:
        """Nobody waits longer than the bound; where the database does not end its statement, we do."""
        while True:
            await asyncio.sleep(_TICK)
            self._now = self._loop.time()
            overdue = self._now - self._bounds.seconds
            while self._waiting and self._waiting[0].since < overdue:
                row = self._waiting.popleft()
                self._waiting_bytes -= len(row.query) + len(row.body or b"")
                self._fail([row])
            writer = self._writer
            if writer is not None:
                self._fail([row for row in self._in_flight if row.since < overdue])
                if writer.began is not None and writer.began < overdue - _GRACE:
                    writer.abort()


@dataclass(frozen=True, slots=True)
class Discarding:
    """Takes rows as the inbox does, for requests that are only answered: they are kept nowhere."""

    inbox: InboxAppender

    def append(self, bucket: int, kind: int, query: bytes, body: bytes | None = None) -> "asyncio.Future[None]":
        return self.inbox.discard(bucket, kind, query, body)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
