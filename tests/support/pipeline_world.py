"""A hub that a state machine moves in small steps (`pipeline_machine`): what there is, and how it becomes quiet.

One thread does everything: it absorbs and delivers a few rows at a time, has one stage work in the middle of another,
and kills either at a chosen statement. So every run of an example is the same, however busy the machine is. The hub's
clock is set here (`core.clock.ahead`); leases, which go by the database's clock, end when the world says so.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection
from django.db.models import Q

from activation import dead_letters
from activation import services as activations
from activation.delivery.lanes import CREATION, LANES, lane_of
from activation.models import Activation, DeadLetter, Delivery
from activation.stores import due_marks
from api.idempotency import forget_answers_with
from audiences import services as audiences
from audiences.models import Audience
from core import buckets, clock
from core.buckets import try_lock
from core.clock import milliseconds, moment
from core.database import Connection
from core.inbox import InboxKind, InboxQueue
from core.messages import Id
from core.models import Customer, Inbox
from core.scope import EVERYTHING
from integrations.models import Platform
from pipeline import backlog, deliver
from pipeline.absorb.absorber import Absorber
from pipeline.models import Erasure
from pipeline.privacy import erasures
from pipeline.sweeper import finish_deletions
from profiles.models import Identity, Profile
from tests.support.drawn_rules import Drawn, written
from tests.support.interleaving import Killed, at_statement, die, locked
from tests.support.pipeline_model import ZONE, Found, Happening, Model, Place
from tests.support.sandbox_process import SandboxProcess
from tests.support.shop import Shop, in_bucket
from tests.support.tables import empty
from usersync.models import UserMapping

START = datetime(2031, 6, 17, 12, tzinfo=UTC)
STEP = 61
WAIT = 601  # longer than any wait for a platform
ROUNDS = 40  # of absorbing and delivering, until all is quiet
BUCKETS = 16  # of this hub
# as if the time of all leases that somebody still holds, or held as he died, had run out
LEASES_OVER = "UPDATE lane SET leased_until = now() - interval '1 minute' WHERE leased_until IS NOT NULL"

BROWSERS = [str(in_bucket(bucket, number)) for number, bucket in enumerate((1, 2, 3, 3, 12))]
KEYS: list[Id] = [("user", "ann-4711"), ("user", "bob-4712")]
OTHERS: list[Id] = [("device:devid_g", "device-g-1"), ("device:devid_a", "device-a-2")]
PLATFORM_IDS = ["platform-id-1", "platform-id-2", "platform-id-3"]
SPARE_IDS = ["spare-id-1", "spare-id-2"]
NAMED_BY_SPARE: list[Id] = [("euid", "spare-euid-1"), ("euid", "spare-euid-2")]
"""Ids of the spare platform by which requests name users; their kind bears its number."""
KINDS = {value: kind for kind, value in KEYS + OTHERS + NAMED_BY_SPARE}
PLACES = sorted(
    {buckets.of_user(UUID(browser)) for browser in BROWSERS}
    | {buckets.of_value(value) % BUCKETS for value in [*KINDS, *PLATFORM_IDS, *SPARE_IDS, *BROWSERS]}
)
KEEP_USERS_DAYS, KEEP_ACTIVITY_DAYS = 30, 5
ADS, OWN, SPARE = "ads", "own", "spare"
EVERYBODY, FREQUENT, RICH = range(3)
ACTIVATED = [(EVERYBODY, ADS), (FREQUENT, ADS), (EVERYBODY, OWN)]

END_CONNECTION = "SELECT pg_terminate_backend(%s, 5000)"


class PipelineWorld:
    """A customer with three platforms (the spare one is sent nothing) and three audiences, and a model of them."""

    sandbox: SandboxProcess

    def make(self, first: list[Any]) -> None:
        empty()
        self.sandbox.reset()
        random.seed(0)  # where absorbers begin
        self.time, self.number = milliseconds(START), 0
        self.kills = {"absorb": 0, "deliver": 0}
        self.tick()
        self.quiet_at = self.time
        self.model = Model(value for _, value in KEYS)
        self.shop = Shop()
        self.replace_absorber()
        Customer.objects.update(keep_users_days=KEEP_USERS_DAYS, keep_activity_days=KEEP_ACTIVITY_DAYS, time_zone=ZONE)
        self.shop.attribute("amount", "number")
        self.platforms = {account: self._make_platform(account) for account in (ADS, OWN, SPARE)}
        self.audiences: list[Audience] = []
        self.drawn: list[Any] = []
        for drawn in [("and", False, [("pixel.count", ">=", 1)]), *first]:
            self.drawn.append(drawn)
            json = self.written(drawn, len(self.audiences))
            made = audiences.create_audience(self.shop.customer, f"a{len(self.audiences)}", json)
            self.audiences.append(made)
        for number, account in ACTIVATED:
            activations.activate(self.audiences[number], self.platforms[account], {})
        self.drain()

    def close(self) -> None:
        if hasattr(self, "shop"):
            self.shop.absorber.close()
        clock.ahead = timedelta(0)

    # ── until all is quiet ───────────────────────────────────────────────────────────────────────────

    def drain(self, *, again: bool = True) -> None:
        """Everything works, until nothing is left to do. `again`: activations that ended are made anew."""
        self.sandbox.faults(clear=True)
        stopped = (Activation.Status.PAUSED, Activation.Status.BROKEN)
        for activation in Activation.objects.filter(status__in=stopped):
            activations.resume(activation)
        for _ in range(ROUNDS):
            self.tick(WAIT)
            self.absorb_all()
            self._deliver_all()
            if DeadLetter.objects.exists():
                dead_letters.replay(DeadLetter.objects.all())
            erasures.carry_on([forget_answers_with])
            finish_deletions()
            audiences.finish_builds()
            if again:
                self._activate_again()
            if self._is_quiet():
                break
        else:
            raise AssertionError(f"it does not become quiet: {backlog.counts(EVERYTHING)}")
        erasures.carry_on([forget_answers_with])  # ids of users that nobody asked to erase

    def _is_quiet(self) -> bool:
        changing = (Activation.Status.PENDING, Activation.Status.ENDING)
        is_changing = Activation.objects.filter(status__in=changing).exists()
        is_erasing = Erasure.objects.filter(finished_at=None).exists()
        return not is_changing and not is_erasing and not any(backlog.counts(EVERYTHING).values())

    def absorb_all(self) -> None:
        """All that waits, and all that time asks for."""
        absorber = self.shop.absorber
        absorber.timed.look_everywhere()
        while absorber.absorb() or absorber.absorb_due():
            pass
        self.settle_if_quiet()

    def _deliver_all(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(LEASES_OVER)
        due_marks._marks.clear()  # and of the full look that finds what a dead sender had in its hands
        waiting = Delivery.objects.filter(Q(due_at__isnull=False) | Q(claim__isnull=False)).values_list(
            "platform_id", "bucket"
        )
        lanes = {(platform, lane_of(bucket)) for platform, bucket in waiting.distinct()}
        changing = Activation.objects.exclude(status=Activation.Status.LIVE).values_list("platform_id", flat=True)
        lanes |= {(platform, lane) for platform in changing for lane in (CREATION, *range(LANES))}
        for platform, lane in sorted(lanes):
            deliver.work(platform, lane, lambda: True)

    def settle_if_quiet(self) -> None:
        if Inbox.objects.exists():
            return
        self.quiet_at = self.time
        self.model.settle(self.find, self._read, self._holder)

    # ── the stages, a little at a time ───────────────────────────────────────────────────────────────

    def absorb_some(self, place: int | None, rows: int, busy: set[int]) -> None:
        """A few rows of one bucket, or a batch of all, while others hold some buckets."""
        absorber = self.shop.absorber
        with locked(busy - {place}):
            if place is None:
                absorber.absorb()
            else:
                absorber._attempt(lambda cursor: try_lock(cursor, {place}), rows, InboxQueue.PROMPT)

    def replace_absorber(self) -> None:
        self.shop.absorber.close()
        self.shop.absorber = Absorber(lambda touched: None)

    def deliver_once(self, account: str, lane: int) -> None:
        """One claim of each operation in a lane."""
        asked = iter([True])
        deliver.work(self.platforms[account].pl, lane, lambda: next(asked, False))

    def deliver_beside(self, account: str, lane: int, statement: int, meanwhile: Callable[[], None]) -> None:
        """The same; `meanwhile` happens at a statement of it, outside of transactions."""
        with at_statement(deliver.connections.get(), statement, meanwhile, between=True):
            self.deliver_once(account, lane)

    def killed_at(self, connection_: Connection, statement: int, doing: Callable[[], None]) -> None:
        """Do that in a process that dies at a statement; or, if it is done before, afterwards."""
        with suppress(Killed), at_statement(connection_, statement, die):
            doing()

    def cut_off_at(self, connection_: Connection, statement: int, doing: Callable[[], None]) -> None:
        """Do that on a connection that PostgreSQL ends at a statement."""

        def end() -> None:
            with connection.cursor() as cursor:
                cursor.execute(END_CONNECTION, [connection_.info.backend_pid])

        with suppress(psycopg.OperationalError), at_statement(connection_, statement, end):
            doing()

    # ── what is asked of it ──────────────────────────────────────────────────────────────────────────

    def tick(self, seconds: int = STEP) -> None:
        """Time goes on; nothing that really takes time comes near to a step."""
        self.time += seconds * 1000
        clock.ahead = moment(self.time) - datetime.now(UTC)

    def append(self, bucket: int, kind: InboxKind, query: bytes) -> None:
        self.shop.append(bucket, kind, query, at=moment(self.time))

    def send(self, browser: str | None, ids: list[Id], amount: int | None, at: int) -> Happening:
        self.tick()
        self.number += 1
        text = f"text-{self.number}."
        data: dict[str, Any] = {f"t{self.number}": text} | ({} if amount is None else {"amount": amount})
        user = None if browser is None else UUID(browser)
        named = [(self.kind_of(value), value) for _, value in ids]
        self.shop.event(user, data, ids=named, at=at, received=self.time)
        return Happening(text, at, self.time, amount)

    # ── who and what there is ────────────────────────────────────────────────────────────────────────

    def kind_of(self, name: str) -> str:
        kind = KINDS[name]
        return f"euid:{self.platforms[SPARE].pl}" if kind == "euid" else kind

    def find(self, name: str) -> UUID | None:
        """The profile to which a name leads."""
        user: UUID | None = UUID(name) if name in BROWSERS else None
        if user is None:
            row = Identity.objects.filter(kind=self.kind_of(name), value=name).first()
            user = None if row is None else row.user_id
        while user is not None:
            profile = Profile.objects.filter(bucket=buckets.of_user(user), user_id=user).first()
            if profile is None or profile.merged_into is None:
                return None if profile is None else user
            user = profile.merged_into
        return None

    def user_of(self, name: str) -> UUID | None:
        """The user whom an erasure by this name is about. Ids are looked up, so they must have been absorbed."""
        person = self.model.person(name)
        if person is not None and person.open:
            self.absorb_all()
        if name in BROWSERS:
            return UUID(name)
        self.absorb_all()
        if name in PLATFORM_IDS and (ADS, name) not in self.model.owners:
            return None
        kind = self.kind_of(name) if name in KINDS else f"platform:{self.platforms[ADS].pl}"
        row = Identity.objects.filter(kind=kind, value=name).first()
        return None if row is None else row.user_id

    def is_one(self, name: str) -> bool:
        """Whether the person has one profile by now, to which all names lead."""
        person = self.model.person(name)
        found = set() if person is None else {self.find(one) for one in person.names}
        return len(found) == 1 and None not in found

    def activation(self, number: int, account: str) -> Activation | None:
        found = Activation.objects.filter(audience=self.audiences[number], platform=self.platforms[account])
        return found.first()

    def written(self, drawn: Drawn, number: int) -> dict[str, Any]:
        """The rule as JSON; an audience asks only about those made before it."""
        earlier = [audience.pk for audience in self.audiences[:number]]
        return written(drawn, pixel=self.shop.pixel.id, platform=self.platforms[ADS].pl, audiences=earlier)

    def _read(self, user: UUID) -> Found:
        profile = self.shop.profile(user)
        return Found(frozenset(texts_of(profile)), profile.opted_out)

    def _holder(self, place: Place) -> UUID | None:
        """Whose a platform's id is, as the match table says."""
        account, value = place
        row = UserMapping.objects.filter(platform_id=self.platforms[account].pl, platform_user_id=value).first()
        return None if row is None else row.user_id

    def _activate_again(self) -> None:
        for number, account in ACTIVATED:
            if self.activation(number, account) is None and self.audiences[number].status != "deleting":
                activations.activate(self.audiences[number], self.platforms[account], {})

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

    def replace_spare(self) -> None:
        """The spare platform is there again, under another number."""
        self.platforms[SPARE] = self._make_platform(SPARE)


def texts_of(profile: Profile) -> set[str]:
    return {value for key, value in profile.attributes.items() if key != "amount"}
