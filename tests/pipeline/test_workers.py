"""Several absorbers, dying ones and stopped ones: each row is absorbed once."""

import signal
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from core.buckets import try_lock
from core.database import connect
from core.models import Inbox
from pipeline.absorb.rows import DEADLY, SIZES
from pipeline.models import AbsorbRun
from tests.support.absorbers import Workers, workers
from tests.support.edge_process import until
from tests.support.shop import Shop, somebody

__all__ = ["workers"]

MARK = "the marked row"
NOBODY_ABSORBS = "LOCK TABLE inbox IN SHARE MODE"
ABSORBERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dmphub absorb'"


def in_bucket(bucket: int) -> UUID:
    return UUID(int=(somebody().int >> 8 << 8) | bucket)


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T"


def absorbers(database: psycopg.Connection[Any]) -> int:
    (connections,) = database.execute(ABSORBERS).fetchone() or (0,)
    return int(connections)


def test_two_absorbers_on_the_same_buckets__absorb_each_row_once(
    shop: Shop, workers: Workers, database: psycopg.Connection[Any]
) -> None:
    users = [somebody() for _ in range(97)]
    expected: Counter[UUID] = Counter()

    def append(count: int) -> None:
        for number in range(count):
            user = users[number % len(users)]
            expected[user] += 1
            # its second half travels to another bucket and comes back: rows made by workers count too
            shop.event(user, {"n": number}, ids=[("device:devid_g", f"g-{user}")] if number % 2 else [])

    append(1_500)
    before = absorbers(database)
    with closing(connect(durable=False)) as own, own.transaction():
        own.execute(NOBODY_ABSORBS)
        racing = [workers.start() for _ in range(2)]
        until(lambda: absorbers(database) >= before + 3)  # and the one that keeps them waiting
    append(1_500)
    reports = [process.read_to_end(60).split() for process in racing]
    absorbed = sum(int(report[-1]) for report in reports) + shop.absorb()

    assert {user: shop.total(user) for user in users} == expected
    assert absorbed == 3_000 + len(users)  # and a link for each user
    assert shop.bad_rows() == []
    assert min(int(report[-1]) for report in reports) > 0


def test_row_that_kills_its_workers__is_set_aside_and_its_neighbours_are_absorbed_once(
    shop: Shop, workers: Workers
) -> None:
    neighbours = [in_bucket(0x42) for _ in range(40)] + [somebody() for _ in range(60)]
    killer = in_bucket(0x42)
    for user in neighbours[::2]:
        shop.event(user, {"a": 1})
    row = shop.event(killer, {"a": MARK})
    for user in neighbours[1::2]:
        shop.event(user, {"a": 1})

    deaths = 0
    while workers.start(DIE_AT=MARK).wait(timeout=60) == -signal.SIGKILL:
        deaths += 1
        assert deaths <= DEADLY

    assert [(bad.bucket, bad.id, bad.reason) for bad in shop.bad_rows()] == [
        (0x42, row, f"its worker died {DEADLY} times")
    ]
    assert deaths == DEADLY
    assert [shop.total(user) for user in neighbours] == [1] * 100
    assert not Inbox.objects.exists()
    assert not AbsorbRun.objects.exists()


def test_worker_killed_once__costs_nothing(shop: Shop, workers: Workers) -> None:
    users = [somebody() for _ in range(300)]
    for user in users:
        shop.event(user, {"a": MARK})
    assert workers.start(DIE_AT=MARK).wait(timeout=60) == -signal.SIGKILL

    shop.absorb()

    assert [shop.total(user) for user in users] == [1] * 300
    assert shop.bad_rows() == []


def test_crowded_bucket_in_another_workers_hands__keeps_nobody_from_the_others(shop: Shop) -> None:
    crowd, others = in_bucket(0x42), [in_bucket(bucket) for bucket in range(0x43, 256)]
    for _ in range(SIZES[0] + 100):
        shop.event(crowd)
    for user in others:
        shop.event(user)
    stuck = connect(durable=False)
    try:
        with stuck.transaction(), stuck.cursor() as cursor:
            assert try_lock(cursor, {0x42}) == {0x42}
            for _ in range(20):
                shop.absorber.absorb()
            assert Inbox.objects.exclude(bucket=0x42).count() == 0
    finally:
        stuck.close()
    shop.absorb()
    assert shop.total(crowd) == SIZES[0] + 100
    assert {shop.total(user) for user in others} == {1}


@pytest.mark.parametrize("rows", [1, 50])
def test_stopped_worker_that_comes_back__changes_nothing_twice(shop: Shop, workers: Workers, rows: int) -> None:
    users = [somebody() for _ in range(rows)]
    for user in users:
        shop.event(user, {"a": MARK})
    worker = workers.start(STOP_AT=MARK, IDLE="400ms")
    until(lambda: stopped(worker.pid))
    assert shop.absorber.absorb() == 0  # its buckets are taken

    until(lambda: shop.absorb() > 0)  # the database gave them back
    shop.absorb()
    late = somebody()
    shop.event(late)
    worker.send_signal(signal.SIGCONT)
    report = worker.read_to_end(60).split()

    assert worker.returncode == 0
    assert report[-1] == "1"  # the late one only
    assert [shop.total(user) for user in [*users, late]] == [1] * (rows + 1)
    assert shop.bad_rows() == []
