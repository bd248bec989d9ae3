"""Taking rows off the inbox costs what is taken, not what waits."""

from contextlib import closing
from typing import Any

import psycopg
import pytest

from core.buckets import BUCKETS
from core.database import Connection, connect
from core.inbox import InboxKind, InboxQueue
from core.models import Inbox
from pipeline.absorb.inbox_marks import InboxMarks
from pipeline.absorb.rows import PEEK, TAKE, lock_waiting, take
from tests.support.pages import pages_read
from tests.support.shop import Shop

FEW = 40
EVERY_BUCKET = list(range(BUCKETS))
EXPLAIN = f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE asked('{set(EVERY_BUCKET)}', 0, 100)"
BACKLOG = """
INSERT INTO inbox (bucket, kind, query, received_at)
SELECT number %% %s, %s, '', now() FROM generate_series(1, 20000) AS number
"""


@pytest.fixture(autouse=True)
def small_inbox(shop: Shop, database: psycopg.Connection[Any]) -> None:
    """Plans depend on the size of files, and on what autovacuum noted of them: not on what other tests left there."""
    database.execute("TRUNCATE inbox")


def _cost(database: psycopg.Connection[Any], statement: str, values: list[Any]) -> str:
    """What the statement did, as PostgreSQL tells it."""
    return "\n".join(line for (line,) in database.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}", values))


def test_looking_for_bulk_work__reads_nothing_of_a_long_backlog(shop: Shop, database: psycopg.Connection[Any]) -> None:
    database.execute(BACKLOG, [BUCKETS, int(InboxKind.EVENT)])
    first, _ = (shop.append(200, kind, b"") for kind in (InboxKind.BUILD, InboxKind.CONVERT))

    for statement, values in (
        (PEEK[InboxQueue.BULK], [EVERY_BUCKET, 0, 16]),
        (TAKE[InboxQueue.BULK], [EVERY_BUCKET, 0, 16]),
    ):
        told = _cost(database, statement, values)
        assert "inbox_bulk" in told
        assert "Removed by" not in told
    assert database.execute(PEEK[InboxQueue.BULK], [EVERY_BUCKET, 0, 16]).fetchall() == [(200, 2, first)]


@pytest.mark.parametrize("share", [0.9, 1.0])
def test_looks__after_much_bulk_work__read_no_more_of_a_backlog_than_they_take(
    shop: Shop, database: psycopg.Connection[Any], share: float
) -> None:
    """The statistics say that bulk work is everywhere in the table, and the file of its index is large."""
    events, commands = int(20_000 * (1 - share)), int(20_000 * share)
    database.execute(f"{BACKLOG.rstrip()} LIMIT {events}", [BUCKETS, int(InboxKind.EVENT)])
    database.execute(f"{BACKLOG.rstrip()} LIMIT {commands}", [BUCKETS, int(InboxKind.BUILD)])
    database.execute("ANALYZE inbox")
    database.execute("DELETE FROM inbox")
    database.execute("VACUUM inbox")
    database.execute(BACKLOG, [BUCKETS, int(InboxKind.EVENT)])
    for bucket in (7, 200):
        shop.append(bucket, InboxKind.BUILD, b"")

    with closing(connect(durable=False)) as own:
        own.prepare_threshold = 0
        for plan in ("force_custom_plan", "force_generic_plan"):
            own.execute(f"SET plan_cache_mode = {plan}")
            assert pages_read("inbox", own, lambda: _look(own, [7, 200], InboxQueue.BULK)) < FEW
            assert pages_read("inbox", own, lambda: _look(own, [0] * 16, InboxQueue.PROMPT)) < FEW


def _look(own: Connection, expected: list[int], queue: InboxQueue) -> None:
    """Look with a fresh memory, as a worker that has just been started."""
    marks = InboxMarks()
    with own.transaction(), own.cursor(binary=True) as cursor:
        held = lock_waiting(cursor, 0, 16, queue=queue, marks=marks)
        assert [row.bucket for row in take(cursor, held, 0, 16, queue=queue, marks=marks)] == expected


@pytest.mark.parametrize(
    ("attempts", "taken"),
    [
        ([0, 0, 0], 3),
        ([0, 0, 1], 2),
        ([1, 1, 1], 3),
        ([1, 2, 2], 1),
        ([1, 1, 4, 1], 2),
        ([2, 2, 2], 1),
        ([2, 1, 1], 1),
        ([1, 0, 0], 3),
        ([1] * 40, 32),
    ],
)
def test_row_over_which_workers_died__is_never_taken_behind_rows_that_were_tried_less(
    shop: Shop, attempts: list[int], taken: int
) -> None:
    rows = [shop.append(10 + place // 2, InboxKind.EVENT, b"") for place in range(len(attempts))]
    for row, tried in zip(rows, attempts, strict=True):
        Inbox.objects.filter(id=row).update(attempts=tried)
    with closing(connect(durable=False)) as own, own.transaction(), own.cursor(binary=True) as cursor:
        found = take(
            cursor,
            {10 + place // 2 for place in range(len(rows))},
            10,
            1000,
            queue=InboxQueue.PROMPT,
            marks=InboxMarks(),
        )
    assert [row.id for row in found] == rows[:taken]


@pytest.mark.parametrize("plan", ["force_custom_plan", "force_generic_plan"])
def test_taking_rows_of_a_long_backlog__reads_no_more_than_it_takes(shop: Shop, plan: str) -> None:
    """As a stage's connection plans it, which knows the table as it once was: empty."""
    with closing(connect(durable=False)) as own:
        own.execute(BACKLOG, [BUCKETS, int(InboxKind.EVENT)])
        own.execute(f"SET plan_cache_mode = {plan}")
        for statement in (PEEK[InboxQueue.PROMPT], TAKE[InboxQueue.PROMPT]):
            numbered = statement.replace("%s", "$1", 1).replace("%s", "$2", 1).replace("%s", "$3", 1)
            own.execute(f"PREPARE asked(smallint[], bigint, bigint) AS {numbered}")
            told = "\n".join(line for (line,) in own.execute(EXPLAIN))
            assert "Index" in told
            assert "Bitmap" not in told
            assert "Sort" not in told
            assert "actual rows=100.00 loops=1" in told
            own.execute("DEALLOCATE asked")
