"""A process of a hub that stops without dying (SIGSTOP): the others go on, and nothing is lost or doubled."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID, uuid4

import psycopg
import pytest
import requests

from tests.support.chaos_world import (
    ChaosConfiguration,
    configure_hub,
    expected_segments,
    held_segments,
    people,
    wrong_totals,
)
from tests.support.edge_process import until
from tests.support.hub import Hub, new_hub
from tests.support.sandbox_process import SandboxProcess
from tests.support.senders import Sender

STOPPED_SECONDS = 12.0
# longer than the database waits for a transaction that stands still
PATIENCE_SECONDS = 60.0
STORED = "SELECT 1 FROM profile WHERE user_id = %s"


@contextmanager
def under_load(hub: Hub, sandbox: SandboxProcess) -> Iterator[ChaosConfiguration]:
    """One sender at work; at the end, all that it was answered must be there."""
    chance = random.Random(3)
    api = hub.api()
    configured = configure_hub(api, sandbox)
    everybody = people(40, chance)
    until(lambda: _accepts(hub, configured, uuid4()), 30)
    sender = Sender(0, configured, hub.edge_port, everybody, chance)
    sender.start()
    yield configured
    sender.enough()
    sender.join(60)
    assert sender.door.failure == ""
    until(lambda: not any(api.get("pipeline/").values()), 300)
    assert wrong_totals(hub.services.database_url, everybody, configured.pixel) == {}
    until(lambda: held_segments(sandbox) == expected_segments(everybody), 60)
    assert api.get("bad-rows/")["results"] == []


def _accepts(hub: Hub, configured: ChaosConfiguration, user: UUID) -> bool:
    query: dict[str, str] = {"m": str(configured.customer), "id": str(configured.pixel), "uuid": str(user)}
    try:
        return requests.get(f"http://127.0.0.1:{hub.edge_port}/dp", query, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _is_stored(hub: Hub, user: UUID) -> bool:
    with psycopg.connect(hub.services.database_url) as connection:
        return connection.execute(STORED, [user]).fetchone() is not None


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["absorber-1", "deliverer", "sweeper", "importer", "console", "redis"])
def test_process__that_stops_under_load__keeps_no_event_waiting_and_nothing_is_lost(name: str) -> None:
    with SandboxProcess() as sandbox, new_hub() as hub, under_load(hub, sandbox) as configured:
        pid = hub.pids()[name]
        os.kill(pid, signal.SIGSTOP)
        try:
            end = time.monotonic() + STOPPED_SECONDS
            while time.monotonic() < end:
                user = uuid4()
                until(partial(_accepts, hub, configured, user), 30)
                until(partial(_is_stored, hub, user), PATIENCE_SECONDS)
        finally:
            os.kill(pid, signal.SIGCONT)
