"""Work that time alone asks for is done beside events, by whoever holds its bucket."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection

from audiences.models import Membership
from core import buckets, clock
from core.buckets import BUCKETS, try_lock
from core.database import connect
from core.models import Inbox
from core.wakeups import ABSORB, PREFIX, WOKEN, wakeups
from pipeline import timed
from pipeline.absorb import stage
from pipeline.absorb.absorber import SHARE
from pipeline.absorb.rows import SIZES
from pipeline.sweeper import Sweeper
from profiles.models import Identity, Profile
from tests.support.edge_process import until
from tests.support.pages import pages_read
from tests.support.shop import Shop, in_bucket, now_ms, rule, somebody

HELD = 200  # buckets that somebody else works in
MANY = 5_000

# of an audience that is gone: there is nothing to evaluate
MEMBERSHIPS = """
INSERT INTO membership (bucket, audience_id, user_id, customer_id, member, since, version, look_again_at)
SELECT number %% %(buckets)s, 1,
       (substr(gen_random_uuid()::text, 1, 34) || lpad(to_hex(number %% %(buckets)s), 2, '0'))::uuid,
       %(customer)s, false, now(), 0, now() - interval '1 minute'
FROM generate_series(1, %(many)s) AS number
"""
MATCHES = """
INSERT INTO identity (bucket, customer_id, kind, value, user_id, epoch, since, expires_at)
SELECT bucket, %(customer)s, 'platform:1', number::text, NULL, 1, now(), now() - interval '1 minute'
FROM unnest(%(of_values)s::int[]) WITH ORDINALITY AS value (bucket, number)
"""
VISITORS = """
INSERT INTO profile (bucket, customer_id, user_id, attributes, dimensions, times, activity, ids, confirmed, created_at,
                     updated_at)
SELECT number %% %(buckets)s, %(customer)s,
       (substr(gen_random_uuid()::text, 1, 34) || lpad(to_hex(number %% %(buckets)s), 2, '0'))::uuid,
       '{}', '{}', '{}', '{}', '[]', false, now() - interval '25 hours', now()
FROM generate_series(1, %(many)s) AS number
"""
DUE = {
    "membership": (MEMBERSHIPS, lambda: Membership.objects.filter(look_again_at__lte=clock.now()).count()),
    "identity": (MATCHES, lambda: Identity.objects.filter(expires_at__lte=clock.now()).count()),
    "profile": (VISITORS, lambda: Profile.objects.filter(confirmed=False).count()),
}


def fall_due(shop: Shop, kind: str, many: int) -> None:
    """So many items of the kind are due, spread over all buckets."""
    of_values = [buckets.of_value(str(number)) for number in range(1, many + 1)]
    known: dict[str, Any] = {"buckets": BUCKETS, "customer": shop.customer.m, "many": many, "of_values": of_values}
    with connection.cursor() as cursor:
        cursor.execute(DUE[kind][0], known)


def left(kind: str) -> int:
    return DUE[kind][1]()


@pytest.mark.parametrize("kind", sorted(DUE))
def test_due_work__while_every_batch_is_full__has_its_share_of_each(shop: Shop, kind: str) -> None:
    fall_due(shop, kind, MANY)
    for _ in range(3 * SIZES[0]):
        shop.event(somebody())

    for batch in range(3):
        before = left(kind)
        assert shop.absorber.absorb() == SIZES[0]
        done = before - left(kind)
        assert SIZES[0] // SHARE // 2 <= done <= SIZES[0] // SHARE, batch


@pytest.mark.parametrize("kind", sorted(DUE))
def test_due_work__where_others_hold_the_first_buckets__is_done_in_the_others(shop: Shop, kind: str) -> None:
    fall_due(shop, kind, MANY)
    with closing(connect(durable=False)) as other, other.transaction(), other.cursor() as cursor:
        assert len(try_lock(cursor, range(HELD))) == HELD
        until(lambda: not shop.absorber.absorb_due() and left(kind) <= MANY * (HELD + 20) / BUCKETS)
    until(lambda: not shop.absorber.absorb_due() and left(kind) == 0)


def test_two_workers__share_due_work(shop: Shop) -> None:
    """Each is in the middle of a batch when the other begins one."""
    fall_due(shop, "membership", MANY)
    with closing(connect(durable=False)) as other, other.transaction(), other.cursor() as cursor:
        theirs = timed.TimedWork().lock(cursor, clock.now())
        assert theirs
        assert shop.absorber.absorb_due() > 0
        assert left("membership") < MANY


def test_due_work__is_taken_from_all_buckets_in_turn(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed, "BATCH", 10)
    fall_due(shop, "membership", MANY)
    for _ in range(BUCKETS):
        shop.absorber.absorb_due()

    rows = Membership.objects.filter(look_again_at__isnull=True).values_list("bucket", flat=True)
    assert len(set(rows)) == BUCKETS


def test_kinds_of_due_work__take_turns(shop: Shop) -> None:
    for kind in DUE:
        fall_due(shop, kind, MANY)
    for _ in DUE:
        shop.absorber.absorb_due()

    assert all(left(kind) < MANY for kind in DUE)


@pytest.fixture
def nobody_awake(shop: Shop) -> Iterator[None]:
    awake = wakeups(settings.REDIS_URL)
    for slot in range(2):
        awake.sleep(ABSORB, slot)
    yield
    for slot in range(2):
        awake.sleep(ABSORB, slot)


@pytest.mark.usefixtures("nobody_awake")
def test_sweeper__finds_more_than_one_batch_due__wakes_workers_and_goes_on_itself(shop: Shop) -> None:
    sweeper = Sweeper()

    def swept() -> bool:
        sweeper.sweep()
        return left("membership") == 0

    fall_due(shop, "membership", MANY)
    swept()

    with redis.Redis.from_url(settings.REDIS_URL) as waiting:
        assert waiting.get(f"{PREFIX}{ABSORB}:1") == WOKEN
    until(swept)


@pytest.mark.usefixtures("nobody_awake")
def test_worker_that_is_awake__does_what_is_due(shop: Shop) -> None:
    fall_due(shop, "membership", MANY)
    stage.drain(0)
    assert left("membership") == 0


def test_due_work_that_fails__makes_no_bad_row__and_keeps_no_other_work_waiting(shop: Shop) -> None:
    """A row of the database is not as the code expects it."""
    bucket = buckets.of_value("x")
    Identity.objects.create(
        bucket=bucket,
        customer_id=shop.customer.m,
        kind="unheard of",
        value="x",
        since=clock.now(),
        expires_at=clock.now(),
    )
    fall_due(shop, "identity", MANY)
    users = [in_bucket(bucket, number) for number in range(40)]
    for user in users:
        shop.event(user)
    shop.absorb()
    until(lambda: not shop.absorber.absorb_due() and left("identity") == 0)

    assert shop.bad_rows() == []
    assert [shop.total(user) for user in users] == [1] * 40


def test_match__renewed_in_the_batch_in_which_it_ends__stays(shop: Shop) -> None:
    user, ads = somebody(), shop.platform()
    shop.event(user)
    shop.sync(user, ads, "x", ttl_days=1)
    shop.absorb()
    shop.let_pass(2)
    bucket = buckets.of_value("x")
    for number in range(SHARE):
        shop.event(in_bucket(bucket, number))
    shop.sync(user, ads, "x", ttl_days=1)
    shop.absorb()

    assert shop.mappings(user) == {(ads.pl, "x")}
    expires_at = shop.identity(f"platform:{ads.pl}", "x").expires_at
    assert expires_at is not None
    assert expires_at > clock.now()
    assert shop.absorber.absorb_due() == 0


def test_window_that_ends__while_its_user_is_seen_again__stays_open(shop: Shop) -> None:
    recent = shop.audience("recent", rule(f"pixel.{shop.pixel.id}.last", "withinLast", "P1D"))
    user, others = in_bucket(7, 0), [in_bucket(7, number) for number in range(1, 20)]
    shop.event(user)
    shop.absorb()
    Membership.objects.update(look_again_at=clock.now())
    for other in (user, *others):
        shop.event(other, at=now_ms())
    shop.absorb()

    assert shop.members(recent) == {user, *others}
    assert not Membership.objects.filter(look_again_at__lte=clock.now()).exists()
    assert not Inbox.objects.exists()


@pytest.mark.parametrize("kind", sorted(DUE))
def test_look_for_due_work__while_a_snapshot_is_held__costs_the_same_however_much_was_done(
    shop: Shop, database_url: str, kind: str
) -> None:
    with closing(psycopg.connect(database_url, autocommit=True)) as reader:
        reader.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM {kind}")
        fall_due(shop, kind, 2 * MANY)
        until(lambda: not shop.absorber.absorb_due() and left(kind) == 0, 60)

        def cost() -> int:
            own: Any = shop.absorber._connection
            return pages_read(kind, own, shop.absorber.absorb_due)

        until(lambda: cost() < MANY / 2)
