"""Whatever is killed: what was answered is absorbed once, and platforms hold exactly the members."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import requests
from redis import Redis
from redis.exceptions import RedisError

from local.demo.api import Api
from tests.support.chaos_world import ChaosPerson, configure_hub, expected_segments, held_segments, people, wrong_totals
from tests.support.edge_process import until
from tests.support.hub import Hub, new_hub
from tests.support.sandbox_process import SandboxProcess
from tests.support.senders import Sender

ROUNDS = 20
FLUSH = "FLUSHALL"
TARGETS = ("edge-1", "absorber-1", "deliverer", "sweeper", "postgres", "redis", FLUSH)
PEOPLE, SENDERS = 120, 4
QUIET_SECONDS = 90.0
# Chosen anew for each run, printed when it fails: `DMPHUB_CHAOS_SEED=… pytest tests/chaos`.
SEED = int(os.environ.get("DMPHUB_CHAOS_SEED") or time.time_ns() % 1_000_000)


class Trial:
    """A hub under load; `settle` ends the load and compares."""

    def __init__(self, hub: Hub, sandbox: SandboxProcess, chance: random.Random) -> None:
        self.hub, self.chance = hub, chance
        self._sandbox = sandbox
        self._api = hub.api()
        self._configured = configure_hub(self._api, sandbox)
        everybody = people(PEOPLE, chance)
        self._people = everybody
        self._senders = [self._sender(number, everybody[number::SENDERS]) for number in range(SENDERS)]
        until(self._edge_knows_the_configuration)
        for sender in self._senders:
            sender.start()

    def _sender(self, number: int, theirs: list[ChaosPerson]) -> Sender:
        return Sender(number, self._configured, self.hub.edge_port, theirs, random.Random(self.chance.random()))

    def _edge_knows_the_configuration(self) -> bool:
        query: dict[str, Any] = {
            "pl": self._configured.platforms["south"],
            "userid": "0",
            "plsec": self._configured.secrets["south"],
        }
        answer = requests.get(f"http://127.0.0.1:{self.hub.edge_port}/uid", query, timeout=5)
        return answer.headers["X-DMP-Status"] == "no-id"

    def settle(self) -> None:
        for sender in self._senders:
            sender.enough()
        for sender in self._senders:
            sender.join(30)
        assert [sender.door.failure for sender in self._senders if sender.door.failure] == []
        until(lambda: all_quiet(self._api), QUIET_SECONDS)
        asked = sum(sender.door.requests for sender in self._senders)
        again = sum(one.sent_again for one in self._people)
        print(f"{asked} requests, {again} events sent again")
        assert wrong_totals(self.hub.services.database_url, self._people, self._configured.pixel) == {}
        assert held_segments(self._sandbox) == expected_segments(self._people)
        assert self._api.get("bad-rows/")["results"] == []


def all_quiet(api: Api) -> bool:
    """Nothing to do, and still nothing a moment later."""
    for _ in range(3):
        with suppress(requests.RequestException):
            if any(api.get("pipeline/").values()):
                return False
            time.sleep(0.1)
    return True


@contextmanager
def trial() -> Iterator[Trial]:
    print(f"seed {SEED}")
    with SandboxProcess() as sandbox, new_hub() as hub:
        try:
            yield Trial(hub, sandbox, random.Random(SEED))
        except BaseException:
            print(hub.log.read_text(errors="replace")[-20_000:])
            raise


def strike(hub: Hub, target: str) -> None:
    if target == FLUSH:
        with suppress(RedisError), Redis.from_url(hub.services.redis_url, socket_timeout=1) as client:
            client.flushall()
    else:
        until(lambda: hub.kill(target))


@pytest.mark.timeout(300)
def test_twenty_kills_under_load__lose_nothing_and_count_nothing_twice() -> None:
    with trial() as under_load:
        chance = under_load.chance
        targets = [TARGETS[number % len(TARGETS)] for number in range(ROUNDS)]
        chance.shuffle(targets)
        for target in targets:
            time.sleep(chance.uniform(0.2, 1.5))
            strike(under_load.hub, target)
        time.sleep(chance.uniform(0.2, 1.0))
        under_load.settle()


@pytest.mark.timeout(300)
def test_supervisor_killed_and_started_anew__loses_nothing() -> None:
    with trial() as under_load:
        for _ in range(2):
            time.sleep(under_load.chance.uniform(0.5, 2.0))
            under_load.hub.kill_supervisor()
            under_load.hub.start()
        time.sleep(1.0)
        under_load.settle()
