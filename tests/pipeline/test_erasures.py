"""Erasing a user: nothing is left anywhere, platforms are told, and what was under way brings nobody back."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.db import connection

from activation import services as activations
from activation.delivery.lanes import CREATION
from activation.models import Activation, Batch, DeadLetter, Delivery
from api.idempotency import forget_answers_with
from core import buckets
from core.buckets import try_lock
from core.inbox import InboxKind, InboxQueue
from core.messages import Event, Id
from core.models import BadRow, Customer, Inbox
from core.transactions import send
from integrations.models import Platform
from pipeline import deliver
from pipeline.models import Erasure, FoundId
from pipeline.privacy import erasures
from profiles import attribute_sampling
from profiles.models import Identity, Profile
from tests.support.interleaving import locked
from tests.support.shop import Shop, in_bucket, now_ms, recount, rule, somebody
from tests.support.traces import traces as traces_of
from usersync.messages import Mapped
from usersync.models import UserMapping

SECRET = "Kensington-4711"
OWN_ID = "customer-0815"


def known(shop: Shop, ads: Platform) -> tuple[UUID, UUID]:
    """A user with two browsers, whom the platform knows, in every table there is."""
    first, second = somebody(), somebody()
    data = {"UserId": OWN_ID, "amount": 150, "street": SECRET}
    shop.event(first, data, ids=[("user", OWN_ID), ("device:devid_g", "device-1234")])
    shop.absorb()
    shop.event(second, data, ids=[("user", OWN_ID)])
    shop.sync(first, ads, "platform-id-77")
    shop.event(first, {"amount": "no number", "street": SECRET})
    shop.absorb()
    return first, second


def log_request(ads: Platform, request: str, response: str) -> None:
    Batch.objects.create(
        bucket=0,
        id=somebody(),
        platform_id=ads.pl,
        operation="add",
        status="done",
        rows=1,
        started_at=datetime.now(UTC),
        request_excerpt=request,
        response_excerpt=response,
    )


def mention_everywhere(shop: Shop, ads: Platform, buyers: Activation, user: UUID) -> None:
    """The log of batches, errors and letters quote ids."""
    now = datetime.now(UTC)
    log_request(ads, '[{"userid":"platform-id-77"}]', str(user))
    DeadLetter.objects.create(
        bucket=1,
        activation_id=buyers.pk,
        platform_user_id="other",
        platform_id=ads.pl,
        user_id=somebody(),
        operation="add",
        reason="platform-id-77 is refused",
        attempts=1,
        died_at=now,
    )


def settle(shop: Shop) -> None:
    shop.absorb()
    erasures.carry_on([forget_answers_with])


def traces(texts: list[str]) -> list[tuple[str, str]]:
    """The (place, text)s of the database, of Redis and of the home that hold one of the texts, however it is stored."""
    return sorted(traces_of(texts))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is but one worker here, and it has written its examples when it has absorbed."""
    monkeypatch.setattr(erasures, "LINGER", timedelta(0))
    monkeypatch.setattr(attribute_sampling, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(attribute_sampling, "KNOWN_SECONDS", 0.0)


def test_erased_user__whom_the_platform_has_removed__leaves_no_trace(
    shop: Shop, ads: Platform, buyers: Activation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    first, second = known(shop, ads)
    mention_everywhere(shop, ads, buyers, first)
    shop.accept_all_deliveries()
    texts = [str(first), str(second), OWN_ID, "device-1234", "platform-id-77", SECRET]
    assert {text for _, text in traces(texts)} == set(texts)
    assert len(BadRow.objects.all()) == 1

    erasure = erasures.request(shop.customer.m, second, "a test")
    settle(shop)
    assert shop.due() == {("platform-id-77", False)}  # until the platform has removed it
    assert {text for _, text in traces(texts)} == {"platform-id-77"}
    shop.accept_all_deliveries()
    settle(shop)

    assert traces(texts) == []
    assert [text for text in texts if text in caplog.text] == []
    erasure.refresh_from_db()
    assert (erasure.traces, erasure.platforms) == (None, {str(ads.pl): {"acknowledged": 1}})
    assert erasure.finished_at is not None
    assert shop.bad_rows() == []


@pytest.mark.parametrize("refused", [False, True])
def test_activation_that_ends__with_an_erased_id_in_it__lets_the_erasure_note_and_forget_it(
    shop: Shop, ads: Platform, buyers: Activation, refused: bool
) -> None:
    deliver.work(ads.pl, CREATION, lambda: True)
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.sync(user, ads, "platform-id-77")
    shop.absorb()
    buyers.refresh_from_db()
    activations.deactivate(buyers)
    erasure = erasures.request(shop.customer.m, user, "a test")
    shop.absorb()
    shop.accept_all_deliveries()
    if refused:
        Delivery.objects.update(dead=True, acknowledged=None)
        recount()
    deliver.work(ads.pl, CREATION, lambda: True)
    settle(shop)
    deliver.work(ads.pl, CREATION, lambda: True)

    assert traces(["platform-id-77"]) == []
    erasure.refresh_from_db()
    assert erasure.platforms == {str(ads.pl): {"given_up" if refused else "acknowledged": 1}}
    assert not Activation.objects.exists()


def test_ids_that_were_under_way__when_the_erasure_was_asked_for__are_looked_for_in_texts(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    first, second = somebody(), somebody()
    shop.event(second, {"amount": "no number"}, ids=[("user", OWN_ID), ("device:devid_g", "device-1234")])
    shop.absorb()
    DeadLetter.objects.create(
        bucket=1,
        activation_id=buyers.pk,
        platform_user_id="other",
        platform_id=ads.pl,
        user_id=somebody(),
        operation="add",
        reason=f"{second} is refused",
        attempts=1,
        died_at=datetime.now(UTC),
    )
    log_request(ads, "add", str(second))
    shop.event(first, ids=[("user", OWN_ID)])
    erasures.request(shop.customer.m, first, "a test")
    settle(shop)

    assert traces([OWN_ID, "device-1234", str(second), str(first)]) == []


def test_id_that_is_found_after_the_search__is_forgotten(shop: Shop) -> None:
    erasure = erasures.request(shop.customer.m, somebody(), "a test")
    FoundId.objects.create(bucket=1, erasure=erasure.pk, value=OWN_ID)
    erasures.carry_on()
    assert FoundId.objects.exists()

    settle(shop)
    FoundId.objects.create(bucket=2, erasure=erasure.pk, value="device-1234")
    erasures.carry_on()

    assert not FoundId.objects.exists()


def test_id_that_is_found_in_two_buckets__is_looked_for_from_when_its_profile_was_made(
    shop: Shop, ads: Platform
) -> None:
    made, person = datetime.now(UTC), str(somebody())
    log_request(ads, "add", person)
    erasure = erasures.request(shop.customer.m, somebody(), "a test")
    for bucket, since in ((3, made), (7, None)):
        FoundId.objects.create(bucket=bucket, erasure=erasure.pk, value=person, since=since)

    settle(shop)

    assert traces([person]) == []


def test_erased_user__who_comes_again__is_somebody_new(shop: Shop, ads: Platform, buyers: Activation) -> None:
    first, _ = known(shop, ads)
    erasures.request(shop.customer.m, first, "a test")
    settle(shop)
    assert not Profile.objects.exists()

    shop.event(first, {"amount": 150, "UserId": OWN_ID}, ids=[("user", OWN_ID)])
    shop.absorb()

    profile = shop.profile(first)
    assert profile.attributes == {"amount": 150, "UserId": OWN_ID}
    assert shop.named("user", OWN_ID) == first
    assert shop.total(first) == 1


@pytest.mark.parametrize("by", ["cookie", "user", "sync", "confirm", "match"])
def test_row_that_was_under_way__brings_nobody_back(shop: Shop, ads: Platform, buyers: Activation, by: str) -> None:
    first, _ = known(shop, ads)
    before = now_ms() - 1_000
    erasures.request(shop.customer.m, first, "a test")
    settle(shop)

    match by:
        case "cookie":
            shop.event(first, {"street": SECRET}, received=before)
        case "user":
            shop.event(None, {"street": SECRET}, ids=[("user", OWN_ID)], received=before)
        case "sync":
            shop.sync(first, ads, "platform-id-77")
        case "confirm":
            shop.confirm(first)
        case "match":
            shop.event(somebody(), {"street": "elsewhere"}, ids=[("user", OWN_ID)], received=before)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inbox SET received_at = received_at - interval '2 seconds'")
    shop.absorb()

    assert not Profile.objects.filter(user_id=first).exists()
    assert not Identity.objects.filter(value=OWN_ID).exists()


def test_rows_of_the_same_batch__before_and_after__are_told_apart(shop: Shop, ads: Platform) -> None:
    user = somebody()
    shop.event(user, {"street": SECRET})
    shop.absorb()
    shop.event(user, {"street": SECRET, "amount": 5})
    erasures.request(shop.customer.m, user, "a test")
    shop.event(user, {"amount": 7}, received=now_ms() + 5)
    shop.absorb()

    assert shop.profile(user).attributes == {"amount": 7}


def test_platform_that_cannot_be_told__is_noted_and_the_id_goes(shop: Shop) -> None:
    shop.attribute("amount", "number")
    platform = shop.platform()
    settings_ = {name: call for name, call in platform.settings.items() if name != "remove"}
    Platform.objects.filter(pk=platform.pk).update(settings={**settings_, "removal": "none"})
    platform.refresh_from_db()
    shop.activation(shop.audience("buyers", rule("attribute.amount", ">", 100)), platform)
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.sync(user, platform, "kept-id")
    shop.absorb()
    shop.accept_all_deliveries()

    erasure = erasures.request(shop.customer.m, user, "a test")
    shop.absorb()
    Delivery.objects.update(due_at=None)  # as the engine does where nobody can be told
    erasures.carry_on()

    erasure.refresh_from_db()
    assert erasure.platforms == {str(platform.pl): {"kept": 1}}
    assert traces(["kept-id"]) == []


def test_platform_that_cannot_be_used_now__is_waited_for_until_it_is_mended(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    first, _ = known(shop, ads)
    shop.accept_all_deliveries()
    erasure = erasures.request(shop.customer.m, first, "a test")
    shop.absorb()
    Delivery.objects.update(due_at=None)  # as if it had been given up for now
    Platform.objects.filter(pk=ads.pk).update(connector="gone")

    settle(shop)
    erasure.refresh_from_db()
    assert (erasure.platforms, erasure.finished_at) == ({str(ads.pl): {"open": 1}}, None)

    Platform.objects.filter(pk=ads.pk).update(connector=ads.connector)
    shop.accept_all_deliveries()
    settle(shop)
    erasure.refresh_from_db()
    assert erasure.platforms == {str(ads.pl): {"acknowledged": 1}}


def test_platform_that_never_answers__is_given_up_after_its_time(shop: Shop, ads: Platform, buyers: Activation) -> None:
    first, _ = known(shop, ads)
    shop.accept_all_deliveries()
    erasure = erasures.request(shop.customer.m, first, "a test")
    settle(shop)
    erasure.refresh_from_db()
    assert (erasure.platforms, erasure.finished_at) == ({str(ads.pl): {"open": 1}}, None)

    Erasure.objects.update(requested_at=erasure.requested_at - erasures.GIVEN_UP_AFTER - timedelta(days=1))
    erasures.carry_on()

    erasure.refresh_from_db()
    assert erasure.platforms == {str(ads.pl): {"given_up": 1}}
    assert traces(["platform-id-77"]) == []


def test_id_that_somebody_else_has_by_now__stays_theirs(shop: Shop, ads: Platform, buyers: Activation) -> None:
    first, _ = known(shop, ads)
    heir = somebody()
    shop.event(heir, {"amount": 200})
    shop.sync(heir, ads, "platform-id-77")
    shop.absorb()

    erasures.request(shop.customer.m, first, "a test")
    settle(shop)

    assert shop.wanted(buyers) == {"platform-id-77"}
    assert shop.named(f"platform:{ads.pl}", "platform-id-77") == heir


def test_import_files__of_the_customer__go_with_the_user(shop: Shop, ads: Platform, monkeypatch: Any) -> None:
    from pipeline.imports import files
    from pipeline.models import Import

    user = somebody()
    row = Import.objects.create(
        customer=shop.customer,
        pixel=shop.pixel,
        name="people.csv",
        kept=True,
        format="csv",
        status="done",
        created_at=datetime.now(UTC),
    )
    errors: Path = files.errors_file(row.pk)
    errors.write_text(json.dumps({"row": 1, "message": SECRET}), encoding="utf-8")

    erasures.request(shop.customer.m, user, "a test")
    settle(shop)

    assert not errors.exists()


# ── whose an id is ────────────────────────────────────────────────────────────────────────────────────


def merged(shop: Shop) -> tuple[UUID, UUID]:
    """Two browsers of one person: the customer's own id names the younger, which was merged into the older."""
    older, younger = in_bucket(1, 1), in_bucket(2, 2)
    device: Id = ("device:devid_g", "device-1234")
    shop.event(older, {"street": SECRET}, ids=[device], received=now_ms() - 5_000)
    shop.absorb()
    shop.event(younger, {"UserId": OWN_ID}, ids=[("user", OWN_ID)], received=now_ms() - 4_000)
    shop.absorb()
    shop.event(younger, None, ids=[device], received=now_ms() - 3_000)
    shop.absorb()
    assert shop.profile(younger).merged_into == older
    assert shop.named("user", OWN_ID) == younger
    return older, younger


@pytest.mark.parametrize("asked", [0, 1], ids=["the survivor", "the merged one"])
def test_own_id__that_still_names_a_merged_profile__goes_with_the_person(shop: Shop, asked: int) -> None:
    users = merged(shop)

    erasures.request(shop.customer.m, users[asked], "a test")
    shop.event(None, {"street": SECRET}, ids=[("user", OWN_ID)], received=now_ms() - 2_000)
    settle(shop)

    assert traces([*map(str, users), OWN_ID, "device-1234", SECRET]) == []


def test_ids_set_aside_and_logins__of_an_erased_person__are_nowhere(shop: Shop) -> None:
    person, other, browser = somebody(), somebody(), somebody()
    shop.event(person, {"UserId": OWN_ID}, ids=[("user", OWN_ID)])
    shop.event(browser, {"UserId": "another"}, ids=[("user", "another")])
    shop.absorb()
    shop.event(browser, {"UserId": OWN_ID}, ids=[("user", OWN_ID)])  # the person logs in there
    shop.event(other, None, ids=[("device:devid_g", f"device-{n}") for n in range(50)])
    shop.absorb()
    shop.event(other, None, ids=[("user", OWN_ID)])
    shop.absorb()
    assert {table for table, _ in traces([OWN_ID])} >= {"profile", "identity", "shared_id"}

    erasures.request(shop.customer.m, person, "a test")
    settle(shop)

    assert traces([OWN_ID]) == []
    assert shop.profile(browser).attributes == {"UserId": "another"}


def test_id_that_was_given_up__goes_with_who_had_it(shop: Shop, ads: Platform, buyers: Activation) -> None:
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.sync(user, ads, "platform-id-77")
    shop.absorb()
    shop.sync(user, ads, "")
    shop.absorb()
    shop.accept_all_deliveries()

    erasures.request(shop.customer.m, user, "a test")
    settle(shop)
    settle(shop)

    assert traces(["platform-id-77", str(user)]) == []


def test_delivery_of_another_customer__for_the_same_browser__stays(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    rival = Customer.objects.create(m=2, name="Rival")
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.sync(user, ads, "platform-id-77")
    event = Event(rival.m, shop.pixel.id, now_ms(), str(user), True)
    shop.append(buckets.of_user(user), InboxKind.EVENT, msgspec.json.encode(event))
    shop.absorb()
    shop.accept_all_deliveries()

    erasures.request(rival.m, user, "a test")
    settle(shop)

    assert shop.wanted(buyers) == {"platform-id-77"}
    assert not Profile.objects.filter(customer_id=rival.m).exists()


# ── what is under way ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_syncs_under_way__of_many_who_are_erased__bring_nobody_back(
    shop: Shop, ads: Platform, buyers: Activation, batches: int
) -> None:
    users = [somebody() for _ in range(60)]
    for user in users:
        shop.event(user, {"amount": 150})
    shop.absorb()
    for number, user in enumerate(users):
        shop.sync(user, ads, f"platform-id-{number}.")
    for _ in range(batches):
        shop.absorber.absorb()

    for user in users:
        erasures.request(shop.customer.m, user, "a test")
    settle(shop)
    shop.accept_all_deliveries()
    settle(shop)

    assert not Profile.objects.exists()
    assert not UserMapping.objects.exists()
    assert traces([*map(str, users), *(f"platform-id-{number}." for number in range(60))]) == []
    assert not Erasure.objects.filter(finished_at=None).exists()


@pytest.mark.parametrize("rows", range(8))
def test_id_that_is_handed_over__while_its_user_is_erased__is_removed_by_the_platform(
    shop: Shop, ads: Platform, buyers: Activation, rows: int
) -> None:
    older, younger = in_bucket(1, 1), in_bucket(2, 2)
    device: Id = ("device:devid_g", "device-1234")
    shop.event(older, {"amount": 150}, ids=[device], received=now_ms() - 5_000)
    shop.event(younger, {"amount": 150}, received=now_ms() - 4_000)
    shop.sync(younger, ads, "platform-id-77")
    shop.absorb()
    shop.accept_all_deliveries()
    assert shop.wanted(buyers) == {"platform-id-77"}
    shop.event(younger, None, ids=[device], received=now_ms() - 3_000)  # now the two become one
    for _ in range(rows):
        one_row(shop)

    erasure = erasures.request(shop.customer.m, older, "a test")
    settle(shop)
    assert shop.due() == {("platform-id-77", False)}
    erasure.refresh_from_db()
    assert (erasure.platforms, erasure.finished_at) == ({str(ads.pl): {"open": 1}}, None)
    shop.accept_all_deliveries()
    settle(shop)

    erasure.refresh_from_db()
    assert erasure.platforms == {str(ads.pl): {"acknowledged": 1}}
    assert traces([str(older), str(younger), "platform-id-77", "device-1234"]) == []


def one_row(shop: Shop) -> None:
    """Absorb the row that was accepted first, alone."""
    row = Inbox.objects.order_by("id").first()
    if row is not None:
        shop.absorber._attempt(lambda cursor: try_lock(cursor, {row.bucket}), 1, InboxQueue.PROMPT)


def test_epoch_of_an_id__that_was_erased_and_comes_again__goes_on(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    first, second = somebody(), somebody()
    shop.sync(first, ads, "platform-id-77")
    shop.absorb()
    epoch = shop.identity(f"platform:{ads.pl}", "platform-id-77").epoch
    erasures.request(shop.customer.m, first, "a test")
    settle(shop)
    assert traces(["platform-id-77"]) == []

    shop.event(second, {"amount": 150})
    shop.sync(second, ads, "platform-id-77")
    shop.absorb()

    assert shop.identity(f"platform:{ads.pl}", "platform-id-77").epoch > epoch
    assert shop.wanted(buyers) == {"platform-id-77"}


@pytest.mark.parametrize("epochs", [(1, 3), (3, 1)])
def test_matches_of_two_epochs__in_one_batch__the_later_holds(
    shop: Shop, ads: Platform, buyers: Activation, epochs: tuple[int, int]
) -> None:
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.absorb()
    for epoch in epochs:
        mapped = Mapped(shop.customer.m, ads.pl, "platform-id-77", str(user), epoch, now_ms())
        shop.append(buckets.of_user(user), InboxKind.MAPPED, msgspec.json.encode(mapped))
    shop.absorb()

    assert UserMapping.objects.get(user_id=user).epoch == 3


def test_profiles_merged_in_a_circle__make_a_bad_row_and_hold_up_nobody(shop: Shop) -> None:
    one, other = in_bucket(1, 1), in_bucket(2, 2)
    for user in (one, other):
        shop.event(user, {"amount": 1})
    shop.absorb()
    Profile.objects.filter(user_id=one).update(merged_into=other)
    Profile.objects.filter(user_id=other).update(merged_into=one)

    shop.event(one, {"amount": 2})
    shop.absorb()

    assert ["circle" in row.reason for row in shop.bad_rows()] == [True]


# ── what comes after an erasure, on ways that are older ───────────────────────────────────────────────


def put_first(row: int) -> None:
    """Have a row of the inbox absorbed before what its bucket got earlier."""
    same = "bucket = (SELECT bucket FROM inbox WHERE id = %s)"
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE inbox SET id = id + 1000000 WHERE id <> %s AND {same}", [row, row])


@pytest.mark.parametrize("rows", range(6))
def test_event_of_a_merged_browser__after_the_erasure__is_that_browsers_alone(shop: Shop, rows: int) -> None:
    older, younger = merged(shop)
    with locked({buckets.of_user(younger)}):
        erasures.request(shop.customer.m, older, "a test")
        for _ in range(rows):
            shop.absorber.absorb()
    again = ("device:devid_a", "device-77")
    row = shop.event(younger, {"amount": 7}, ids=[again], received=now_ms() + 5)
    put_first(row)
    settle(shop)

    assert shop.profile(younger).attributes == {"amount": 7}
    assert shop.named(*again) == younger
    assert traces([str(older), OWN_ID, "device-1234", SECRET]) == []


@pytest.mark.parametrize("kind", ["user", "device:devid_g"])
def test_event_by_an_id__after_the_erasure__makes_a_new_user(shop: Shop, kind: str) -> None:
    user, one = in_bucket(1, 1), (kind, OWN_ID)
    shop.event(user, {"street": SECRET}, ids=[one], received=now_ms() - 5_000)
    shop.absorb()
    erasures.request(shop.customer.m, user, "a test")
    with locked({buckets.of_value(OWN_ID)}):
        shop.absorb()  # the user is erased, the id still names the user
    row = shop.event(None, {"amount": 7}, ids=[one], received=now_ms() + 5)
    put_first(row)
    settle(shop)

    profile = Profile.objects.get()
    assert (profile.attributes, profile.user_id != user) == ({"amount": 7}, True)
    assert shop.named(*one) == profile.user_id
    assert traces([str(user), SECRET]) == []


def test_match_of_a_merged_browser__after_the_erasure__is_that_browsers_alone(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    older, younger = merged(shop)
    with locked({buckets.of_user(younger)}):
        erasures.request(shop.customer.m, older, "a test")
        shop.absorb()
    shop.sync(younger, ads, "platform-id-77")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inbox SET received_at = received_at + interval '1 second' WHERE kind = 2")
        cursor.execute("UPDATE inbox SET id = id + 1000000 WHERE kind <> 2")  # the match comes there before the erasure
    settle(shop)

    assert shop.named(f"platform:{ads.pl}", "platform-id-77") == younger
    assert shop.mappings(younger) == {(ads.pl, "platform-id-77")}
    assert traces([str(older), OWN_ID, "device-1234", SECRET]) == []


def test_browser_in_which_an_erased_user_is_logged_in__is_its_own_users_again(shop: Shop) -> None:
    person, browser = in_bucket(1, 1), in_bucket(2, 2)
    shop.event(person, {"street": SECRET}, ids=[("user", OWN_ID)], received=now_ms() - 5_000)
    shop.event(browser, {"amount": 1}, ids=[("user", "another")], received=now_ms() - 5_000)
    shop.absorb()
    shop.event(browser, None, ids=[("user", OWN_ID)], received=now_ms() - 4_000)
    shop.absorb()

    erasures.request(shop.customer.m, person, "a test")
    shop.event(browser, {"amount": 7}, at=now_ms() + 5, received=now_ms() + 5)
    settle(shop)

    assert shop.profile(browser).attributes == {"amount": 7}
    assert traces([str(person), OWN_ID, SECRET]) == []


def test_what_a_browser_sent_for_its_login__before_the_erasure_but_absorbed_after_it__is_erased(
    shop: Shop, ads: Platform
) -> None:
    person, browser = in_bucket(1, 1), in_bucket(2, 2)
    shop.event(person, ids=[("user", OWN_ID)])
    shop.event(browser, {"amount": 1}, ids=[("user", "another")])
    shop.absorb()
    shop.event(browser, None, ids=[("user", OWN_ID)])
    shop.absorb()

    with locked({buckets.of_user(browser)}):
        shop.sync(browser, ads, "platform-id-77")
        shop.event(browser, {"street": SECRET})
        shop.absorb()
        erasures.request(shop.customer.m, person, "a test")
        shop.absorb()
    settle(shop)

    assert traces([SECRET, OWN_ID, "platform-id-77"]) == []
    assert shop.profile(browser).attributes == {"amount": 1}


def test_logins_of_a_user_whom_retention_erases__are_forgotten(shop: Shop) -> None:
    person, browser = in_bucket(1, 1), in_bucket(2, 2)
    shop.event(person, {"street": SECRET}, ids=[("user", OWN_ID)])
    shop.event(browser, {"amount": 1}, ids=[("user", "another")])
    shop.absorb()
    shop.event(browser, None, ids=[("user", OWN_ID)])
    shop.absorb()
    assert {table for table, _ in traces([OWN_ID])} >= {"profile", "identity"}

    send([erasures.command(shop.customer.m, person, datetime.now(UTC))])
    shop.absorb()

    assert traces([str(person), OWN_ID]) == []
    assert shop.profile(browser).login == ""


# ── how far it has come ───────────────────────────────────────────────────────────────────────────────


def test_erasure__of_more_ids_than_a_page__settles_those_behind_the_ones_that_wait(
    shop: Shop, ads: Platform, buyers: Activation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasures, "AT_ONCE", 2)
    user = somebody()
    shop.event(user, {"amount": 150})
    for number in range(7):
        shop.sync(user, ads, f"platform-id-{number}.")
    shop.absorb()
    shop.accept_all_deliveries()
    erasure = erasures.request(shop.customer.m, user, "a test")
    settle(shop)
    waiting = list(Delivery.objects.order_by("bucket").values_list("platform_user_id", flat=True)[:2])
    Delivery.objects.exclude(platform_user_id__in=waiting).update(acknowledged=False, due_at=None)
    settle(shop)

    erasure.refresh_from_db()
    assert erasure.platforms == {str(ads.pl): {"acknowledged": 5, "open": 2}}


def test_erasures__more_than_one_round_looks_at__all_have_their_turn(
    shop: Shop, ads: Platform, buyers: Activation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasures, "AT_ONCE", 2)
    users = [somebody() for _ in range(5)]
    for number, user in enumerate(users):
        shop.event(user, {"amount": 150})
        shop.sync(user, ads, f"platform-id-{number}.")
    shop.absorb()
    shop.accept_all_deliveries()
    proofs = [erasures.request(shop.customer.m, user, "a test") for user in users]
    settle(shop)
    assert not Erasure.objects.filter(swept_at=None).exists()

    Delivery.objects.filter(user_id=proofs[-1].id).update(acknowledged=False, due_at=None)
    for _ in range(3):
        erasures.carry_on()

    proofs[-1].refresh_from_db()
    assert proofs[-1].finished_at is not None
