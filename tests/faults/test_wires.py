"""The wire to the database is cut again and again, in the middle of transactions."""

import random
import time
from collections.abc import Iterator

import pytest

from activation.models import DeadLetter
from core.models import Inbox
from integrations.models import Platform
from tests.activation.conftest import ads, hasty, private_targets, stage
from tests.activation.test_deaths import IDS, adds
from tests.pipeline.conftest import shop
from tests.sandbox.conftest import running_sandbox, sandbox
from tests.support.absorbers import Workers, workers
from tests.support.database_proxy import Proxy
from tests.support.deliverers import Deliverers, deliverers
from tests.support.delivery_stage import DeliveryStage
from tests.support.edge_process import until
from tests.support.forked import Forked
from tests.support.shop import Shop, somebody
from tests.support.tables import db

__all__ = [
    "ads",
    "db",
    "deliverers",
    "hasty",
    "private_targets",
    "running_sandbox",
    "sandbox",
    "shop",
    "stage",
    "workers",
]

CUTS = 8
EVENTS = 6_000


@pytest.fixture
def wire(database_url: str) -> Iterator[Proxy]:
    with Proxy(database_url) as proxy:
        yield proxy


def cut_and_mend(wire: Proxy, chance: random.Random) -> None:
    time.sleep(chance.uniform(0.05, 0.4))
    wire.cut()
    time.sleep(0.05)
    wire.mend()


@pytest.mark.timeout(900)
def test_absorber__whose_wire_is_cut_again_and_again__absorbs_each_row_once(
    shop: Shop, workers: Workers, wire: Proxy
) -> None:
    chance = random.Random(1)
    users = [somebody() for _ in range(200)]
    for number in range(EVENTS):
        shop.event(users[number % len(users)], {"n": number}, ids=[("device:devid_g", f"g-{number % len(users)}")])

    absorber = workers.start(DATABASE_URL=wire.url)
    for _ in range(CUTS):
        cut_and_mend(wire, chance)
        if absorber.poll() is not None:
            absorber = workers.start(DATABASE_URL=wire.url)
    until(lambda: _ended(absorber) or not Inbox.objects.exists(), 120)
    shop.absorb()

    assert [shop.total(user) for user in users] == [EVENTS // len(users)] * len(users)
    assert shop.bad_rows() == []


@pytest.mark.timeout(900)
def test_deliverer__whose_wire_is_cut_again_and_again__delivers_everybody_and_repeats_a_batch_a_cut_at_most(
    stage: DeliveryStage, ads: Platform, deliverers: Deliverers, wire: Proxy, hasty: float
) -> None:
    chance = random.Random(2)
    for x in IDS:
        stage.user(x, ads)
    stage.shop.absorb()

    for _ in range(CUTS):
        deliverer = deliverers.start(ads, DATABASE_URL=wire.url)
        cut_and_mend(wire, chance)
        deliverer.wait(120)
    stage.deliver_all(ads, 60)

    assert stage.held() == IDS
    assert len(adds(stage)) <= len(IDS) * (1 + CUTS)
    assert not DeadLetter.objects.exists()


def _ended(process: Forked) -> bool:
    return process.poll() is not None
