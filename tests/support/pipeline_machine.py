"""The whole pipeline in small steps, beside a plain model (`pipeline_model`) of what must come of it.

The rules are what may happen to a hub, in any order: requests, changes by the customer, erasures and retention, the
passing of time, a few rows of work of either stage, processes that die, connections that end, platforms that refuse.
"""

from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from activation import services as activations
from activation.delivery.lanes import LANES, log_bucket
from activation.models import Activation
from audiences import services as audiences
from audiences.models import Audience
from core import buckets, clock
from core.database import connect
from core.inbox import InboxKind
from core.messages import Id, OptOutChoice, Sync, encode
from core.models import Inbox
from pipeline import deliver
from pipeline.platform_deletion import delete_platform
from pipeline.privacy import erasures, retention
from tests.support import pipeline_draws as draws
from tests.support.no_chance import take_chance_out
from tests.support.pipeline_checks import check
from tests.support.pipeline_model import DAY, HOUR, day_of
from tests.support.pipeline_world import (
    ACTIVATED,
    ADS,
    BROWSERS,
    BUCKETS,
    FREQUENT,
    KEEP_ACTIVITY_DAYS,
    KEEP_USERS_DAYS,
    KEYS,
    NAMED_BY_SPARE,
    PLACES,
    PLATFORM_IDS,
    RICH,
    SPARE,
    STEP,
    PipelineWorld,
)
from tests.support.sandbox_process import SandboxProcess
from tests.support.small_hub import few_buckets

MOST_KILLS = 3  # of each stage: a row over which more workers die is taken for their murderer


class Pipeline(PipelineWorld, RuleBasedStateMachine):
    """The rules. `sandbox`: where the platforms are; set by `run`."""

    @initialize(first=st.lists(draws.rules, min_size=2, max_size=2))
    def open(self, first: list[Any]) -> None:
        self.make(first)

    # ── what people do ───────────────────────────────────────────────────────────────────────────────

    @rule(
        browser=st.sampled_from([None, *BROWSERS]),
        ids=draws.some_ids,
        key=st.sampled_from([None, None, *KEYS]),
        amount=st.sampled_from([None, 0, 1, 2, 3, 4]),
        age=st.sampled_from([0, 0, 0, 5, 30, 100]),
        said=draws.signals,
    )
    def event(
        self, browser: str | None, ids: list[Id], key: Id | None, amount: int | None, age: int, said: dict[str, str]
    ) -> None:
        """A page view with data. Where a browser brings another of the customer's users than its own, see `log_in`.

        Whoever is named by the spare platform alone would be out of reach when that is deleted.
        """
        given = [*ids, *([key] if key and browser is None else [])]
        at = self.time + STEP * 1000 - age * HOUR
        names = self.model.acting(browser, {value for _, value in given}, at)
        if names <= {value for _, value in NAMED_BY_SPARE} or not draws.is_allowed(said):
            return
        if not self.model.joins_two_keys(names):
            self.model.event(browser, {value for _, value in given}, self.send(browser, given, amount, at))

    @rule(browser=draws.browsers, key=st.sampled_from(KEYS))
    def log_in(self, browser: str, key: Id) -> None:
        """The browser is the customer's user from now on; or it was another's, and moves."""
        home, at = self.model.person(browser), self.time + STEP * 1000
        moves = self.model.joins_two_keys({browser, key[1]})
        if moves or browser in self.model.logins:
            self.absorb_all()
            home = self.model.person(browser)
            moves = self.model.joins_two_keys({browser, key[1]})
            if browser in self.model.refused or (home and home.opted_out):
                return
        if not moves:
            self.model.log_in_at_home(browser, key[1], self.send(browser, [key], 1, at))
        elif home and home.names & self.model.keys:
            self.model.log_in_as_another(browser, key[1], self.send(browser, [key], 1, at))

    @rule(browser=draws.browsers, place=draws.synced, ttl_days=st.sampled_from([None, None, 1, 60]), said=draws.signals)
    def sync(self, browser: str, place: tuple[str, str], ttl_days: int | None, said: dict[str, str]) -> None:
        """The platform's id is this browser's from now on, whosever it was."""
        account, value = place
        if not draws.is_allowed(said):
            return
        self.tick()
        message = Sync(self.shop.customer.m, self.platforms[account].pl, browser, value, self.time, ttl_days)
        self.append(buckets.of_value(value), InboxKind.SYNC, encode(message))
        expires_at = None if ttl_days is None else self.time + ttl_days * DAY
        self.model.sync(browser, place, self.time, expires_at)

    @rule(browser=draws.browsers)
    def clear(self, browser: str) -> None:
        """The platform says that it does not know the browser any more. Whose the browser is must be settled."""
        person = self.model.person(browser)
        if browser in self.model.logins or person is None or person.open or not self.is_one(browser):
            self.absorb_all()
        self.tick()
        message = Sync(self.shop.customer.m, self.platforms[ADS].pl, browser, "", self.time)
        self.append(buckets.of_user(UUID(browser)), InboxKind.SYNC, encode(message))
        self.model.clear(browser, ADS, self.time)

    @rule(browser=draws.browsers, out=st.booleans())
    def choose(self, browser: str, out: bool) -> None:
        """Opt out, or in again."""
        if out is (browser in self.model.refused):
            return
        self.tick()
        kind = InboxKind.OPT_OUT if out else InboxKind.OPT_IN
        self.append(buckets.of_user(UUID(browser)), kind, encode(OptOutChoice(browser, self.time)))
        self.model.choose(browser, self.time, out=out, since=self.quiet_at)

    # ── what the customer does ───────────────────────────────────────────────────────────────────────

    @rule(number=st.sampled_from([FREQUENT, RICH]), drawn=draws.rules)
    def edit(self, number: int, drawn: Any) -> None:
        self.tick()
        audiences.change_rule(self.audiences[number], self.written(drawn, number))
        self.drawn[number] = drawn

    @rule(drawn=draws.rules)
    def replace_audience(self, drawn: Any) -> None:
        """The last audience, about which no other asks, is deleted with its activations, and another is made."""
        self.tick()
        audiences.begin_deletion(self.audiences[RICH])
        self.drain()
        assert not Audience.objects.filter(pk=self.audiences[RICH].pk).exists()
        self.drawn[RICH] = drawn
        self.audiences[RICH] = audiences.create_audience(
            self.shop.customer, f"again{self.number}", self.written(drawn, RICH)
        )

    @rule(which=st.sampled_from(ACTIVATED), what=st.sampled_from(["pause", "resume", "end", "resync"]))
    def change_activation(self, which: tuple[int, str], what: str) -> None:
        """Where it is ended, another is made as soon as the platform has removed everybody."""
        activation = self.activation(*which)
        if activation is None or activation.status == Activation.Status.ENDING:
            return
        self.tick()
        {
            "pause": activations.pause,
            "resume": activations.resume,
            "end": activations.deactivate,
            "resync": activations.resync,
        }[what](activation)

    @rule()
    def replace_platform(self) -> None:
        """The spare platform is deleted, whatever is under way for it, and another is made."""
        self.tick()
        delete_platform(self.platforms[SPARE])
        names = {value for _, value in NAMED_BY_SPARE}
        self.model.forget_platform(SPARE, names, is_quiet=not Inbox.objects.filter(kind__lt=40).exists())
        self.replace_spare()

    # ── privacy, and time ────────────────────────────────────────────────────────────────────────────

    @rule(name=draws.names, steps=st.integers(0, 3), busy=draws.busy_places)
    def erase(self, name: str, steps: int, busy: set[int]) -> None:
        """By our own id, by the customer's or a device's, or by a platform's: looked up as the API does."""
        user = self.user_of(name)
        if user is None:
            return
        self.tick()
        erasures.request(self.shop.customer.m, user, "a test")
        self.tick()
        self.model.erase(name if name not in PLATFORM_IDS else self.model.owners[ADS, name].name)
        for _ in range(steps):
            self.absorb(None, 3, busy)

    @rule(
        first=draws.browsers,
        second=draws.browsers,
        one=draws.devices,
        place=draws.synced,
        absorbed=st.booleans(),
        steps=st.integers(0, 3),
        busy=draws.busy_places,
    )
    def meet_and_erase(
        self,
        first: str,
        second: str,
        one: Id,
        place: tuple[str, str],
        absorbed: bool,
        steps: int,
        busy: set[int],
    ) -> None:
        """Two browsers show the same id, and so become one person, who is erased: with a sync under way."""
        for browser in (first, second):
            self.event(browser, [one], None, 1, 0, {})
        if absorbed:
            self.absorb_all()
        self.sync(second, place, None, {})
        self.erase(first, steps, busy)

    @rule(days=st.sampled_from([1, 12, 20]))
    def retain(self, days: int) -> None:
        """Nights pass, and the last one's sweep deletes what was kept long enough."""
        self.drain()
        self.time += days * DAY
        self.tick()
        self.drain()
        self.tick()
        now = clock.now()
        with connect(durable=False) as own:
            for place in {*PLACES, *map(log_bucket, range(LANES))}:
                assert retention.sweep_bucket(own, place, now)
        self.model.forget_unseen(self.time - KEEP_USERS_DAYS * DAY)
        self.model.forget_days(day_of(self.time) - KEEP_ACTIVITY_DAYS)
        self.absorb_all()  # who comes back before is not erased

    @rule(hours=st.sampled_from([1, 7, 25]))
    def let_time_pass(self, hours: int) -> None:
        self.time += hours * HOUR
        self.tick()

    # ── the stages, and what becomes of them ─────────────────────────────────────────────────────────

    @rule(place=draws.some_place, rows=st.sampled_from([1, 2, 5]), busy=draws.busy_places)
    def absorb(self, place: int | None, rows: int, busy: set[int]) -> None:
        """A few rows of one bucket, or of all, while others hold some buckets."""
        self.absorb_some(place, rows, busy)
        self.settle_if_quiet()

    @rule()
    def absorb_due(self) -> None:
        """What time alone asks for."""
        self.shop.absorber.timed.look_everywhere()
        self.shop.absorber.absorb_due()

    @rule(place=draws.some_place, at=st.integers(1, 40), busy=draws.busy_places, cut_off=st.booleans())
    def kill_absorber(self, place: int | None, at: int, busy: set[int], cut_off: bool) -> None:
        """Its process dies in the middle of a batch, or PostgreSQL ends its connection."""
        if self.kills["absorb"] == MOST_KILLS:
            return
        self.kills["absorb"] += 1
        end = self.cut_off_at if cut_off else self.killed_at
        end(self.shop.absorber._connection, at, partial(self.absorb_some, place, 5, busy))
        self.replace_absorber()
        self.settle_if_quiet()

    @rule(
        account=draws.accounts,
        lane=draws.lanes,
        at=st.integers(1, 20),
        place=draws.some_place,
        rows=st.sampled_from([0, 1, 5]),
    )
    def deliver(self, account: str, lane: int, at: int, place: int | None, rows: int) -> None:
        """One claim of a lane. Meanwhile, for instance while its request is under way, some rows are absorbed."""
        meanwhile = partial(self.absorb_some, place, rows, set()) if rows else lambda: None
        self.deliver_beside(account, lane, at, meanwhile)
        self.settle_if_quiet()

    @rule(account=draws.accounts, lane=draws.lanes, at=draws.statements, cut_off=st.booleans())
    def kill_deliverer(self, account: str, lane: int, at: int, cut_off: bool) -> None:
        """Before it has claimed, after it has sent, before it has written down what came of it."""
        if self.kills["deliver"] == MOST_KILLS:
            return
        self.kills["deliver"] += 1
        end = self.cut_off_at if cut_off else self.killed_at
        end(deliver.connections.get(), at, partial(self.deliver_once, account, lane))
        deliver.connections.drop()

    @rule(account=draws.accounts, trouble=draws.troubles, times=st.integers(1, 2))
    def trouble(self, account: str, trouble: dict[str, Any], times: int) -> None:
        """The next requests are refused, or their answers are lost."""
        self.sandbox.faults(target=f"generic/{account}", times=times, **trouble)

    @rule(account=draws.accounts, value=st.sampled_from([*PLATFORM_IDS, *BROWSERS]))
    def trouble_with_one(self, account: str, value: str) -> None:
        """A request that holds this id is refused once: half of it is accepted."""
        self.sandbox.faults(target=f"generic/{account}", times=1, status=400, userid=value)

    @rule()
    def compare(self) -> None:
        self.drain()
        check(self)

    def teardown(self) -> None:
        try:
            if hasattr(self, "model"):
                self.compare()
        finally:
            self.close()


def run(
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    *,
    examples: int,
    steps: int,
    shrink: bool = True,
    seed: int | None = None,
) -> None:
    """Run the machine on empty tables: the same examples for the same seed, whatever else the computer does."""
    take_chance_out(monkeypatch, buckets=BUCKETS)
    monkeypatch.setattr(Pipeline, "sandbox", sandbox, raising=False)
    monkeypatch.setattr(Pipeline, "_hypothesis_internal_use_seed", seed, raising=False)  # as `hypothesis.seed` does
    with few_buckets(BUCKETS):
        run_state_machine_as_test(
            Pipeline,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
                suppress_health_check=list(HealthCheck),
            ),
        )
