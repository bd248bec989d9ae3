"""Taking rows off the inbox costs what is taken, not what waits."""

from typing import Any

import psycopg

from core.buckets import BUCKETS
from core.inbox import InboxKind
from pipeline.absorb.rows import PEEK, TAKE
from tests.support.shop import Shop

BACKLOG = """
INSERT INTO inbox (bucket, kind, query, received_at)
SELECT number %% %s, %s, '', now() FROM generate_series(1, 20000) AS number
"""


def _cost(database: psycopg.Connection[Any], statement: str, values: list[Any]) -> str:
    """What the statement did, as PostgreSQL tells it."""
    return "\n".join(line for (line,) in database.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}", values))


def test_looking_for_bulk_work__reads_nothing_of_a_long_backlog(shop: Shop, database: psycopg.Connection[Any]) -> None:
    database.execute(BACKLOG, [BUCKETS, int(InboxKind.EVENT)])
    for kind in (InboxKind.BUILD, InboxKind.CONVERT):
        shop.append(200, kind, b"")

    for statement, values in ((PEEK[True], [0, BUCKETS - 1, 16]), (TAKE[True], [list(range(BUCKETS)), 16])):
        told = _cost(database, statement, values)
        assert "inbox_bulk" in told
        assert "Removed by" not in told
    assert database.execute(PEEK[True], [0, BUCKETS - 1, 16]).fetchall() == [(200, 2)]
