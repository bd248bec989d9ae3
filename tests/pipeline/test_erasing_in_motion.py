"""Erasures while everything is in motion: nothing of an erased person is left anywhere, and nobody else loses anything.

The model is sequential. Ids that were in one request are one person. An erasure takes the person as of all requests
that were accepted before it, absorbed or not. Every request carries a text of its own, so that it is known whose it is.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from core import buckets
from core.buckets import try_lock
from core.database import connect
from core.inbox import InboxKind
from core.messages import Id, Sync
from core.models import Inbox
from pipeline import counts
from pipeline.models import Erasure
from pipeline.privacy import erasures
from profiles import attribute_sampling
from profiles.models import Profile
from tests.support.shop import Shop, in_bucket, now_ms
from tests.support.shop import rule as condition
from tests.support.tables import empty

BROWSERS = [in_bucket(bucket, number) for number, bucket in enumerate((1, 2, 3, 3, 200))]
KEYS: list[Id] = [("user", "ann-4711"), ("user", "bob-4712")]
DEVICES: list[Id] = [("device:devid_g", "device-g-1"), ("device:devid_a", "device-a-2")]
PLATFORM_IDS = ["platform-id-1", "platform-id-2", "platform-id-3"]
PLACES = sorted(
    {buckets.of_user(browser) for browser in BROWSERS}
    | {buckets.of_value(value) for _, value in KEYS + DEVICES}
    | {buckets.of_value(value) for value in PLATFORM_IDS}
)


@dataclass(slots=True)
class Person:
    """The names of one person, and the texts of the requests that named any of them."""

    names: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


class People:
    """The model. `gone`: texts that must not be anywhere; `open`: requests that an erasure may have met on its way."""

    def __init__(self) -> None:
        self.people: list[Person] = []
        self.gone: set[str] = set()
        self.open: set[str] = set()
        self.owners: dict[str, str] = {}
        self.erasing: set[str] = set()

    def known(self, names: Iterable[str]) -> list[Person]:
        return [person for person in self.people if person.names & set(names)]

    def would_join_two_keys(self, names: set[str]) -> bool:
        """Which of the customer's users it counts for would depend on the order of absorption."""
        joined = names.union(*(person.names for person in self.known(names)))
        return sum(value in joined for _, value in KEYS) > 1

    def take(self, names: set[str], text: str) -> None:
        one = Person(set(names), {text})
        for person in self.known(names):
            one.names |= person.names
            one.texts |= person.texts
            self.people.remove(person)
        self.people.append(one)
        self.gone -= names
        if one.names & self.erasing:
            self.open |= {text}
            self.erasing |= one.names

    def sync(self, browser: str, platform_id: str) -> None:
        self.owners[platform_id] = browser
        self.take({browser}, f"sync of {browser}")
        self.gone -= {platform_id}

    def erase(self, name: str) -> None:
        for person in self.known([name]):
            self.people.remove(person)
            self.gone |= person.names | person.texts
            self.erasing |= person.names
            for platform_id, owner in list(self.owners.items()):
                if owner in person.names:
                    self.gone.add(platform_id)
                    del self.owners[platform_id]
        self.erasing.add(name)


class ErasingInMotion(RuleBasedStateMachine):
    """One absorber that takes a batch at a time, while other buckets are busy, so that commands overtake each other."""

    @initialize()
    def open(self) -> None:
        empty()
        self.shop = Shop()
        self.shop.absorber._starts = {False: 0, True: 0}
        self.ads = self.shop.platform()
        audience = self.shop.audience("everybody", condition(f"pixel.{self.shop.pixel.id}.count", ">=", 1))
        self.shop.activation(audience, self.ads)
        own = self.shop.platform("own ids", settings={**self.ads.settings, "id_source": "own"})
        self.shop.activation(audience, own)
        self.people = People()
        self.number = 0
        self.time = now_ms()

    @rule(
        browser=st.sampled_from([None, *BROWSERS]),
        ids=st.lists(st.sampled_from(KEYS + DEVICES), max_size=2, unique=True),
    )
    def event(self, browser: UUID | None, ids: list[Id]) -> None:
        names = {value for _, value in ids} | ({str(browser)} if browser else set())
        if not names or self.people.would_join_two_keys(names):
            return
        text = f"text-{self._next()}."
        self.shop.event(browser, {f"t{self.number}": text}, ids=ids, at=self.time, received=self.time)
        self.people.take(names, text)

    @rule(browser=st.sampled_from(BROWSERS), platform_id=st.sampled_from(PLATFORM_IDS))
    def sync(self, browser: UUID, platform_id: str) -> None:
        self._next()
        self._append_sync(browser, platform_id, buckets.of_value(platform_id))
        self.people.sync(str(browser), platform_id)

    @rule(browser=st.sampled_from(BROWSERS), busy=st.sets(st.sampled_from(PLACES)), batches=st.integers(0, 3))
    def erase(self, browser: UUID, busy: set[int], batches: int) -> None:
        while now_ms() <= self.time:
            pass  # the clock goes on: what was sent is before the erasure
        erasures.request(self.shop.customer.m, browser, "a test")
        self.time = now_ms() + 2
        self.people.erase(str(browser))
        for _ in range(batches):
            self.step(busy)

    @rule(busy=st.sets(st.sampled_from(PLACES)))
    def step(self, busy: set[int]) -> None:
        with _locked(busy):
            self.shop.absorber.absorb()
        if not Inbox.objects.exists():
            self.people.erasing.clear()

    @rule()
    def deliver(self) -> None:
        self.shop.accept_all_deliveries()

    @rule()
    def compare(self) -> None:
        """Whatever is left of them is nowhere; all others are as they were."""
        self.shop.absorb()
        self.people.erasing.clear()
        for _ in range(2):
            self.shop.accept_all_deliveries()
            erasures.carry_on()
            self.shop.absorb()
        assert counts.check() == []
        assert not Erasure.objects.filter(finished_at=None).exists()
        stored = _everything()
        assert {text for text in self.people.gone if text in stored} == set()
        kept = {text for person in self.people.people for text in person.texts if text.startswith("text")}
        profiles = str(list(Profile.objects.values_list("attributes", flat=True)))
        assert {text for text in kept - self.people.open if text not in profiles} == set()
        assert self.shop.bad_rows() == []

    def teardown(self) -> None:
        if hasattr(self, "people"):
            self.compare()
            self.shop.absorber.close()

    def _next(self) -> int:
        self.number += 1
        self.time = max(self.time + 2, now_ms())
        return self.number

    def _append_sync(self, browser: UUID, platform_id: str, bucket: int) -> None:
        message = Sync(self.shop.customer.m, self.ads.pl, str(browser), platform_id, self.time)
        at = datetime.fromtimestamp(self.time / 1000, UTC)
        self.shop.append(bucket, InboxKind.SYNC, msgspec.json.encode(message), at=at)


@contextmanager
def _locked(busy: set[int]) -> Iterator[None]:
    """Somebody else works on these buckets."""
    with connect(durable=False) as other, other.transaction(), other.cursor() as cursor:
        try_lock(cursor, busy)
        yield


def _everything() -> str:
    """The whole database as text; bytes in both ways in which they are read."""
    parts: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            parts += [row for (row,) in cursor.fetchall()]
    text = "\n".join(parts)
    for person in (*BROWSERS, *(value for _, value in KEYS + DEVICES), *PLATFORM_IDS):
        text = text.replace(str(person).encode().hex(), str(person))
    return text


@pytest.fixture
def _at_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasures, "LINGER", timedelta(0))
    monkeypatch.setattr(attribute_sampling, "FLUSH_SECONDS", 0.0)


@pytest.mark.usefixtures("_at_once")
def test_erasures__while_everything_is_in_motion__leave_nothing_and_take_nobody_else() -> None:
    run_state_machine_as_test(
        ErasingInMotion,
        settings=settings(
            max_examples=8,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
