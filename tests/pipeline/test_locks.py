"""A bucket's lock is taken in a statement of its own, before what it protects is read.

One absorber is held up inside its lock statement, after that statement's snapshot was taken, while another
one absorbs the row and commits. What the first reads afterwards must be newer than that.
"""

import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Cursor

from core import buckets, database, user_ids
from core.buckets import BUCKET_LOCKS, TRY_LOCK, try_lock
from core.inbox import InboxQueue
from pipeline.absorb import absorber as absorbing
from pipeline.absorb import loader, rows
from pipeline.absorb.absorber import Absorber
from pipeline.absorb.inbox_marks import InboxMarks
from pipeline.absorb.rows import InboxRow
from tests.support.edge_process import until
from tests.support.shop import Shop, somebody

GATE = 777
# the lock function as the absorber behind the gate sees it: it waits at the gate, then locks
GATED = f"""
DROP SCHEMA IF EXISTS gated CASCADE;
CREATE SCHEMA gated;
CREATE FUNCTION gated.pg_try_advisory_xact_lock(class int, bucket int) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared({GATE});
    RETURN pg_catalog.pg_try_advisory_xact_lock(class, bucket);
END $$
"""
WAITING = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"

TOGETHER = """
WITH locked AS MATERIALIZED (
    SELECT bucket FROM unnest(%s::int[]) AS bucket WHERE pg_try_advisory_xact_lock(%s, bucket))
SELECT i.bucket, i.id, i.kind, i.query, i.body, i.received_at, i.attempts
FROM inbox i JOIN locked ON i.bucket = locked.bucket ORDER BY i.bucket, i.id
"""


@pytest.fixture
def gate(shop: Shop, database: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """The gate, closed."""
    database.execute(GATED)
    database.execute("SELECT pg_advisory_lock(%s)", [GATE])
    yield database
    database.execute("SELECT pg_advisory_unlock_all()")
    database.execute("DROP SCHEMA gated CASCADE")


@pytest.fixture
def late(gate: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Absorber]:
    """The absorber behind the gate."""
    with monkeypatch.context() as patch:
        patch.setattr(
            database_module(), "OPTIONS", f"{database_module().OPTIONS} -c search_path=gated,pg_catalog,public"
        )
        absorber = Absorber(lambda _touched: None)
    yield absorber
    absorber.close()


def database_module() -> Any:
    return database


def absorbed_by_both(shop: Shop, late: Absorber, gate: psycopg.Connection[Any]) -> int:
    """How often one event counts when another absorber commits while `late` stands in its lock statement."""
    user = somebody()
    shop.event(user)
    thread = threading.Thread(target=late.absorb)
    thread.start()
    try:
        until(lambda: gate.execute(WAITING, [GATE]).fetchone() is not None)
        assert shop.absorber.absorb() == 1
    finally:
        gate.execute("SELECT pg_advisory_unlock(%s)", [GATE])
        thread.join(20)
    return shop.total(user)


def test_absorber__held_up_in_its_lock_statement__reads_what_the_last_holder_left(
    shop: Shop, late: Absorber, gate: psycopg.Connection[Any]
) -> None:
    assert absorbed_by_both(shop, late, gate) == 1


def test_lock_and_read_in_one_statement__would_absorb_twice(
    shop: Shop, late: Absorber, gate: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same interleaving finds out a lock that is read with: the test above is able to fail."""
    read: list[InboxRow] = []
    behind_the_gate = late._connection

    def lock_and_read(cursor: Cursor[Any], start: int, limit: int, *, queue: InboxQueue, marks: InboxMarks) -> set[int]:
        if queue or cursor.connection is not behind_the_gate:
            return rows.lock_waiting(cursor, start, limit, queue=queue, marks=marks)
        cursor.execute(TOGETHER, [list(range(256)), BUCKET_LOCKS])
        read.extend(InboxRow(*row) for row in cursor)
        return {row.bucket for row in read}

    def already_read(
        cursor: Cursor[Any], held: set[int], start: int, limit: int, *, queue: InboxQueue, marks: InboxMarks
    ) -> list[InboxRow]:
        if queue or cursor.connection is not behind_the_gate:
            return rows.take(cursor, held, start, limit, queue=queue, marks=marks)
        return read

    monkeypatch.setattr(absorbing, "lock_waiting", lock_and_read)
    monkeypatch.setattr(absorbing, "take", already_read)

    assert absorbed_by_both(shop, late, gate) == 2


def test_lock_statement__touches_no_table() -> None:
    tables = re.findall(r"(?:FROM|JOIN)\s+(\w+)", TRY_LOCK)
    assert tables == ["unnest"]


def test_try_lock__takes_what_is_free_and_leaves_the_rest(shop: Shop) -> None:
    from core.buckets import try_lock

    one, two = database.connect(durable=False), database.connect(durable=False)
    try:
        with one.transaction(), one.cursor() as cursor:
            assert try_lock(cursor, {1, 2}) == {1, 2}
            with two.transaction(), two.cursor() as other:
                assert try_lock(other, [1, 2, 3]) == {3}
        with two.transaction(), two.cursor() as other:
            assert try_lock(other, _some([1, 2, 3])) == {1, 2, 3}
    finally:
        one.close()
        two.close()


def _some(buckets: Iterable[int]) -> Iterable[int]:
    return iter(buckets)


def test_bucket__that_became_free_while_profiles_were_loaded__is_not_taken_for_looked_at(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was out of reach a moment ago is not somebody new: nothing of theirs is overwritten."""
    far = user_ids.new(7)
    older, merged = user_ids.new(7), user_ids.new(9)
    shop.event(far, {"kept": 1}, ids=[("device:devid_g", "g")])
    shop.event(older, ids=[("device:devid_a", "a")])
    shop.absorb()
    shop.event(merged, ids=[("device:devid_a", "a")])
    shop.absorb()
    assert shop.profile(merged).merged_into == older
    assert 7 not in {buckets.of_value("g"), buckets.of_value("a")}
    tried: list[set[int]] = []

    def busy_at_first(cursor: Cursor[Any], asked: Iterable[int]) -> set[int]:
        tried.append(set(asked))
        free = try_lock(cursor, asked)
        return free - {7} if len(tried) == 1 else free

    monkeypatch.setattr(loader, "try_lock", busy_at_first)
    shop.event(ids=[("device:devid_g", "g")], data={"new": 2})
    shop.event(merged, {"x": 1})
    shop.absorb()

    assert {7} in tried
    assert shop.profile(far).attributes == {"kept": 1, "new": 2}
