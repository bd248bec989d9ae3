"""Everything in motion at once: absorbers and deliverers in threads, and a sandbox that keeps what it receives."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

from activation.delivery.lanes import CREATION, LANES
from audiences.services import finish_builds
from core.scope import EVERYTHING
from integrations.models import Platform
from pipeline import backlog, deliver
from pipeline.absorb import stage
from tests.support.edge_process import until
from tests.support.sandbox_process import SandboxProcess
from tests.support.shop import Shop

QUIET_SECONDS = 60.0
PAUSE_SECONDS = 0.02


def sandbox_platform(shop: Shop, sandbox: SandboxProcess, account: str) -> Platform:
    """A platform that lives in the sandbox, with small requests, so that there are many."""
    row = [{"segment": "{{segment_id}}", "userid": "{{userid}}"}]
    user, password = sandbox.credentials(account)
    url = sandbox.segments_url
    return Platform.objects.create(
        customer=shop.customer,
        name=account,
        connector="http",
        settings={
            "strategy": "micro_batch",
            "batch_size": 10,
            "linger_ms": 0,
            "create": {"method": "POST", "url": url + "?title={{name}}", "segment_id": "segment_id"},
            "add": {"method": "POST", "url": url, "body": row},
            "remove": {"method": "DELETE", "url": url, "body": row},
        },
        credentials={"type": "basic", "username": user, "password": password},
    )


@contextmanager
def running(platforms: list[Platform], absorbers: int = 2) -> Iterator[None]:
    """Absorbers, and a deliverer for every lane, until the block ends. An error in one of them fails the test there."""
    over = threading.Event()
    faults: list[BaseException] = []

    def keep(doing: Callable[[], object], forget: Callable[[], None]) -> None:
        try:
            while not over.is_set():
                if not doing():
                    time.sleep(PAUSE_SECONDS)
        except BaseException as fault:
            faults.append(fault)
        finally:
            forget()
            connection.close()

    def lane_worker(platform: int, lane: int) -> Callable[[], object]:
        return lambda: deliver.work(platform, lane, lambda: not over.is_set())

    threads = [threading.Thread(target=keep, args=(stage.absorb_once, stage.absorbers.drop)) for _ in range(absorbers)]
    threads += [
        threading.Thread(target=keep, args=(lane_worker(platform.pl, lane), deliver.connections.drop))
        for platform in platforms
        for lane in (CREATION, *range(LANES))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert faults == []


def settle() -> None:
    """Wait until nothing is left to do."""
    until(_is_quiet, QUIET_SECONDS)


def _is_quiet() -> bool:
    finish_builds()
    return not any(backlog.counts(EVERYTHING).values())
