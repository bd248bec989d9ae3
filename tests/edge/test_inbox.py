"""Group commit, on the real table."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from core.errors import UnavailableError
from edge.group_commit import CommitBounds, InboxAppender, RowRefusedError

pytestmark = pytest.mark.usefixtures("house")


@asynccontextmanager
async def _started(url: str, **options: Any) -> AsyncIterator[InboxAppender]:
    inbox = InboxAppender(url, **options)
    await inbox.start()
    while not inbox.reachable:
        await asyncio.sleep(0.01)
    try:
        yield inbox
    finally:
        await inbox.close()


def _stored(database: psycopg.Connection[Any]) -> set[bytes]:
    return {row[0] for row in database.execute("SELECT query FROM inbox").fetchall()}


def _commits(database: psycopg.Connection[Any]) -> int:
    row = database.execute("SELECT count(DISTINCT xmin::text) FROM inbox").fetchone()
    assert row is not None
    return int(row[0])


def test_inbox__bad_rows_in_a_commit__fail_alone(database_url: str, database: psycopg.Connection[Any]) -> None:
    bad = {17: 256, 18: 70_000, 140: -1}  # against the table's constraint, beyond smallint, below it

    async def append_all() -> list[object]:
        async with _started(database_url) as inbox:
            futures = [inbox.append(bad.get(n, n % 256), 1, b"%d" % n, None) for n in range(200)]
            return await asyncio.gather(*futures, return_exceptions=True)

    results = asyncio.run(append_all())
    assert {n for n, result in enumerate(results) if isinstance(result, RowRefusedError)} == set(bad)
    assert all(result is None for n, result in enumerate(results) if n not in bad)
    assert _stored(database) == {b"%d" % n for n in range(200) if n not in bad}


def test_inbox__rows_that_gather_during_a_commit__share_the_next(
    database_url: str, database: psycopg.Connection[Any]
) -> None:
    told: list[Collection[int]] = []

    async def sender(inbox: InboxAppender, number: int) -> None:
        for n in range(20):
            await inbox.append(number, 1, b"%d/%d" % (number, n), b"body")

    async def send() -> None:
        async with _started(database_url, on_commit=told.append) as inbox:
            await asyncio.gather(*(sender(inbox, number) for number in range(50)))

    asyncio.run(send())
    assert len(_stored(database)) == 1000
    assert _commits(database) == len(told) <= 200
    assert set().union(*told) == set(range(50))


def test_inbox__bounds_of_a_commit__are_kept(database_url: str, database: psycopg.Connection[Any]) -> None:
    async def send(bounds: CommitBounds) -> None:
        async with _started(database_url, bounds=bounds) as inbox:
            await asyncio.gather(*(inbox.append(1, 1, b"%d" % n, b"x" * 1000) for n in range(40)))

    asyncio.run(send(CommitBounds(commit_rows=10)))
    assert _commits(database) == 4
    database.execute("DELETE FROM inbox")
    asyncio.run(send(CommitBounds(commit_bytes=5000)))
    assert _commits(database) == 8


def test_inbox__commit_takes_too_long__is_unavailable_in_time_and_works_again(
    database_url: str, database: psycopg.Connection[Any]
) -> None:
    async def append() -> tuple[list[object], float]:
        async with _started(database_url, bounds=CommitBounds(seconds=0.5)) as inbox:
            with psycopg.connect(database_url) as blocker:
                blocker.execute("LOCK TABLE inbox IN EXCLUSIVE MODE")
                began = time.monotonic()
                first = inbox.append(1, 1, b"in flight", None)
                await asyncio.sleep(0.2)
                second = inbox.append(1, 1, b"waiting", None)
                results = await asyncio.gather(first, second, return_exceptions=True)
                waited = time.monotonic() - began
                blocker.rollback()
            await _append_until_done(inbox, b"later")
            return list(results), waited

    results, waited = asyncio.run(append())
    assert [type(result) for result in results] == [UnavailableError, UnavailableError]
    assert waited < 1.2
    assert b"later" in _stored(database)


async def _append_until_done(inbox: InboxAppender, query: bytes) -> None:
    while True:
        try:
            await inbox.append(1, 1, query, None)
        except UnavailableError:
            await asyncio.sleep(0.05)
        else:
            return


def test_inbox__more_waiting_than_the_bound__is_unavailable_at_once(database_url: str) -> None:
    async def append(bounds: CommitBounds) -> None:
        async with _started(database_url, bounds=bounds) as inbox:
            accepted = [inbox.append(1, 1, b"x" * 100, None) for _ in range(10)]
            with pytest.raises(UnavailableError):
                inbox.append(1, 1, b"one more", None)
            await asyncio.gather(*accepted)

    asyncio.run(append(CommitBounds(waiting_rows=10)))
    asyncio.run(append(CommitBounds(waiting_bytes=1000)))


def test_inbox__connection_lost_while_idle__costs_no_request(
    database_url: str, database: psycopg.Connection[Any]
) -> None:
    def sessions() -> set[int]:
        found = database.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'dmphub edge' AND datname = current_database()"
        )
        return {row[0] for row in found.fetchall()}

    async def append() -> None:
        others = sessions()
        async with _started(database_url) as inbox:
            (mine,) = sessions() - others
            database.execute("SELECT pg_terminate_backend(%s)", [mine])
            while not sessions() - others - {mine}:
                await asyncio.sleep(0.05)
            await inbox.append(1, 1, b"after", None)

    asyncio.run(append())
    assert _stored(database) == {b"after"}
