"""The API of a whole hub, called in every way with a key of each role, for twenty minutes: what its schema says, no
secret, nobody restarted."""

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context

import psycopg
import pytest
import requests

from core.api_keys import digest, prefix_of
from local.demo.api import Api
from local.demo.errors import ApiError
from tests.faults.fuzzed_hub import SECONDS, SEED, doors, fuzzed_hub, processes, secrets_of, tracebacks
from tests.support.api_fuzz import ApiFuzz, ApiFuzzReport
from tests.support.fuzz_world import PERSONS, RIVAL, add_platforms, configure, fill_profile
from tests.support.hub import Hub
from tests.support.planted import Planted
from tests.support.vitals import Vitals

PAUSE, PLATFORMS_EVERY = 0.5, 60
LATER = 5  # as of `nice`
WHOLE_KEY = """
UPDATE api_key SET digest = %s, revoked_at = NULL, expires_at = NULL, allowed_addresses = '{}' WHERE prefix = %s
"""
WHOLE_SHARES = "UPDATE customer SET limits = '{}' WHERE limits <> '{}'"


class Keeper(threading.Thread):
    """Mends what the calls break of their own tools: keys that they revoke or change, and shares that they make small.

    Now and then it adds what holds secrets, for they delete that too.
    """

    def __init__(self, hub: Hub, keys: dict[str, str], customer: int) -> None:
        super().__init__(daemon=True)
        self._hub, self._keys, self._customer = hub, keys, customer
        self._enough = threading.Event()

    def run(self) -> None:
        rounds = 0
        with psycopg.connect(self._hub.services.database_url, autocommit=True) as connection:
            while not self._enough.wait(PAUSE):
                for key in self._keys.values():
                    connection.execute(WHOLE_KEY, [digest(key), prefix_of(key)])
                connection.execute(WHOLE_SHARES)
                rounds += 1
                if rounds % PLATFORMS_EVERY == 0:
                    with suppress(ApiError, requests.RequestException):
                        add_platforms(self._hub.api(self._keys["admin"]), self._customer)

    def enough(self) -> None:
        self._enough.set()
        self.join(60)


def _keys(api: Api, customer: int) -> dict[str, str]:
    """By role. That of an administrator is for every customer."""
    asked = {"admin": None, "marketer": customer, "analyst": customer}
    return {role: api.post("api-keys/", name=role, role=role, customer=of)["key"] for role, of in asked.items()}


def _unseen(secrets: Planted, role: str) -> Planted:
    """What callers of a role must not see."""
    if role == "admin":
        return secrets
    others = secrets.and_also({"another customer": RIVAL})
    return others if role == "marketer" else others.and_also(PERSONS)


@pytest.mark.timeout(SECONDS + 900)
def test_api__called_in_every_way_for_long__answers_as_its_schema_says_and_shows_no_secret() -> None:
    with fuzzed_hub() as hub:
        api = hub.api()
        world = configure(api)
        fill_profile(hub, api, world)
        keys = _keys(api, world.customer)
        secrets, before, url = secrets_of(hub, *keys.values()), processes(hub), f"http://127.0.0.1:{hub.port}"
        fuzz, roles = ApiFuzz(url, SEED), (*keys, "nobody")
        keeper = Keeper(hub, keys, world.customer)
        keeper.start()
        # in processes, because hypothesis does not draw well in threads; the hub goes before them
        pool = ProcessPoolExecutor(len(roles), get_context("spawn"), os.nice, (LATER,))
        with Vitals(doors(hub)) as vitals, pool as callers:
            under_way = {
                role: callers.submit(fuzz.for_long, keys.get(role), _unseen(secrets, role), SECONDS) for role in roles
            }
            reports = {role: report.result() for role, report in under_way.items()}
        keeper.enough()
        for role, report in reports.items():
            print(f"{role}: {report.told()}")
        print(f"/healthz: {vitals.asked:,} times, {vitals.slowest:.3f} s at most")

        assert _faults(reports) == []
        assert min(report.calls.total() for report in reports.values()) > SECONDS / 2
        assert vitals.late == []
        assert secrets.and_also(PERSONS).logged(hub.home) == []
        assert tracebacks(hub) == []
        assert processes(hub) == before


def _faults(reports: dict[str, ApiFuzzReport]) -> list[str]:
    for role, report in reports.items():
        for title, said in report.faults.items():
            print(f"--- {role}: {title}\n{said}")
    return [f"{role}: {title}" for role, report in reports.items() for title in report.faults]
