"""Every counter says what a count of the tables would say, whatever has happened to what it counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any, ClassVar
from uuid import UUID, uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from activation import dead_letters, services
from activation.delivery import activation_status, lanes
from activation.delivery.lanes import FILES
from activation.delivery.targets import segment_of
from activation.models import Activation, ActivationCount, DeadLetter, Delivery
from activation.stores import bulk_changes, claims, deliveries, file_rows
from activation.stores.batches import BatchRecord
from activation.stores.claims import Claim, ClaimScope
from activation.stores.due_marks import EVERYWHERE, DueMarks
from activation.stores.outcomes import ClaimOutcomes
from audiences import services as audiences
from audiences.models import AudienceBucket
from core import buckets, clock
from core.buckets import BUCKETS, lock
from core.count_periods import PAST
from core.database import Connection, bare_cursor, connect
from core.inbox import InboxKind
from core.messages import OptOutChoice, encode
from integrations.models import Platform
from pipeline import counts
from pipeline.counts import BUCKETS_A_ROUND, CountsKeeper
from pipeline.platform_deletion import delete_platform
from pipeline.privacy import erasures
from profiles.models import KnownUsers
from tests.support.shop import Shop, in_bucket, now_ms, somebody
from tests.support.shop import rule as condition
from tests.support.tables import empty
from usersync.models import MappedUsers

FEW = 16  # all that this test does happens in the first buckets; commands go to these only
USERS = [user for user in (in_bucket(1 + n % 2, n) for n in range(400)) if buckets.of_value(str(user)) < FEW][:6]
IDS = [one for one in (f"x{n}" for n in range(400)) if buckets.of_value(one) < FEW][:6]
KEYS = ["ann", "bob"]
PLACES = list(range(FEW))
PLATFORMS = 3  # of which one knows users by our own ids
OUTCOMES = ("accepted", "finished", "failed", "refused", "unsent", "reopened", "lost", "too late")

users, ids, platforms = st.sampled_from(USERS), st.sampled_from(IDS), st.integers(0, PLATFORMS - 1)
chosen = st.integers(0, 10)


class Counted(RuleBasedStateMachine):
    """Two audiences on three platforms; deliveries are claimed and finished as senders do it, with any outcome."""

    sender: ClassVar[Connection]

    @initialize()
    def open(self) -> None:
        empty()
        self.shop = Shop()
        self.shop.attribute("amount", "number")
        self.platforms = [self.shop.platform(name) for name in ("one", "two")]
        own = {**self.platforms[0].settings, "id_source": "own"}
        self.platforms.append(self.shop.platform("own ids", settings=own))
        self.audiences = [
            self.shop.audience(name, condition("attribute.amount", ">", above)) for name, above in (("a", 0), ("b", 5))
        ]
        for audience, platform in zip(self.audiences, self.platforms, strict=False):
            self.activate(audience, platform)
        self.held: list[Claim] = []

    def activate(self, audience: Any, platform: Platform) -> None:
        if not Activation.objects.filter(audience=audience, platform=platform).exists():
            services.activate(audience, platform, {"segment_id": audience.pk})
            Activation.objects.filter(status=Activation.Status.PENDING).update(
                status=Activation.Status.LIVE, segment_id=1
            )

    # ── what comes in ────────────────────────────────────────────────────────────────────────────────

    @rule(user=users, amount=st.integers(0, 9), key=st.sampled_from([None, None, *KEYS]))
    def event(self, user: UUID, amount: int, key: str | None) -> None:
        """With a key of a device, browsers are merged; with one of the customer's, they log in."""
        self.shop.event(user, {"amount": amount}, ids=[] if key is None else [("device:devid_g", key)])

    @rule(user=users, platform=platforms, platform_id=st.sampled_from([*IDS, ""]), brief=st.booleans())
    def sync(self, user: UUID, platform: int, platform_id: str, brief: bool) -> None:
        self.shop.sync(user, self.platforms[platform], platform_id, **({"ttl_days": 1} if brief else {}))

    @rule(user=users, out=st.booleans())
    def choose(self, user: UUID, out: bool) -> None:
        kind = InboxKind.OPT_OUT if out else InboxKind.OPT_IN
        self.shop.append(buckets.of_user(user), kind, encode(OptOutChoice(str(user), now_ms())))

    @rule(user=users)
    def erase(self, user: UUID) -> None:
        erasures.request(self.shop.customer.m, user, "a test")

    @rule()
    def carry_erasures_on(self) -> None:
        erasures.carry_on()

    @rule()
    def let_matches_end(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE identity SET expires_at = now() - interval '1 second' WHERE expires_at IS NOT NULL")
        self.shop.absorber.timed.look_everywhere()
        self.shop.absorber.absorb_due()

    @rule(batches=st.integers(1, 4))
    def absorb(self, batches: int) -> None:
        for _ in range(batches):
            self.shop.absorber.absorb()
        self.look()

    # ── what people do ───────────────────────────────────────────────────────────────────────────────

    @rule(audience=st.integers(0, 1), platform=platforms)
    def activate_more(self, audience: int, platform: int) -> None:
        self.activate(self.audiences[audience], self.platforms[platform])

    @rule(audience=st.integers(0, 1), above=st.integers(0, 9))
    def edit(self, audience: int, above: int) -> None:
        audiences.change_rule(self.audiences[audience], condition("attribute.amount", ">", above))

    @rule(number=chosen, what=st.sampled_from(["pause", "resume", "resync", "deactivate", "end"]))
    def change_activation(self, number: int, what: str) -> None:
        found = list(Activation.objects.order_by("id"))
        if not found:
            return
        activation = found[number % len(found)]
        ending = activation.status == Activation.Status.ENDING
        if what == "end" and ending:
            activation_status.end(
                self.sender, segment_of(activation), erasures.unfinished, removals_sent=bool(number % 2)
            )
        elif what != "end" and not ending:
            getattr(services, what)(activation)

    @rule()
    def delete_a_platform(self) -> None:
        if not self.platforms[1].activations.exists() and len(self.platforms) == PLATFORMS:
            delete_platform(self.platforms[1])
            self.platforms[1] = self.shop.platform("another")

    @rule(everything=st.booleans())
    def replay(self, everything: bool) -> None:
        found = DeadLetter.objects.all()
        dead_letters.replay_all(found) if everything else dead_letters.replay(found)

    @rule(number=chosen, platform_ids=st.sets(ids, min_size=1), missing=st.booleans())
    def reconcile(self, number: int, platform_ids: set[str], missing: bool) -> None:
        found = list(Activation.objects.exclude(status=Activation.Status.ENDING).order_by("id"))
        if not found:
            return
        activation = found[number % len(found)]
        keys = sorted((buckets.of_value(one), one) for one in platform_ids)
        with bare_cursor() as cursor:
            if missing:
                deliveries.add_missing(cursor, activation.pk, keys, clock.now())
            else:
                deliveries.remove_unexpected(cursor, activation.pk, activation.platform_id, keys, clock.now())

    # ── what senders do ──────────────────────────────────────────────────────────────────────────────

    @rule(wanted=st.booleans(), limit=st.integers(1, 20))
    def claim(self, wanted: bool, limit: int) -> None:
        activations = list(Activation.objects.values_list("id", flat=True))
        scope = ClaimScope(1, list(range(BUCKETS)), activations, wanted, limit, one_activation=False, log_bucket=0)
        with self.sender.transaction(), self.sender.cursor(binary=True) as cursor:
            found = claims.claim(cursor, scope, DueMarks(), uuid4(), clock.now() + timedelta(days=1))
        if found is not None:
            self.held.append(found)

    @rule(number=chosen, outcome=st.sampled_from(OUTCOMES), part=st.integers(1, 20))
    def finish(self, number: int, outcome: str, part: int) -> None:
        if not self.held or outcome == "lost":
            return
        claim = self.held[number % len(self.held)]
        rows, now = claim.rows[:part], clock.now()
        with self.sender.cursor(binary=True) as cursor:
            outcomes = ClaimOutcomes(self.sender, cursor, claim, has_letters=outcome != "finished")
            if outcome == "accepted":
                outcomes.accepted(rows, now, now + timedelta(days=number))
            elif outcome == "finished":
                outcomes.finished(rows, now, None, BatchRecord(1, claim.id, len(rows)))
            elif outcome == "refused":
                outcomes.refused(rows, "no", "")
            elif outcome == "failed":
                outcomes.failed([row._replace(attempts=20) if number % 2 else row for row in rows], "no")
            elif outcome == "unsent":
                outcomes.unsent(rows, "no")
            elif outcome == "reopened":
                outcomes.reopened([row[:3] for row in rows])
            else:
                self.held.remove(claim)

    @rule(platform=platforms, uploaded=st.booleans(), dies=st.booleans(), removals_sent=st.booleans())
    def send_file(self, platform: int, uploaded: bool, dies: bool, removals_sent: bool) -> None:
        """A round of files, whose sender may die; the next one settles what it left open."""
        target, now = self.platforms[platform], clock.now() + timedelta(days=1)
        activations = sorted(target.activations.values_list("id", flat=True))
        scope = file_rows.FileScope(activations, now, removals_sent)
        with self.sender.cursor(binary=True) as cursor, self._lane(cursor, target) as lease:
            lease.open(cursor)
            rows = [
                (bucket, activation, wanted, known_as)
                for bucket in PLACES
                for activation, wanted, known_as, _ in file_rows.due(cursor, scope, bucket)
            ]
            if uploaded:
                file_rows.done(cursor, lease, uuid4(), rows[1:], now, None)
            elif not dies:
                file_rows.unknown(cursor, lease, rows, now)
            file_rows.claim(cursor, uuid4(), rows[:1])
            for bucket in PLACES if dies else ():
                with self.sender.transaction():
                    lock(cursor, bucket)
                    file_rows.left_open(cursor, activations, bucket, now - timedelta(days=2), now)
            if not removals_sent:
                deliveries.drop_removals(cursor, activations, EVERYWHERE, now)
            lease.close(cursor)

    @rule(soon=st.booleans())
    def refresh(self, soon: bool) -> None:
        activations, now = list(Activation.objects.values_list("id", flat=True)), clock.now()
        until = now + timedelta(days=5)
        with self.sender.cursor(binary=True) as cursor:
            for bucket in bulk_changes.buckets_to_refresh(cursor, activations, until if soon else now, until):
                with self.sender.transaction():
                    lock(cursor, bucket)
                    bulk_changes.refresh(cursor, activations, bucket, until if soon else now, until)

    @rule(number=chosen, what=st.sampled_from(["unknown", "forget", "refused file"]))
    def change_one(self, number: int, what: str) -> None:
        found = list(Delivery.objects.order_by("pk"))
        if not found:
            return
        row = found[number % len(found)]
        key = (row.bucket, row.activation_id, row.platform_user_id)
        with self.sender.cursor(binary=True) as cursor, self.sender.transaction():
            if what == "unknown":
                deliveries.mark_unknown(cursor, key, clock.now())
            elif what == "forget":
                deliveries.forget_unexpected(cursor, key)
            elif row.batch is not None:
                lock(cursor, row.bucket)
                deliveries.file_refused(cursor, [row.activation_id], row.bucket, row.batch, "no", clock.now())

    # ── what must hold ───────────────────────────────────────────────────────────────────────────────

    @rule()
    def look(self) -> None:
        assert [str(one) for one in counts.check()] == []

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            self.look()
            self.shop.absorb()
            self.look()
            assert self.shop.bad_rows() == []
            self.shop.absorber.close()

    @contextmanager
    def _lane(self, cursor: psycopg.Cursor[Any], platform: Platform) -> Iterator[lanes.Lease]:
        lease = lanes.lease(cursor, platform.pl, FILES, timedelta(minutes=1))
        assert lease is not None
        yield lease
        lease.release(cursor)


@pytest.mark.usefixtures("db")
def test_counters__after_anything__say_what_a_count_would_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("core.transactions", "activation.services", "audiences.services"):
        monkeypatch.setattr(f"{module}.BUCKETS", FEW)
    Counted.sender = connect(durable=False)
    try:
        run_state_machine_as_test(
            Counted,
            settings=settings(
                max_examples=6,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        Counted.sender.close()


def test_wrong_counters__are_named_and_corrected(shop: Shop, ads: Platform, buyers: Activation) -> None:
    user = somebody()
    shop.event(user, {"amount": 500})
    shop.sync(user, ads, "x")
    shop.absorb()
    bucket, own = buckets.of_value("x"), buckets.of_user(user)
    right = services.counts(buyers)
    ActivationCount.objects.filter(bucket=bucket).update(due=7)
    MappedUsers.objects.update(users=0)
    KnownUsers.objects.update(users=3)
    AudienceBucket.objects.filter(bucket=own).exclude(period=PAST).update(size=2)

    assert sorted(map(str, counts.check())) == [
        f"due of activation {buyers.pk} in bucket {bucket}: too low by -6",
        f"known users of customer 1 in bucket {own}: too low by -2",
        f"mapped users of platform {ads.pl} in bucket {own}: too low by 1",
        f"members of audience {buyers.audience_id} in bucket {own}: too low by -1",
    ]
    with pytest.raises(SystemExit):
        call_command("recount", "--check", stdout=StringIO())

    keeper = CountsKeeper()
    for _ in range(BUCKETS // BUCKETS_A_ROUND):
        keeper.round()

    assert counts.check() == []
    assert services.counts(buyers) == right
    assert right["due"] == right["wanted"] == 1
    call_command("recount", "--check", stdout=StringIO())
