"""Absorb while an edge is busy: it pauses between batches, and what waits is absorbed all the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings

from core.right_of_way import KEY
from pipeline.absorb import stage
from pipeline.sweeper import Sweeper
from tests.support.shop import Shop, somebody


@pytest.fixture
def busy_edge() -> Iterator["redis.Redis"]:
    """Redis says that an edge is busy, until the key is deleted."""
    database = redis.Redis.from_url(settings.REDIS_URL)
    database.set(KEY, 1)
    yield database
    database.delete(KEY)


def _absorb_event(shop: Shop) -> float:
    """Returns for how many seconds the worker paused."""
    before = stage.pauses_of(settings.REDIS_URL).seconds
    user = somebody()
    shop.event(user)
    stage.drain(0)
    assert shop.total(user) == 1
    return stage.pauses_of(settings.REDIS_URL).seconds - before


def test_drain__while_an_edge_is_busy__pauses_and_goes_on_without_when_it_is_not(
    shop: Shop, busy_edge: "redis.Redis"
) -> None:
    assert _absorb_event(shop) > 0
    busy_edge.delete(KEY)
    assert _absorb_event(shop) == 0


@pytest.mark.usefixtures("busy_edge")
def test_drain__redis_lost__does_not_pause(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", f"unix://{tmp_path}/nobody.sock")
    assert _absorb_event(shop) == 0


@pytest.mark.usefixtures("busy_edge")
def test_sweeper__while_an_edge_is_busy_and_nobody_absorbs__absorbs(shop: Shop) -> None:
    user = somebody()
    shop.event(user)
    Sweeper().sweep()
    assert shop.total(user) == 1
