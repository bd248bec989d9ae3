"""The sweeper does without anybody what was missed, and survives what the stages meet."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis
from django.conf import settings

from audiences import services as audiences
from audiences.models import Audience
from core.right_of_way import KEY
from core.wakeups import ABSORB, PREFIX, wakeups
from pipeline.models import Erasure
from pipeline.sweeper import Sweeper
from tests.support.edge_process import until
from tests.support.shop import Shop, now_ms, rule, somebody

LOSE_CONNECTIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'dmphub %'"


@pytest.fixture
def somebody_awake(shop: Shop) -> Iterator[None]:
    """Redis says that a worker absorbs."""
    wakeups(settings.REDIS_URL).stay_awake(ABSORB, 0)
    yield
    wakeups(settings.REDIS_URL).sleep(ABSORB, 0)


def test_rows_that_nobody_was_woken_for__are_absorbed_and_builds_finished(shop: Shop) -> None:
    user = somebody()
    shop.event(user)
    seen = audiences.create_audience(shop.customer, "seen", rule(f"pixel.{shop.pixel.id}.count", ">=", 1))
    wakeups(settings.REDIS_URL).sleep(ABSORB, 0)  # the wake-up is lost

    sweeper = Sweeper()
    until(lambda: _swept(sweeper) and Audience.objects.get(pk=seen.pk).status == Audience.Status.LIVE)

    assert shop.members(seen) == {user}


def test_redis_away__rows_are_absorbed_all_the_same(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    user = somebody()
    shop.event(user)
    monkeypatch.setattr(settings, "REDIS_URL", "unix:///nowhere/redis.sock")

    Sweeper().sweep()

    assert shop.total(user) == 1


def test_steps_fail__every_other_step_is_done_and_each_error_is_logged_once(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def fail() -> None:
        raise RuntimeError("out of order")

    def fail_too() -> None:
        raise LookupError("nothing here")

    def search(_customer: int, _texts: object) -> None:
        raise RuntimeError("cannot search")

    user = somebody()
    shop.event(user)
    shop.absorb()
    Erasure.objects.create(
        id=uuid4(),
        customer_id=1,
        id_hash=b"",
        requested_by="somebody",
        requested_at=datetime.now(UTC) - timedelta(minutes=1),
        traces={"texts": ["x"], "since": datetime.now(UTC).isoformat()},
    )
    wakeups(settings.REDIS_URL).sleep(ABSORB, 0)
    later = somebody()
    shop.event(later)
    sweeper = Sweeper([fail, lambda: done.append("minute")], [search], [fail, fail_too, lambda: done.append("second")])
    sweeper._minute_began -= 3600
    for _ in range(3):
        sweeper.sweep()

    assert shop.total(later) == 1
    assert done == ["second", "minute", "second", "second"]
    assert sum("out of order" in line for line in caplog.messages) == 1
    assert sum("cannot search" in line for line in caplog.messages) == 1


def test_worker_that_was_woken_and_does_not_come__is_stood_in_for(shop: Shop) -> None:
    user = somebody()
    shop.event(user)
    wakeups(settings.REDIS_URL).wake(ABSORB, 0)  # as an edge does all the time under traffic; nobody listens here

    Sweeper().sweep()

    assert shop.total(user) == 1


@pytest.mark.parametrize("kind", ["list", "text"])
def test_redis_that_holds_other_data__rows_are_absorbed_all_the_same(shop: Shop, kind: str) -> None:
    user = somebody()
    shop.event(user)
    with redis.Redis.from_url(settings.REDIS_URL) as other:
        for name in (f"{PREFIX}{ABSORB}:0", ABSORB, KEY):
            other.delete(name)
            other.rpush(name, "not ours") if kind == "list" else other.set(name, "not ours")
    try:
        Sweeper().sweep()
        wakeups(settings.REDIS_URL).wake(ABSORB, 0)
    finally:
        with redis.Redis.from_url(settings.REDIS_URL) as other:
            other.flushdb()

    assert shop.total(user) == 1


@pytest.mark.usefixtures("somebody_awake")
def test_connections_lost_while_workers_are_awake__windows_go_on_expiring(
    shop: Shop, database: psycopg.Connection[Any]
) -> None:
    user = somebody()
    recent = shop.audience("recent", rule(f"pixel.{shop.pixel.id}.last", "withinLast", "PT1S"))
    sweeper = Sweeper()
    sweeper.sweep()
    shop.event(user, at=now_ms())
    shop.absorb()
    assert shop.members(recent) == {user}
    database.execute(LOSE_CONNECTIONS)
    until(lambda: _swept(sweeper) and shop.members(recent) == set())


def _swept(sweeper: Sweeper) -> bool:
    """Whether a round met no trouble."""
    try:
        sweeper.sweep()
    except psycopg.Error:
        return False
    return True
