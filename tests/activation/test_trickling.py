"""A platform that sends its answers byte by byte costs the others nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings

from activation.delivery.lanes import LANES
from activation.models import Delivery
from core.wakeups import DELIVER, wakeups
from integrations.models import Platform
from pipeline.lane_slots import MOST_THREADS
from tests.support.delivery_stage import ROW, DeliveryStage
from tests.support.edge_process import ROOT, until
from tests.support.trickling import TricklingWire

THREADS = 6  # of the worker: fewer than a platform that holds each lane twice would take
SECONDS = "0.6"  # a request may take


@pytest.fixture
def worker(stage: DeliveryStage, database_url: str) -> Iterator[None]:
    """A deliver worker in a process of its own."""
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": settings.REDIS_URL,
        "DMPHUB_SECRET_KEYS": ",".join(settings.SECRET_KEYS),
        "DMPHUB_ALLOW_PRIVATE_TARGETS": "1",
        "DJANGO_SETTINGS_MODULE": "dmphub.settings",
        "HASTY": SECONDS,
    }
    command = [sys.executable, "-m", "tests.support.deliver_worker", str(THREADS)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    yield
    process.kill()
    process.wait()


def behind(wire: TricklingWire, stage: DeliveryStage) -> Platform:
    """A platform that is reached over the wire, with a segment that is there."""
    url = stage.sandbox.segments_url.replace(f":{stage.sandbox.port}", f":{wire.port}")
    return stage.platform(
        "b",
        create={"method": "POST", "url": url + "?title={{name}}"},
        add={"method": "POST", "url": url, "body": ROW},
        remove={"method": "DELETE", "url": url, "body": ROW},
    )


def test_platform_that_trickles__keeps_its_share_of_the_threads_and_holds_up_nobody(
    stage: DeliveryStage, worker: None
) -> None:
    with TricklingWire(stage.sandbox.port) as wire:
        well, trickling, audience = stage.platform(), behind(wire, stage), stage.audience()
        for platform in (well, trickling):
            stage.activation(audience, platform)
        for number in range(80):
            stage.user(f"t{number}", trickling)
        stage.shop.absorb()
        wire.slow_answers = True
        wire.forget()
        expected = set[str]()

        def goes_on() -> bool:
            """People join all the time, until the platform that trickles was asked in vain twice in each lane."""
            if wire.opened < 2 * LANES:
                stage.user(f"x{len(expected)}", well)
                expected.add(f"x{len(expected)}")
                stage.shop.absorb()
            for platform in (well, trickling):
                for lane in range(LANES):
                    wakeups(settings.REDIS_URL).wake(DELIVER, platform.pl, lane)
            assert wire.most_open <= min(LANES, MOST_THREADS)
            return wire.opened >= 2 * LANES and stage.held() == expected

        until(goes_on)
        assert not Delivery.objects.filter(platform_id=trickling.pl, acknowledged=True).exists()
