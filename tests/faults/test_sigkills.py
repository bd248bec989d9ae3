"""Any process of a hub under load is killed, hundreds of times: nothing is lost, nothing comes from nowhere."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.faults.accounts import held, other_accounts, sent_twice
from tests.faults.office import Office
from tests.support.chaos_world import ChaosPerson, configure_hub, expected_segments, people, wrong_totals
from tests.support.edge_process import until
from tests.support.hub import Hub, new_hub
from tests.support.sandbox_process import SandboxProcess
from tests.support.senders import BatchSender, Sender
from tests.support.victims import SENDERS, Victims

KILLS = int(os.environ.get("DMPHUB_CHAOS_KILLS") or 300)
# Chosen anew for each run and printed: `make test-faults SEED=…`.
SEED = int(os.environ.get("DMPHUB_CHAOS_SEED") or time.time_ns() % 1_000_000)
PEOPLE, BATCH_PEOPLE, VOICES = 240, 120, 4
PAUSES = (0.3, 3.7)  # seconds between two kills …
KILLING_SECONDS = 1_080.0  # … and fewer where a slow machine would need longer for all of them
QUIET_SECONDS = 300.0

MEMBERS = "SELECT user_id FROM membership WHERE audience_id = %s AND member"
TROUBLE = """
SELECT 'bad row: ' || reason FROM bad_row UNION ALL SELECT 'dead letter: ' || reason FROM dead_letter
UNION ALL SELECT 'activation ' || id || ': ' || status || ' ' || last_error FROM activation WHERE status <> 'live'
"""


class Siege:
    """A hub under load of which one process after another is killed; `report` compares what it was given and holds."""

    def __init__(self, hub: Hub, sandbox: SandboxProcess, chance: random.Random) -> None:
        self._hub, self._sandbox, self._chance = hub, sandbox, chance
        key = hub.new_api_key()
        self._api = hub.api(key)
        self._configured = configure_hub(self._api, sandbox, other_accounts(sandbox))
        self._office = Office(hub, key, self._configured, random.Random(chance.random()))
        everybody, by_batch = people(PEOPLE, chance), people(BATCH_PEOPLE, chance, "b")
        self._people = [*everybody, *by_batch]
        self._senders: list[Sender | BatchSender] = [
            Sender(number, self._configured, hub.edge_port, everybody[number::VOICES], random.Random(chance.random()))
            for number in range(VOICES)
        ]
        self._senders.append(
            BatchSender(self._configured, hub.edge_port, by_batch, random.Random(chance.random()), key)
        )
        self._crashes: list[float] = []
        self._victims = Victims(hub, chance)

    def run(self) -> None:
        until(self._office.edge_knows_the_configuration, 30)
        began = time.monotonic()
        for thread in (*self._senders, self._office):
            thread.start()
        for number in range(1, KILLS + 1):
            time.sleep(self._pause(number, time.monotonic() - began))
            kind = self._victims.strike()
            if kind in SENDERS:
                self._crashes.append(time.time())
            if number % 10 == 0 or number == KILLS:
                self._progress(number, time.monotonic() - began)
        self._quiet()

    def _pause(self, number: int, elapsed: float) -> float:
        fair_share = max(0.0, KILLING_SECONDS - elapsed) / (KILLS - number + 1)
        return min(self._chance.uniform(*PAUSES), max(PAUSES[0], 2 * fair_share))

    def _progress(self, kills: int, seconds: float) -> None:
        asked = sum(sender.door.requests for sender in self._senders)
        print(f"{kills}/{KILLS} kills in {seconds / 60:.1f} min, {asked:,} requests", flush=True)

    def _quiet(self) -> None:
        for thread in (*self._senders, self._office):
            thread.enough()
        for thread in (*self._senders, self._office):
            thread.join(60)
        assert [sender.door.failure for sender in self._senders if sender.door.failure] == []
        assert self._office.failure == ""
        began = time.monotonic()
        until(lambda: self._office.is_quiet(self._api), QUIET_SECONDS)
        print(f"quiet after {time.monotonic() - began:.0f} s", flush=True)

    def report(self) -> dict[str, Any]:
        """Print what was accepted and what has become of it; returns all that is wrong."""
        again = sum(one.sent_again for one in self._people)
        counted = sum(one.answered_at_once for one in self._people) + again
        print(f"killed {self._victims.killed.total()}: {_by_kind(self._victims.killed)}")
        print(f"accepted {counted:,} events ({again:,} of them sent again), {self._office.told()}")
        lost, unexpected = Counter[str](), Counter[str]()
        totals = wrong_totals(self._hub.services.database_url, self._people, self._configured.pixel)
        lost["users whose events are not those that were accepted"] = len(totals)
        for place, expected, found in self._holdings():
            lost[place] = len(expected - found)
            unexpected[place] = len(found - expected)
        unexpected.update(self._trouble())
        lost, unexpected = +lost, +unexpected
        twice = sent_twice(self._sandbox, self._crashes)
        print(f"lost {lost.total()}\nunexpected {unexpected.total()}")
        print(f"duplicates {sum(one.duplicates for one in twice.values())}, {len(self._crashes)} crashes of senders:")
        for account, one in twice.items():
            print(f"  {account}: {one.duplicates} of {one.operations:,} operations, {one.excess} too many")
        wrong = {account: one for account, one in twice.items() if one.excess > 0}
        return {"lost": dict(lost), "unexpected": dict(unexpected), "duplicates": wrong, "totals": totals}

    def _holdings(self) -> Iterator[tuple[str, set[Any], set[Any]]]:
        """Each place with what it should hold and what it holds."""
        found = held(self._sandbox, self._api, self._configured)
        expected = expected_segments(self._people, self._configured.platforms)
        for key in expected | found:
            yield f"platform {key}", expected.get(key, set()), found.get(key, set())
        with psycopg.connect(self._hub.services.database_url) as connection:
            big = {user for (user,) in connection.execute(MEMBERS, [self._configured.audiences["big"]])}
            yield "audience big", self._office.imported_members() | _survivors(connection, self._people), big
            yield "imported", self._office.imported(), self._office.stored(connection)

    def _trouble(self) -> Counter[str]:
        with psycopg.connect(self._hub.services.database_url) as connection:
            return Counter(text for (text,) in connection.execute(TROUBLE))


def _survivors(connection: psycopg.Connection[Any], everybody: list[ChaosPerson]) -> set[UUID]:
    """The profiles of those who are members of `big`."""
    rows = connection.execute("SELECT user_id FROM profile WHERE merged_into IS NULL")
    alive = {user for (user,) in rows}
    return {user for one in everybody if one.big for user in one.users if user in alive}


def _by_kind(killed: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in killed.most_common())


@contextmanager
def siege() -> Iterator[Siege]:
    print(f"\nseed {SEED}", flush=True)
    with SandboxProcess(sftp=True) as sandbox, new_hub() as hub:
        try:
            yield Siege(hub, sandbox, random.Random(SEED))
        except BaseException:
            print(hub.log.read_text(errors="replace")[-20_000:])
            raise


@pytest.mark.timeout(3600)
def test_kills_of_any_process_under_load__lose_nothing_and_send_at_most_a_batch_twice() -> None:
    with siege() as under_siege:
        under_siege.run()
        wrong = under_siege.report()
        assert wrong == {"lost": {}, "unexpected": {}, "duplicates": {}, "totals": {}}
