"""The whole pipeline in small steps, beside a plain model (`pipeline_model`) of what must come of it.

One thread does everything: it absorbs and delivers a few rows at a time, has one stage work in the middle of another,
and kills either at a chosen statement. So every run of an example is the same, however busy the machine is. The hub's
clock is set by the machine (`core.clock.ahead`); leases, which go by the database's clock, end when it says so.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from activation import dead_letters
from activation import services as activations
from activation.delivery.lanes import CREATION, LANES, lane_of, log_bucket
from activation.models import Activation, DeadLetter
from api.idempotency import forget_answers_with
from audiences import services as audiences
from audiences.models import Audience, AudienceBucket, Membership
from core import buckets, clock
from core.buckets import BUCKETS, try_lock
from core.clock import milliseconds, moment
from core.database import connect
from core.inbox import InboxKind
from core.messages import Id, OptOutChoice, Sync, encode
from core.models import Customer, Inbox
from integrations.models import Platform
from pipeline import backlog, deliver
from pipeline.absorb import absorber, bulk
from pipeline.absorb.absorber import Absorber
from pipeline.models import Erasure
from pipeline.privacy import erasures, retention
from pipeline.sweeper import finish_deletions
from profiles import attribute_sampling
from profiles.models import Identity, OptOut, Profile
from tests.support.interleaving import Killed, at_statement, die, locked
from tests.support.pipeline_model import DAY, HOUR, Found, Happening, Model, Person
from tests.support.sandbox_process import SandboxProcess
from tests.support.shop import Shop, in_bucket
from tests.support.tables import empty
from tests.support.traces import traces
from usersync.models import UserMapping

START = datetime(2031, 6, 17, 12, tzinfo=UTC)
STEP = 61
WAIT = 601  # longer than any wait for a platform
ROUNDS = 40  # of absorbing and delivering, until all is quiet
MOST_KILLS = 3  # of each stage: a row over which more workers die is taken for their murderer

BROWSERS = [str(in_bucket(bucket, number)) for number, bucket in enumerate((1, 2, 3, 3, 200))]
KEYS: list[Id] = [("user", "ann-4711"), ("user", "bob-4712")]
OTHERS: list[Id] = [("device:devid_g", "device-g-1"), ("device:devid_a", "device-a-2")]
PLATFORM_IDS = ["platform-id-1", "platform-id-2", "platform-id-3"]
KINDS = {value: kind for kind, value in KEYS + OTHERS}
PLACES = sorted(
    {buckets.of_user(UUID(browser)) for browser in BROWSERS}
    | {buckets.of_value(value) for value in [*KINDS, *PLATFORM_IDS, *BROWSERS]}
)
WHERE = sorted({lane_of(place) for place in PLACES})
KEEP_USERS_DAYS, KEEP_ACTIVITY_DAYS = 30, 5
ADS, OWN = "ads", "own"
EVERYBODY, FREQUENT, RICH = range(3)
ACTIVATED = [(EVERYBODY, ADS), (FREQUENT, ADS), (EVERYBODY, OWN)]

conditions = st.one_of(
    st.tuples(st.just("attribute.amount"), st.sampled_from(["<", ">=", "!="]), st.integers(0, 4)),
    st.tuples(
        st.just("pixel.last"), st.sampled_from(["withinLast", "notWithinLast"]), st.sampled_from(["PT6H", "P1D", "P3D"])
    ),
    st.tuples(st.just("pixel.count"), st.sampled_from([">=", "<"]), st.integers(1, 3), st.sampled_from([1, 2, 7])),
    st.tuples(st.just("audience"), st.sampled_from(["in", "notIn"]), st.sampled_from([EVERYBODY, FREQUENT])),
    st.tuples(st.just("platform"), st.sampled_from(["in", "notIn"]), st.just(ADS)),
)
rules = st.tuples(st.sampled_from(["and", "or"]), st.booleans(), st.lists(conditions, min_size=1, max_size=2))
browsers, keys = st.sampled_from(BROWSERS), st.sampled_from([value for _, value in KEYS])
busy_places = st.sets(st.sampled_from(PLACES), max_size=3)
troubles = st.sampled_from(
    [
        {"status": 429, "retry_after": 3},
        {"status": 500},
        {"status": 500, "applied": True},
        {"status": 404},
        {"status": 400},
        {"drop": True},
        {"drop": True, "applied": True},
    ]
)


class Pipeline(RuleBasedStateMachine):
    """`sandbox`: where the platforms are; a subclass sets it."""

    sandbox: SandboxProcess

    @initialize(first=st.lists(rules, min_size=2, max_size=2))
    def open(self, first: list[Any]) -> None:
        empty()
        self.sandbox.reset()
        random.seed(0)  # where absorbers begin
        self.time, self.number = milliseconds(START), 0
        self.kills = {"absorb": 0, "deliver": 0}
        self.tick()
        self.quiet_at = self.time
        self.model = Model(value for _, value in KEYS)
        self.shop = Shop()
        self._replace_absorber()
        Customer.objects.update(keep_users_days=KEEP_USERS_DAYS, keep_activity_days=KEEP_ACTIVITY_DAYS)
        self.shop.attribute("amount", "number")
        self.platforms = {account: self._make_platform(account) for account in (ADS, OWN)}
        self.audiences: list[Audience] = []
        self.drawn: list[Any] = []
        for drawn in [("and", False, [("pixel.count", ">=", 1)]), *first]:
            self.drawn.append(drawn)
            written = self._written(drawn, len(self.audiences))
            made = audiences.create_audience(self.shop.customer, f"a{len(self.audiences)}", written)
            self.audiences.append(made)
        for number, account in ACTIVATED:
            self._activate(number, account)
        self.drain()

    # ── what people do ───────────────────────────────────────────────────────────────────────────────

    @rule(
        browser=st.sampled_from([None, *BROWSERS]),
        ids=st.lists(st.sampled_from(OTHERS), max_size=2, unique=True),
        key=st.sampled_from([None, None, *KEYS]),
        amount=st.sampled_from([None, 0, 1, 2, 3, 4]),
        age=st.sampled_from([0, 0, 0, 5, 30, 100]),
    )
    def event(self, browser: str | None, ids: list[Id], key: Id | None, amount: int | None, age: int) -> None:
        """A page view with data. Where a browser brings another of the customer's users than its own, see `log_in`."""
        given = [*ids, *([key] if key and browser is None else [])]
        at = self.time + STEP * 1000 - age * HOUR
        names = self.model.acting(browser, {value for _, value in given}, at)
        if names and not self.model.joins_two_keys(names):
            self.model.event(browser, {value for _, value in given}, self._send(browser, given, amount, at))

    @rule(browser=browsers, key=st.sampled_from(KEYS))
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
            self.model.log_in_at_home(browser, key[1], self._send(browser, [key], 1, at))
        elif home and home.names & self.model.keys:
            self.model.log_in_as_another(browser, key[1], self._send(browser, [key], 1, at))

    @rule(browser=browsers, value=st.sampled_from(PLATFORM_IDS), ttl_days=st.sampled_from([None, None, 1, 60]))
    def sync(self, browser: str, value: str, ttl_days: int | None) -> None:
        """The platform's id is this browser's from now on, whosever it was."""
        self.tick()
        message = Sync(self.shop.customer.m, self.platforms[ADS].pl, browser, value, self.time, ttl_days)
        self._append(buckets.of_value(value), InboxKind.SYNC, encode(message))
        expires_at = None if ttl_days is None else self.time + ttl_days * DAY
        self.model.sync(browser, (ADS, value), self.time, expires_at)

    @rule(browser=browsers)
    def clear(self, browser: str) -> None:
        """The platform says that it does not know the browser any more."""
        self.absorb_all()
        self.tick()
        message = Sync(self.shop.customer.m, self.platforms[ADS].pl, browser, "", self.time)
        self._append(buckets.of_user(UUID(browser)), InboxKind.SYNC, encode(message))
        self.model.clear(browser, ADS, self.time)
        self.absorb_all()

    @rule(browser=browsers, out=st.booleans())
    def choose(self, browser: str, out: bool) -> None:
        """Opt out, or in again."""
        if out is (browser in self.model.refused):
            return
        self.tick()
        kind = InboxKind.OPT_OUT if out else InboxKind.OPT_IN
        self._append(buckets.of_user(UUID(browser)), kind, encode(OptOutChoice(browser, self.time)))
        self.model.choose(browser, self.time, out=out, since=self.quiet_at)

    # ── what the customer does ───────────────────────────────────────────────────────────────────────

    @rule(number=st.sampled_from([FREQUENT, RICH]), drawn=rules)
    def edit(self, number: int, drawn: Any) -> None:
        self.tick()
        audiences.change_rule(self.audiences[number], self._written(drawn, number))
        self.drawn[number] = drawn

    @rule(drawn=rules)
    def replace_audience(self, drawn: Any) -> None:
        """The last audience, about which no other asks, is deleted with its activations, and another is made."""
        self.tick()
        audiences.begin_deletion(self.audiences[RICH])
        self.drain()
        assert not Audience.objects.filter(pk=self.audiences[RICH].pk).exists()
        self.drawn[RICH] = drawn
        self.audiences[RICH] = audiences.create_audience(
            self.shop.customer, f"again{self.number}", self._written(drawn, RICH)
        )

    @rule(which=st.sampled_from(ACTIVATED), what=st.sampled_from(["pause", "resume", "end", "resync"]))
    def change_activation(self, which: tuple[int, str], what: str) -> None:
        """Where it is ended, another is made as soon as the platform has removed everybody."""
        activation = self._activation(*which)
        if activation is None or activation.status == Activation.Status.ENDING:
            return
        self.tick()
        {
            "pause": activations.pause,
            "resume": activations.resume,
            "end": activations.deactivate,
            "resync": activations.resync,
        }[what](activation)

    # ── privacy, and time ────────────────────────────────────────────────────────────────────────────

    @rule(name=st.sampled_from([*BROWSERS, *KINDS, *PLATFORM_IDS]), steps=st.integers(0, 3), busy=busy_places)
    def erase(self, name: str, steps: int, busy: set[int]) -> None:
        """By our own id, by the customer's or a device's, or by a platform's: looked up as the API does."""
        user = self._user_of(name)
        if user is None:
            return
        self.tick()
        erasures.request(self.shop.customer.m, user, "a test")
        self.tick()
        self.model.erase(name if name not in PLATFORM_IDS else self.model.owners[ADS, name].name)
        for _ in range(steps):
            self.absorb(None, 3, busy)

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
        self.model.forget_days(self.time // DAY - KEEP_ACTIVITY_DAYS)

    @rule(hours=st.sampled_from([1, 7, 25]))
    def let_time_pass(self, hours: int) -> None:
        self.time += hours * HOUR
        self.tick()

    # ── the stages, and what becomes of them ─────────────────────────────────────────────────────────

    @rule(place=st.sampled_from([None, *PLACES]), rows=st.sampled_from([1, 2, 5]), busy=busy_places)
    def absorb(self, place: int | None, rows: int, busy: set[int]) -> None:
        """A few rows of one bucket, or of all, while others hold some buckets."""
        self._absorb_some(place, rows, busy)
        self._settle_if_quiet()

    @rule()
    def absorb_due(self) -> None:
        """What time alone asks for."""
        self.shop.absorber.timed.look_everywhere()
        self.shop.absorber.absorb_due()

    @rule(place=st.sampled_from([None, *PLACES]), at=st.integers(1, 40), busy=busy_places)
    def kill_absorber(self, place: int | None, at: int, busy: set[int]) -> None:
        """In the middle of a batch; or, if it is done before, after its commit."""
        if self.kills["absorb"] == MOST_KILLS:
            return
        self.kills["absorb"] += 1
        with suppress(Killed), at_statement(self.shop.absorber._connection, at, die):
            self._absorb_some(place, 5, busy)
        self._replace_absorber()
        self._settle_if_quiet()

    @rule(
        account=st.sampled_from([ADS, OWN]),
        lane=st.sampled_from([CREATION, *WHERE]),
        at=st.integers(1, 20),
        place=st.sampled_from([None, *PLACES]),
        rows=st.sampled_from([0, 1, 5]),
    )
    def deliver(self, account: str, lane: int, at: int, place: int | None, rows: int) -> None:
        """One claim of a lane. Meanwhile, for instance while its request is under way, some rows are absorbed."""
        meanwhile = partial(self._absorb_some, place, rows, set()) if rows else lambda: None
        with at_statement(deliver.connections.get(), at, meanwhile, between=True):
            deliver.work(self.platforms[account].pl, lane, _once())
        self._settle_if_quiet()

    @rule(account=st.sampled_from([ADS, OWN]), lane=st.sampled_from([CREATION, *WHERE]), at=st.integers(1, 20))
    def kill_deliverer(self, account: str, lane: int, at: int) -> None:
        """Before it has claimed, after it has sent, before it has written down what came of it."""
        if self.kills["deliver"] == MOST_KILLS:
            return
        self.kills["deliver"] += 1
        with suppress(Killed), at_statement(deliver.connections.get(), at, die):
            deliver.work(self.platforms[account].pl, lane, _once())
        deliver.connections.drop()

    @rule(account=st.sampled_from([ADS, OWN]), trouble=troubles, times=st.integers(1, 2))
    def trouble(self, account: str, trouble: dict[str, Any], times: int) -> None:
        """The next requests are refused, or their answers are lost."""
        self.sandbox.faults(target=f"generic/{account}", times=times, **trouble)

    @rule(account=st.sampled_from([ADS, OWN]), value=st.sampled_from([*PLATFORM_IDS, *BROWSERS]))
    def trouble_with_one(self, account: str, value: str) -> None:
        """A request that holds this id is refused once: half of it is accepted."""
        self.sandbox.faults(target=f"generic/{account}", times=1, status=400, userid=value)

    # ── what must be so ──────────────────────────────────────────────────────────────────────────────

    @rule()
    def compare(self) -> None:
        self.drain()
        self._compare_people()
        self._compare_audiences()
        self._compare_platforms()
        assert not Erasure.objects.filter(finished_at=None).exists()
        gone = self.model.gone - self._remembered()
        assert traces(gone) == set()
        assert self.shop.bad_rows() == []

    def teardown(self) -> None:
        try:
            if hasattr(self, "model"):
                self.compare()
        finally:
            if hasattr(self, "shop"):
                self.shop.absorber.close()
            clock.ahead = timedelta(0)

    def _compare_people(self) -> None:
        """Each person is one profile that holds exactly what was sent for them, and there are no others."""
        seen: set[UUID] = set()
        for person in self.model.people:
            users = {self._find(name) for name in person.names}
            assert len(users) == 1, f"{person} is {users}"
            (user,) = users
            assert user is not None, f"lost: {person}"
            assert user not in seen, f"{person} is one with another"
            seen.add(user)
            profile = self.shop.profile(user)
            assert profile.opted_out is person.opted_out, person
            assert _texts(profile) == {event.text for event in person.events}, person
            assert profile.attributes.get("amount") == person.amount, person
            counted = profile.activity.get(str(self.shop.pixel.id), {"total": 0})
            assert counted["total"] == person.total, person
            assert counted.get("last") == person.last, person
        assert {row.user_id for row in Profile.objects.filter(merged_into=None)} == seen

    def _members(self, number: int) -> list[Person]:
        within = {audience.pk: other for other, audience in enumerate(self.audiences)}
        rule_ = self._written(self.drawn[number], number)
        return self.model.members(rule_, milliseconds(clock.now()), lambda pk: self._members(within[pk]))

    def _member_ids(self, number: int) -> set[UUID]:
        found = {self._find(next(iter(person.names))) for person in self._members(number)}
        return {user for user in found if user is not None}

    def _compare_audiences(self) -> None:
        for number, audience in enumerate(self.audiences):
            expected = self._member_ids(number)
            assert self.shop.members(audience) == expected, self.drawn[number]
            assert audiences.size(audience) == len(expected), self.drawn[number]
        known = [audience.pk for audience in self.audiences]
        assert not Membership.objects.exclude(audience_id__in=known).exists()
        assert not AudienceBucket.objects.exclude(audience_id__in=known).exists()

    def _compare_platforms(self) -> None:
        """Each platform holds the ids of members; where it knows them by ours, those that the match table names."""
        now = milliseconds(clock.now())
        for account in (ADS, OWN):
            held = self.sandbox.held("generic", account)["segments"]
            live = set()
            for number in (number for number, where in ACTIVATED if where == account):
                activation = self._activation(number, account)
                assert activation is not None
                live.add(str(activation.segment_id))
                members = self._members(number)
                if account == ADS:
                    expected = {value for value, one in self.model.owned(ADS, now).items() if _among(one, members)}
                else:
                    expected = self._own_ids(number)
                assert set(held[str(activation.segment_id)]["members"]) == expected, (account, number)
            left = {one: segment["members"] for one, segment in held.items() if one not in live and segment["members"]}
            assert left == {}, "an activation that ended has left somebody"

    def _own_ids(self, number: int) -> set[str]:
        """Our ids of the members: each one's own, and those that were theirs before they were merged."""
        members = self._member_ids(number)
        rows = UserMapping.objects.filter(platform_id=self.platforms[OWN].pl, user_id__in=members)
        ids = set(rows.values_list("platform_user_id", flat=True))
        assert {str(user) for user in members} <= ids
        known = {name for person in self._members(number) for name in person.names}
        assert ids & set(BROWSERS) <= known, "an id of somebody else"
        return ids

    def _remembered(self) -> set[str]:
        """Browsers that opted out stay opted out, though nothing else is known of them."""
        return {str(user) for user in OptOut.objects.values_list("user_id", flat=True)}

    # ── until all is quiet ───────────────────────────────────────────────────────────────────────────

    def drain(self, *, again: bool = True) -> None:
        """Everything works, until nothing is left to do. `again`: activations that ended are made anew."""
        self.sandbox.faults(clear=True)
        for account, number in [(account, number) for number, account in ACTIVATED]:
            activation = self._activation(number, account)
            if activation is not None and activation.status in (Activation.Status.PAUSED, Activation.Status.BROKEN):
                activations.resume(activation)
        for _ in range(ROUNDS):
            self.tick(WAIT)
            self.absorb_all()
            self._deliver_all()
            dead_letters.replay(DeadLetter.objects.all())
            erasures.carry_on([forget_answers_with])
            finish_deletions()
            audiences.finish_builds()
            if again:
                self._activate_again()
            if not any(backlog.counts().values()) and not Erasure.objects.filter(finished_at=None).exists():
                break
        else:
            raise AssertionError(f"it does not become quiet: {backlog.counts()}")
        erasures.carry_on([forget_answers_with])  # ids of users that nobody asked to erase

    def absorb_all(self) -> None:
        """All that waits, and all that time asks for."""
        absorber = self.shop.absorber
        absorber.timed.look_everywhere()
        while absorber.absorb() or absorber.absorb_due():
            pass
        self._settle_if_quiet()

    def _deliver_all(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE lane SET leased_until = NULL")  # as if the time of all leases were over
        for platform in self.platforms.values():
            for lane in (CREATION, *range(LANES)):
                deliver.work(platform.pl, lane, lambda: True)

    def _settle_if_quiet(self) -> None:
        if Inbox.objects.exists():
            return
        self.quiet_at = self.time
        self.model.settle(self._find, self._read)

    # ── helpers ──────────────────────────────────────────────────────────────────────────────────────

    def tick(self, seconds: int = STEP) -> None:
        """Time goes on; nothing that really takes time comes near to a step."""
        self.time += seconds * 1000
        clock.ahead = moment(self.time) - datetime.now(UTC)

    def _append(self, bucket: int, kind: InboxKind, query: bytes) -> None:
        self.shop.append(bucket, kind, query, at=moment(self.time))

    def _send(self, browser: str | None, ids: list[Id], amount: int | None, at: int) -> Happening:
        self.tick()
        self.number += 1
        text = f"text-{self.number}."
        data: dict[str, Any] = {f"t{self.number}": text} | ({} if amount is None else {"amount": amount})
        user = None if browser is None else UUID(browser)
        self.shop.event(user, data, ids=ids, at=at, received=self.time)
        return Happening(text, at, self.time, amount)

    def _absorb_some(self, place: int | None, rows: int, busy: set[int]) -> None:
        absorber = self.shop.absorber
        with locked(busy - {place}):
            if place is None:
                absorber.absorb()
            else:
                absorber._attempt(lambda cursor: try_lock(cursor, {place}), rows, bulk=False)

    def _replace_absorber(self) -> None:
        self.shop.absorber.close()
        self.shop.absorber = Absorber(lambda touched: None)

    def _make_platform(self, account: str) -> Platform:
        url, row = self.sandbox.segments_url, [{"segment": "{{segment_id}}", "userid": "{{userid}}"}]
        user, password = self.sandbox.credentials(account)
        settings = {
            "batch_size": 10,
            "linger_ms": 0,
            "id_source": "own" if account == OWN else "mapping",
            "create": {"method": "POST", "url": url + "?title={{name}}"},
            "add": {"method": "POST", "url": url, "body": row},
            "remove": {"method": "DELETE", "url": url, "body": row},
        }
        credentials = {"type": "basic", "username": user, "password": password}
        return self.shop.platform(account, settings=settings, credentials=credentials)

    def _activation(self, number: int, account: str) -> Activation | None:
        found = Activation.objects.filter(audience=self.audiences[number], platform=self.platforms[account])
        return found.first()

    def _activate(self, number: int, account: str) -> None:
        activations.activate(self.audiences[number], self.platforms[account], {})

    def _activate_again(self) -> None:
        for number, account in ACTIVATED:
            if self._activation(number, account) is None and self.audiences[number].status != "deleting":
                self._activate(number, account)

    def _user_of(self, name: str) -> UUID | None:
        """The user whom an erasure by this name is about. Ids are looked up, so they must have been absorbed."""
        person = self.model.person(name)
        if person is not None and person.open:
            self.absorb_all()
        if name in BROWSERS:
            return UUID(name)
        self.absorb_all()
        if name in PLATFORM_IDS and (ADS, name) not in self.model.owners:
            return None
        kind = KINDS.get(name, f"platform:{self.platforms[ADS].pl}")
        row = Identity.objects.filter(kind=kind, value=name).first()
        return None if row is None else row.user_id

    def _find(self, name: str) -> UUID | None:
        """The profile to which a name leads."""
        user: UUID | None = UUID(name) if name in BROWSERS else None
        if user is None:
            row = Identity.objects.filter(kind=KINDS[name], value=name).first()
            user = None if row is None else row.user_id
        while user is not None:
            profile = Profile.objects.filter(bucket=buckets.of_user(user), user_id=user).first()
            if profile is None or profile.merged_into is None:
                return None if profile is None else user
            user = profile.merged_into
        return None

    def _read(self, user: UUID) -> Found:
        profile = self.shop.profile(user)
        return Found(frozenset(_texts(profile)), profile.opted_out)

    def _written(self, drawn: Any, number: int) -> dict[str, Any]:
        """The rule as JSON; an audience asks only about those made before it."""
        combinator, negated, parts = drawn
        written = [one for part in parts if (one := self._condition(part, number))]
        spare = {"field": "attribute.amount", "operator": ">=", "value": 2}
        return {"combinator": combinator, "not": negated, "rules": written or [spare]}

    def _condition(self, part: tuple[Any, ...], number: int) -> dict[str, Any] | None:
        name, operator, value, *days = part
        if name == "audience":
            if value >= number:
                return None
            value = self.audiences[value].pk
        if name == "platform":
            value = self.platforms[ADS].pl
        more = {"days": days[0]} if days else {}
        return {
            "field": name.replace("pixel", f"pixel.{self.shop.pixel.id}"),
            "operator": operator,
            "value": value,
        } | more


def _texts(profile: Profile) -> set[str]:
    return {value for key, value in profile.attributes.items() if key != "amount"}


def _among(one: Person, people: list[Person]) -> bool:
    return any(one is other for other in people)


def _once() -> Callable[[], bool]:
    """True the first time only: one claim of each operation."""
    asked = iter([True])
    return lambda: next(asked, False)


def run(sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, *, examples: int, steps: int) -> None:
    """Run the machine on empty tables: the same examples each time, whatever the machine is busy with."""
    monkeypatch.setattr(erasures, "LINGER", timedelta(0))
    monkeypatch.setattr(attribute_sampling, "FLUSH_SECONDS", 0.0)
    # bulk work is done at once, not for as long as a time allows
    monkeypatch.setattr(absorber, "BULK_BUCKETS", BUCKETS)
    monkeypatch.setattr(bulk, "SECONDS", 3_600.0)
    monkeypatch.setattr(bulk, "BUDGET", 1_000_000)
    monkeypatch.setattr(Pipeline, "sandbox", sandbox, raising=False)
    run_state_machine_as_test(
        Pipeline,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
