"""Who works in the background gives way to a busy edge, and never stops."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings

from core.right_of_way import ALLOWANCE_SECONDS, BUSY_MS, EARNED_PER_SECOND, KEY, BusySign, CpuDemand, CpuShare, Pauses
from tests.support.edge_process import until
from tests.support.processes import variables_of_hub

LOWER = 7
BATCH = 0.05  # seconds


class Timeline:
    """A clock that only the work and the pauses of one worker move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.is_busy = True
        self.pauses = Pauses(lambda: self.is_busy, clock=lambda: self.now, sleep=self._pass)

    def _pass(self, seconds: float) -> None:
        self.now += seconds

    def batches(self, seconds: float) -> int:
        """Work for so long; returns how many batches were done."""
        end, done = self.now + seconds, 0
        while self.now < end:
            self.now += BATCH
            self.pauses.after(BATCH)
            done += 1
        return done


@pytest.fixture
def sign() -> Iterator[BusySign]:
    database = redis.Redis.from_url(settings.REDIS_URL)
    database.delete(KEY)
    yield BusySign(settings.REDIS_URL)
    database.delete(KEY)


def test_pauses__edge_busy__a_tenth_of_the_work_goes_on() -> None:
    worker = Timeline()
    assert worker.batches(10) == pytest.approx(10 / BATCH / 10, abs=1)


def test_pauses__edge_not_busy__none() -> None:
    worker = Timeline()
    worker.is_busy = False
    worker.batches(10)
    assert worker.pauses.seconds == 0


def test_pauses__edge_busy_for_ever__are_a_small_share_of_the_time_in_the_end() -> None:
    worker = Timeline()
    worker.batches(20)
    before = worker.pauses.seconds
    assert before >= ALLOWANCE_SECONDS
    worker.batches(100)
    assert worker.pauses.seconds - before <= 100 * EARNED_PER_SECOND


def test_pauses__burst_ends__the_worker_goes_on_at_once() -> None:
    worker = Timeline()
    worker.pauses = Pauses(lambda: worker.now < 0.2, clock=lambda: worker.now, sleep=worker._pass)
    worker.pauses.after(10.0)
    assert worker.pauses.seconds == pytest.approx(0.2, abs=0.05)


def test_sign__shown__is_seen_until_the_edge_stops_saying_so(sign: BusySign) -> None:
    assert not sign.is_shown()
    sign.show()
    assert sign.is_shown()
    assert 0 < redis.Redis.from_url(settings.REDIS_URL).pttl(KEY) <= BUSY_MS
    until(lambda: not sign.is_shown())


def test_sign__redis_lost__nobody_is_busy(tmp_path: Path) -> None:
    lost = BusySign(f"unix://{tmp_path}/nobody.sock")
    lost.show()
    assert not lost.is_shown()


def test_cpu_demand__of_a_busy_and_an_idle_thread__tells_them_apart() -> None:
    program = (
        "import time; from core.right_of_way import CpuDemand; demand = CpuDemand(); end = time.monotonic() + 0.3\n"
        "while time.monotonic() < end: pass\n"
        "print(demand.measure().wanted); time.sleep(0.3); print(demand.measure().wanted)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    busy, idle = map(float, said.split())
    assert busy > 0.9
    assert idle < busy
    assert CpuDemand().measure().ran >= 0


@pytest.mark.parametrize(
    ("ran", "wanted", "is_busy"),
    [(0.7, 0.75, True), (0.45, 0.95, True), (0.5, 0.55, False), (0.2, 0.9, False), (0.1, 0.1, False)],
)
def test_cpu_share__of_an_edge__says_whether_it_is_busy(ran: float, wanted: float, is_busy: bool) -> None:
    assert CpuShare(ran, wanted).is_busy is is_busy


def test_backend__of_a_process_with_lower_priority__has_it_as_well(database_url: str) -> None:
    program = (
        "import os, django; django.setup(); from core.database import connect; connection = connect(durable=False)\n"
        "print(os.getpriority(os.PRIO_PROCESS, connection.info.backend_pid))"
    )
    command = [sys.executable, "-c", program]
    environment = variables_of_hub(database_url)

    def priority(*before: str) -> int:
        done = subprocess.run([*before, *command], env=environment, capture_output=True, text=True, check=True)
        return int(done.stdout)

    usual = os.getpriority(os.PRIO_PROCESS, 0)
    assert priority("nice", "-n", str(LOWER)) == usual + LOWER
    assert priority() == usual
