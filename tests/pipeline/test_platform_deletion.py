"""A deleted platform is forgotten, bucket by bucket, and what is under way for it comes to nothing."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from django.db import connection

from activation.models import Activation, Batch, DeadLetter, Lane
from core import buckets
from core.buckets import try_lock
from core.inbox import InboxKind, InboxQueue
from core.messages import Match
from integrations.models import Platform
from pipeline.absorb import bulk
from pipeline.platform_deletion import delete_platform
from profiles.models import Identity, Profile
from tests.support.shop import Shop, in_bucket, now_ms, somebody
from tests.support.traces import traces
from usersync.models import MappedUsers, UserMapping


def known_on(shop: Shop, *platforms: Platform, users: int = 12) -> None:
    for number in range(users):
        user = somebody()
        shop.event(user, {"amount": 5})
        for platform in platforms:
            shop.sync(user, platform, f"{platform.name}-{number}")
    shop.absorb()


def log_of(platform: Platform) -> None:
    now = datetime.now(UTC)
    Batch.objects.create(
        bucket=3, id=somebody(), platform_id=platform.pk, operation="add", status="done", rows=1, started_at=now
    )
    DeadLetter.objects.create(
        bucket=4,
        activation_id=1,
        platform_user_id="x",
        platform_id=platform.pk,
        user_id=somebody(),
        operation="add",
        reason="refused",
        attempts=1,
        died_at=now,
    )


def test_deleted_platform__is_forgotten_and_no_other_is(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PAGE", 2)  # so that a bucket takes several
    gone, stays = shop.platform("gone"), shop.platform("stays")
    known_on(shop, gone, stays)
    one_bucket(shop, gone)
    log_of(gone)
    log_of_stays = Batch.objects.count()
    Lane.objects.create(platform_id=gone.pk, lane=0)
    number = gone.pk

    delete_platform(gone)
    shop.absorb()

    assert not UserMapping.objects.filter(platform_id=number).exists()
    assert not Identity.objects.filter(kind=f"platform:{number}").exists()
    assert not MappedUsers.objects.filter(platform_id=number).exists()
    assert (Batch.objects.count(), DeadLetter.objects.count(), Lane.objects.count()) == (log_of_stays - 1, 0, 0)
    assert UserMapping.objects.filter(platform_id=stays.pk).count() == 12
    assert Profile.objects.count() == 12 + 5


def one_bucket(shop: Shop, platform: Platform) -> None:
    """More users of one bucket than a page holds."""
    for number in range(5):
        shop.event(in_bucket(9, number), {"amount": 5})
        shop.sync(in_bucket(9, number), platform, f"same-bucket-{number}")
    shop.absorb()


def test_syncs_under_way__for_a_deleted_platform__come_to_nothing(shop: Shop) -> None:
    gone = shop.platform("gone")
    user = somebody()
    shop.event(user, {"amount": 5})
    shop.sync(user, gone, "first")
    shop.absorb()
    shop.sync(user, gone, "second")
    number = gone.pk

    delete_platform(gone)
    with connection.cursor() as cursor:  # the deletion comes first in the bucket, the sync after it
        cursor.execute("UPDATE inbox SET id = id + 1000000 WHERE kind = 2")
    shop.absorb()

    assert not Identity.objects.filter(kind=f"platform:{number}").exists()
    assert shop.mappings(user) == set()
    assert shop.bad_rows() == []


def test_next_platform__after_one_was_deleted__knows_nobody(shop: Shop, buyers: Activation) -> None:
    gone = shop.platform("gone")
    known_on(shop, gone)
    delete_platform(gone)
    shop.absorb()

    following = shop.platform("next")
    activation = shop.activation(buyers.audience, following)

    assert following.pk > buyers.platform_id
    assert shop.wanted(activation) == set()
    assert not UserMapping.objects.filter(platform_id=following.pk).exists()


def test_ids_of_a_deleted_platform__by_which_requests_named_users__are_nowhere(shop: Shop) -> None:
    gone, stays = shop.platform("gone"), shop.platform("stays")
    first, second = in_bucket(1, 1), in_bucket(2, 2)
    theirs, others = (f"euid:{gone.pk}", "their-id-4711"), (f"euid:{stays.pk}", "other-id-4712")
    shop.event(first, {"amount": 5}, ids=[theirs, others])
    shop.absorb()
    shop.event(second, {"amount": 5}, ids=[theirs])
    shop.event(None, {"amount": 5}, ids=[theirs])
    shop.absorb()
    assert {table for table, _ in traces([theirs[1]])} == {"identity", "profile", "profile_merge", "watched_id"}

    delete_platform(gone)
    shop.absorb()

    assert traces([theirs[1]]) == set()
    assert shop.named(*others) == first
    assert shop.total(first) == 3


def test_requests_under_way__with_ids_of_a_deleted_platform__do_not_make_them_known_again(shop: Shop) -> None:
    gone = shop.platform("gone")
    first, second, third = in_bucket(1, 1), in_bucket(2, 2), in_bucket(3, 3)
    theirs, device = (f"euid:{gone.pk}", "their-id-4711"), ("device:devid_g", "device-1")
    unknown = ("euid:4712", "no-platform-of-the-hub")
    for user in (first, second):
        shop.event(user, {"amount": 1}, received=now_ms() - 5_000)
    shop.absorb()
    shop.event(first, {"amount": 5}, ids=[theirs])
    absorb_only(shop, buckets.of_user(first))  # the link is under way
    shop.event(second, {"amount": 5}, ids=[theirs])
    shop.event(None, {"amount": 5}, ids=[theirs, device])
    shop.event(None, {"amount": 5}, ids=[theirs])
    shop.confirm(third, ids=[theirs, unknown])
    match = Match(shop.customer.m, shop.platform("stays").pl, "x", theirs, now_ms())
    shop.append(buckets.of_value(theirs[1]), InboxKind.MATCH, msgspec.json.encode(match))

    delete_platform(gone)
    with connection.cursor() as cursor:  # the deletion comes first
        cursor.execute("UPDATE inbox SET id = id + 1000000 WHERE kind < 40")
    shop.absorb()
    shop.absorb()

    assert traces([theirs[1]]) == set()
    assert shop.named(*unknown) == third
    assert shop.profile(UUID(str(shop.named(*device)))).attributes == {"amount": 5}
    assert (shop.total(first), shop.total(second), Profile.objects.count()) == (2, 2, 4)
    assert shop.bad_rows() == []


def absorb_only(shop: Shop, place: int) -> None:
    """The rows that wait in this bucket now."""
    shop.absorber._attempt(lambda cursor: try_lock(cursor, {place}), 100, InboxQueue.PROMPT)
