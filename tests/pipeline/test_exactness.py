"""Whatever happens, in whatever order, with several workers: once quiet, the members of an audience are the profiles
of which its rule is true, by the predicate and by SQL.
"""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from audiences import services
from audiences.building import ELIGIBLE, TABLES
from audiences.models import Audience, Membership
from audiences.rules.evaluate import compile_rule
from audiences.rules.parse import expiring, parse
from audiences.rules.sql import to_sql
from audiences.schema import schema_of
from core import clock
from core.clock import milliseconds
from core.models import Inbox
from core.transactions import plain_cursor
from pipeline import counts
from pipeline.absorb.absorber import Absorber
from pipeline.privacy import erasures
from profiles.models import Profile
from profiles.store import load_profiles
from tests.support import drawn_rules
from tests.support.drawn_rules import Drawn, written
from tests.support.shop import Shop, in_bucket
from tests.support.tables import empty
from usersync import store as mappings

USERS = [in_bucket(bucket, number) for bucket in (1, 2) for number in range(4)]
AUDIENCES = 4
WORKERS = 2
HOUR = 3_600_000

rules = drawn_rules.rules_of(
    *(drawn_rules.amounts, drawn_rules.recency, drawn_rules.platforms, drawn_rules.halves),
    drawn_rules.frequencies([">=", "<", "="]),
    drawn_rules.audiences(range(AUDIENCES)),
    most=3,
)


class Exactness(RuleBasedStateMachine):
    """A shop with a few users and audiences; absorbers work all the time, beside whatever is done to it."""

    @initialize(first=st.lists(rules, min_size=AUDIENCES, max_size=AUDIENCES))
    def open(self, first: list[Any]) -> None:
        empty()
        clock.ahead = timedelta(0)
        self.shop = Shop()
        self.shop.attribute("amount", "number")
        self.ads = self.shop.platform()
        self.audiences: list[Audience] = []
        self.deleted: set[int] = set()
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(WORKERS)]
        for thread in self._threads:
            thread.start()
        for number, drawn in enumerate(first):
            ttl = "P2D" if number == 0 else ""
            self.audiences.append(
                services.create_audience(self.shop.customer, str(number), self._written(drawn, number), ttl=ttl)
            )

    @rule(user=st.sampled_from(USERS), amount=st.integers(0, 4), age=st.sampled_from([0, 0, 5, 30, 100]))
    def event(self, user: UUID, amount: int, age: int) -> None:
        self.shop.event(user, {"amount": amount}, at=milliseconds(clock.now()) - age * HOUR)

    @rule(user=st.sampled_from(USERS), key=st.sampled_from(["a", "b"]))
    def log_in(self, user: UUID, key: str) -> None:
        """Two browsers of one person become one profile."""
        self.shop.event(user, {"amount": 1}, ids=[("device:devid_g", key)], at=milliseconds(clock.now()))

    @rule(user=st.sampled_from(USERS), platform_id=st.sampled_from(["x", "y", ""]))
    def sync(self, user: UUID, platform_id: str) -> None:
        self.shop.sync(user, self.ads, platform_id)

    @rule(number=st.integers(0, AUDIENCES - 1), drawn=rules)
    def edit(self, number: int, drawn: Any) -> None:
        services.change_rule(self.audiences[number], self._written(drawn, number))

    @rule(user=st.sampled_from(USERS))
    def erase(self, user: UUID) -> None:
        """With all that the user was merged with; the ids may come back with the next event."""
        erasures.request(self.shop.customer.m, user, "a test")

    @rule(drawn=rules)
    def delete_and_make_anew(self, drawn: Any) -> None:
        """The last one, about which no other asks."""
        deleted = self.audiences.pop()
        self.deleted.add(deleted.pk)
        services.begin_deletion(deleted)
        services.delete_audience(deleted)
        self.audiences.append(
            services.create_audience(self.shop.customer, "another", self._written(drawn, AUDIENCES - 1))
        )

    @rule(number=st.integers(0, AUDIENCES - 1))
    def pause_and_resume(self, number: int) -> None:
        services.pause_audience(self.audiences[number])
        services.resume_audience(self.audiences[number])

    @rule(hours=st.sampled_from([1, 7, 25, 80]))
    def let_time_pass(self, hours: int) -> None:
        clock.ahead += timedelta(hours=hours)

    @rule()
    def compare(self) -> None:
        self._settle()
        now_ms = milliseconds(clock.now())
        subjects = self._subjects()
        for audience in Audience.objects.order_by("pk"):
            parsed = expiring(parse(audience.rule, schema_of(self.shop.customer.m)), audience.ttl_ms)
            predicate = compile_rule(parsed)
            members = self.shop.members(audience)
            assert members == {one.user_id for one in subjects if predicate(one, now_ms)[0]}, audience.rule
            text, values = to_sql(parsed, now_ms=now_ms, tables=TABLES)
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT p.user_id FROM profile p WHERE {ELIGIBLE} AND {text}", values)
                assert members == {user for (user,) in cursor.fetchall()}, audience.rule
            assert services.size(audience) == len(members)
        assert not Membership.objects.filter(audience_id__in=self.deleted).exists()
        assert counts.check() == []

    def teardown(self) -> None:
        if hasattr(self, "_done"):
            if len(self.audiences) == AUDIENCES:
                self.compare()
            self._done.set()
            for thread in self._threads:
                thread.join()
            self.shop.absorber.close()
        clock.ahead = timedelta(0)

    def _written(self, drawn: Drawn, number: int) -> dict[str, Any]:
        """As JSON; an audience asks only about those made before it."""
        earlier = [audience.pk for audience in self.audiences[:number]]
        return written(drawn, pixel=self.shop.pixel.id, platform=self.ads.pl, audiences=earlier)

    def _work(self) -> None:
        absorber = Absorber(lambda _: None)
        while not self._done.is_set():
            if not absorber.absorb() and not absorber.absorb_due():
                time.sleep(0.01)  # a look costs as much as a small batch
        absorber.close()
        connections.close_all()

    def _settle(self) -> None:
        end = time.monotonic() + 30
        idle = 0
        while idle < 3:
            assert time.monotonic() < end, "it does not become quiet"
            self.shop.absorber.timed.look_everywhere()
            busy = Inbox.objects.exists() or self.shop.absorber.absorb_due()
            idle = 0 if busy else idle + 1
            time.sleep(0.005)

    def _subjects(self) -> list[Any]:
        keys = {(row.customer_id, row.user_id) for row in Profile.objects.all()}
        with plain_cursor() as cursor:
            states = [state for state in load_profiles(cursor, keys).values() if state.eligible]
            known = mappings.of_users(cursor, keys)
        for state in states:
            state.audiences = {one.pk for one in self.audiences if state.user_id in self.shop.members(one)}
            state.platforms = {mapping.platform for mapping in known[state.customer, state.user_id]}
        return states


@pytest.fixture
def _still(db: None) -> Iterator[None]:
    yield
    clock.ahead = timedelta(0)


@pytest.mark.usefixtures("_still")
def test_members__after_anything__are_those_of_whom_the_rule_is_true() -> None:
    run_state_machine_as_test(
        Exactness,
        settings=settings(
            max_examples=12, stateful_step_count=16, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
