"""However requests with shared ids interleave among absorbers, the profiles are those of a sequential model."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from core.buckets import BUCKETS
from core.inbox import InboxQueue
from core.messages import Id
from core.models import Inbox
from pipeline.absorb.absorber import Absorber
from pipeline.absorb.rows import lock_waiting
from tests.support.crowd import BROWSERS, KEYS, NAMES, OTHERS, CrowdRequest, ProfileModel, differences, send
from tests.support.shop import Shop, now_ms
from tests.support.tables import empty

SIZES = (1, 3, 1000)
"""Rows that each of the absorbers takes at once: the fewer, the more they meet on their ways."""

HOUR = 3_600_000
SECONDS = 60.0  # rows that go in circles end it

ids = st.lists(st.sampled_from([*KEYS, *OTHERS]), max_size=3, unique_by=lambda one: one[0])
data = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 9), max_size=2)
requests = st.tuples(st.none() | st.sampled_from(BROWSERS), ids, data, st.integers(0, 50))


class Racers:
    """Absorbers in threads of their own, really at once, each with connections of its own."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self.trouble: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=[size], daemon=True) for size in SIZES]
        for thread in self._threads:
            thread.start()

    def _run(self, size: int) -> None:
        absorber = Absorber(lambda _: None)
        try:
            while not self._stop.is_set():
                start = random.randrange(BUCKETS)
                lock = partial(lock_waiting, start=start, limit=size, queue=InboxQueue.PROMPT, marks=absorber._marks)
                if not absorber._attempt(lock, size, InboxQueue.PROMPT):
                    self._stop.wait(0.005)  # a look costs as much as a small batch
        except BaseException as error:
            self.trouble.append(error)
        finally:
            absorber.close()
            connection.close()

    def settle(self) -> None:
        end = time.monotonic() + SECONDS
        while Inbox.objects.exists():
            assert not self.trouble, self.trouble
            assert time.monotonic() < end, list(Inbox.objects.values_list("kind", "query")[:5])
            self._stop.wait(0.001)

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@contextmanager
def racers() -> Iterator[Racers]:
    racing = Racers()
    try:
        yield racing
    finally:
        racing.close()


class RacingCrowd(RuleBasedStateMachine):
    """Requests are sent while absorbers work. What depends on the order, a login of another, waits until all is
    quiet; everything else races."""

    racing: Racers

    @initialize()
    def open_shop(self) -> None:
        empty()
        self.shop = Shop()
        self.model = ProfileModel()
        self.clock = now_ms()

    @rule(burst=st.lists(requests, min_size=1, max_size=12))
    def send(self, burst: list[tuple[UUID | None, list[Id], dict[str, int], int]]) -> None:
        """Together, so that all are on their way at once."""
        with transaction.atomic():
            for browser, ids, data, ago in burst:
                self.clock += 7
                sent = CrowdRequest(browser, tuple(ids), data, self.clock - ago * HOUR, self.clock)
                if sent.names() and not self.model.depends_on_order(sent):
                    self.model.take(sent)
                    send(self.shop, sent)

    @rule(browser=st.sampled_from(BROWSERS), key=st.sampled_from(KEYS), data=data)
    def log_in(self, browser: UUID, key: Id, data: dict[str, int]) -> None:
        """As whoever: also as somebody else than the browser's profile is."""
        self.racing.settle()
        self.clock += HOUR
        sent = CrowdRequest(browser, (key,), data, self.clock, self.clock)
        self.model.take(sent)
        send(self.shop, sent)
        self.racing.settle()

    @rule()
    def look(self) -> None:
        self.racing.settle()
        assert differences(self.shop, self.model) == []

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            self.racing.settle()
            self.shop.absorber.close()
            assert differences(self.shop, self.model) == []
            assert self.shop.bad_rows() == []


def test_requests_with_shared_ids__in_any_interleaving__end_in_the_profiles_of_the_model(db: None) -> None:
    with racers() as racing:
        RacingCrowd.racing = racing
        run_state_machine_as_test(
            RacingCrowd,
            settings=settings(
                max_examples=20,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],  # what depends on a race does not shrink
            ),
        )
