"""Texts that quote the ids of erased users: the log of requests, errors, letters, names of files."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from activation.models import Activation, Batch, DeadLetter, Delivery, Health, Lane, LetterReplay, UploadedFile
from activation.stores.quoted_texts import ERASED
from audiences.models import Audience
from core import clock, problems
from core.buckets import of_user, of_value, try_lock
from core.inbox import InboxKind, InboxQueue
from core.messages import Match
from core.models import Inbox
from integrations.models import Platform
from lookalikes.models import LookalikeModel, LookalikeRun
from pipeline.models import Erasure, Import
from pipeline.privacy import erasures
from profiles import attribute_sampling
from profiles.models import Profile
from tests.support.shop import Shop, in_bucket, now_ms, somebody
from tests.support.traces import traces


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasures, "LINGER", timedelta(0))
    monkeypatch.setattr(attribute_sampling, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(attribute_sampling, "KNOWN_SECONDS", 0.0)


def known(shop: Shop, ads: Platform, value: str) -> UUID:
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.sync(user, ads, value)
    shop.absorb()
    shop.accept_all_deliveries()
    return user


def settle(shop: Shop) -> None:
    shop.absorb()
    erasures.carry_on()


def log(ads: Platform, text: str, *, began: datetime | None = None, status: str = "done") -> Batch:
    return Batch.objects.create(
        bucket=0,
        id=somebody(),
        platform_id=ads.pl,
        operation="add",
        status=status,
        rows=1,
        started_at=began or clock.now(),
        request_excerpt=text,
    )


def texts() -> set[str]:
    return set(Batch.objects.values_list("request_excerpt", flat=True))


def test_erased_id_of_one_character__empties_only_the_texts_that_quote_it(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    user = known(shop, ads, "1")
    log(ads, '[{"userid":"1"},{"userid":"33"}]')
    log(ads, '[{"userid":"21"}] took 1.5 s')
    for number, reason in enumerate(["1 is refused", "100 are refused"]):
        DeadLetter.objects.create(
            bucket=1,
            activation_id=buyers.pk,
            platform_user_id=f"other-{number}",
            platform_id=ads.pl,
            user_id=somebody(),
            operation="add",
            reason=reason,
            attempts=1,
            died_at=clock.now(),
        )

    erasures.request(shop.customer.m, user, "a test")
    settle(shop)
    shop.accept_all_deliveries()
    settle(shop)

    assert texts() == {"", '[{"userid":"21"}] took 1.5 s'}
    assert set(DeadLetter.objects.values_list("reason", flat=True)) == {"", "100 are refused"}
    assert not Erasure.objects.filter(finished_at=None).exists()


@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "by retention"])
def test_record_of_a_request__completed_long_after_its_outcome__quotes_no_erased_id(
    shop: Shop, ads: Platform, buyers: Activation, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = known(shop, ads, "platform-id-77")
    began = clock.now()  # a request that began before the erasure, and that removes the id
    batch = log(ads, "", began=began, status=Batch.Status.SENDING)
    lane = Lane.objects.create(platform_id=ads.pl, lane=0, leased_until=clock.now() + timedelta(hours=1))
    if asked:
        erasures.request(shop.customer.m, user, "a test")
    else:
        command = erasures.command(shop.customer.m, user, clock.now())
        shop.append(command.bucket, command.kind, command.query, at=command.received_at)
    settle(shop)
    shop.accept_all_deliveries()
    settle(shop)

    monkeypatch.setattr(clock, "ahead", timedelta(minutes=5))  # its sender is slow to write down what it sent
    settle(shop)
    Batch.objects.filter(pk=batch.pk).update(status="done", request_excerpt='[{"userid":"platform-id-77"}]')
    Lane.objects.filter(pk=lane.pk).update(leased_until=None)
    settle(shop)

    assert traces(["platform-id-77"]) == set()
    assert not Erasure.objects.filter(finished_at=None).exists()


QUOTE = "HTTP 403 platform-id-77 is not welcome"


def quote_everywhere(shop: Shop, ads: Platform, buyers: Activation, other: str) -> None:
    """What a platform answered stands beside the activation, its health, a file and another's delivery and letter."""
    now = clock.now()
    Activation.objects.filter(pk=buyers.pk).update(last_error=QUOTE)
    Health.objects.update_or_create(platform_id=ads.pl, defaults={"reason": QUOTE, "changed_at": now})
    UploadedFile.objects.update_or_create(
        platform_id=ads.pl,
        file_name="a.csv",
        defaults={"batch": somebody(), "rows": 1, "fate": "refused", "reason": QUOTE, "uploaded_at": now},
    )
    Delivery.objects.filter(platform_user_id=other).update(error=QUOTE, due_at=now)
    log(ads, QUOTE)


def test_answers_that_quote_an_id__wherever_they_stand__go_with_the_erasure_and_again_with_the_removal(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    user = known(shop, ads, "platform-id-77")
    known(shop, ads, "platform-id-78")
    quote_everywhere(shop, ads, buyers, "platform-id-78")
    audience = Audience.objects.get(pk=buyers.audience_id)
    LookalikeRun.objects.create(audience=audience, error=QUOTE)
    LookalikeModel.objects.create(audience=audience, number=1, random_state=1, refusal=QUOTE, made_at=clock.now())
    LetterReplay.objects.create(
        customer_id=shop.customer.m, reason="platform-id-77", letters=0, requested_at=clock.now()
    )

    erasures.request(shop.customer.m, user, "a test")
    shop.absorb()  # compiles the configuration, which forgets problems that are none
    problems.note((problems.Subject.AUDIENCE, audience.pk), shop.customer.m, QUOTE)
    erasures.carry_on()
    assert {place for place, _ in traces(["platform-id-77"])} == {"delivery", "identity"}  # until it is removed
    assert problems.of("audience", [audience.pk]) == {audience.pk: ERASED}

    quote_everywhere(shop, ads, buyers, "platform-id-78")
    shop.accept_all_deliveries()
    Delivery.objects.filter(platform_user_id="platform-id-78").update(error=QUOTE, due_at=clock.now())
    settle(shop)

    assert traces(["platform-id-77"]) == set()
    buyers.refresh_from_db()
    assert buyers.last_error == ERASED


@pytest.mark.parametrize(
    ("first", "given_up", "days"),
    [
        (InboxKind.SYNC, False, 3),
        (InboxKind.SYNC, True, 3),
        (InboxKind.ERASE, False, 0),
        (InboxKind.ERASE, True, 3),
    ],
)
def test_id_of_another__synced_with_who_is_then_erased__is_in_no_text_however_old(
    shop: Shop, ads: Platform, buyers: Activation, first: InboxKind, given_up: bool, days: int
) -> None:
    former, erased = known(shop, ads, "platform-id-77"), in_bucket(5, 5)
    known(shop, ads, "platform-id-78")
    quote_everywhere(shop, ads, buyers, "platform-id-78")
    log(ads, QUOTE, began=clock.now() - timedelta(days=days))
    shop.event(former, {"amount": "platform-id-77"})  # a bad row
    if given_up:
        shop.sync(former, ads, "")
    shop.absorb()
    assert {"batch", "bad_row", "delivery"} <= {place for place, _ in traces(["platform-id-77"])}

    shop.sync(erased, ads, "platform-id-77")
    erasures.request(shop.customer.m, erased, "a test")
    row = Inbox.objects.get(kind=first)
    shop.absorber._attempt(lambda cursor: try_lock(cursor, {row.bucket}), 1, InboxQueue.PROMPT)
    settle(shop)
    shop.accept_all_deliveries()
    settle(shop)

    assert traces(["platform-id-77", str(erased)]) == set()
    assert not Erasure.objects.filter(finished_at=None).exists()
    assert Profile.objects.filter(user_id=former).exists()


@pytest.mark.parametrize("again", [False, True], ids=["matched once", "synced again by the former owner"])
def test_id_of_another__matched_by_a_file_with_who_is_then_erased__is_in_no_text(
    shop: Shop, ads: Platform, buyers: Activation, again: bool
) -> None:
    key = ("user", "customer-0815")
    former = known(shop, ads, "platform-id-77")
    shop.event(somebody(), {"amount": 1}, ids=[key])
    shop.absorb()
    erased = shop.named(*key)
    assert erased is not None
    log(ads, QUOTE, began=clock.now() - timedelta(days=3))
    match = Match(shop.customer.m, ads.pl, "platform-id-77", key, now_ms())
    at = clock.now()
    erasures.request(shop.customer.m, erased, "a test")
    shop.absorb()
    shop.append(of_value(key[1]), InboxKind.MATCH, msgspec.json.encode(match), at=at)  # the erasure overtook it
    if again:
        shop.sync(former, ads, "platform-id-77")
        shop.absorber._attempt(lambda cursor: try_lock(cursor, {of_value("platform-id-77")}), 1, InboxQueue.PROMPT)
    settle(shop)
    shop.accept_all_deliveries()
    settle(shop)

    assert "platform-id-77" not in "".join(texts())
    assert shop.wanted(buyers) == ({"platform-id-77"} if again else set())
    assert again or traces(["platform-id-77"]) == set()


def test_id_that_nobody_had__whose_sync_comes_after_the_erasure__is_in_no_text(shop: Shop, ads: Platform) -> None:
    user = in_bucket(5, 5)
    shop.sync(user, ads, "platform-id-77")
    erasures.request(shop.customer.m, user, "a test")
    log(ads, QUOTE)
    shop.absorber._attempt(lambda cursor: try_lock(cursor, {of_user(user)}), 1, InboxQueue.PROMPT)
    settle(shop)

    assert "platform-id-77" not in "".join(texts())


def test_id_of_another__who_has_it_again_after_the_erasure__stays_theirs(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    former, erased = known(shop, ads, "platform-id-77"), in_bucket(5, 5)
    shop.sync(erased, ads, "platform-id-77")
    erasures.request(shop.customer.m, erased, "a test")
    shop.absorber._attempt(lambda cursor: try_lock(cursor, {of_user(erased)}), 1, InboxQueue.PROMPT)
    shop.sync(former, ads, "platform-id-77")
    settle(shop)
    shop.accept_all_deliveries()
    settle(shop)

    assert shop.named(f"platform:{ads.pl}", "platform-id-77") == former
    assert shop.wanted(buyers) == {"platform-id-77"}
    assert not Erasure.objects.filter(finished_at=None).exists()


def test_names_of_imported_files__go_with_an_erasure(shop: Shop) -> None:
    day = timedelta(days=1)
    for status, created_in in [("done", -day), ("running", -day), ("done", day)]:
        Import.objects.create(
            customer=shop.customer,
            pixel=shop.pixel,
            name="kensington.csv",
            path="/home/kensington.csv",
            kept=False,
            format="csv",
            status=status,
            error="kensington.csv: no column names the user",
            created_at=datetime.now(UTC) + created_in,
        )
    user = somebody()

    erasures.request(shop.customer.m, user, "a test")
    settle(shop)

    said = [(one.name == f"import-{one.pk}", one.path, one.error) for one in Import.objects.order_by("pk")]
    kept = ("/home/kensington.csv", "kensington.csv: no column names the user")
    assert said == [(True, "", ""), (True, *kept), (False, *kept)]


def test_user_whom_retention_found_unseen__and_who_comes_back_before__stays(shop: Shop) -> None:
    user = somebody()
    shop.event(user, {"amount": 1}, received=now_ms() - 5_000)
    shop.absorb()
    command = erasures.command(shop.customer.m, user, datetime.now(UTC))

    shop.event(user, {"amount": 2})
    shop.absorb()
    shop.append(of_user(user), InboxKind.ERASE, command.query, at=command.received_at)
    shop.absorb()

    assert Profile.objects.get(user_id=user).attributes == {"amount": 2}
    assert shop.total(user) == 2
