"""One user's story, and the lists of what happened."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activation.models import Activation, Batch, DeadLetter, Delivery
from audiences.models import Audience, Membership
from core import buckets
from core.inbox import InboxKind
from core.models import BadRow, Customer
from integrations.models import Platform
from profiles.models import Identity, Profile, ProfileMerge, SharedId
from tests.support.api_caller import Caller, caller
from usersync.models import UserMapping

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
USER = uuid.UUID("5b0d4c3e-9f63-4d25-8c0e-30f2a6c1d7aa")
MERGED = uuid.UUID("00000000-0000-4000-8000-000000000001")


def profile(customer: Customer, user_id: uuid.UUID, **fields: Any) -> Profile:
    return Profile.objects.create(
        bucket=buckets.of_user(user_id),
        customer_id=customer.m,
        user_id=user_id,
        created_at=NOW,
        updated_at=NOW,
        **fields,
    )


@pytest.fixture
def told(shop: Customer, audience: Audience, platform: Platform) -> Activation:
    """A user with one of everything."""
    unix_ms = int(NOW.timestamp() * 1000)
    seen = {"7": {"first": unix_ms, "last": unix_ms + 1000, "total": 3, "days": {}}}
    ids = [["user", "C-1"], [f"platform:{platform.pk}", "abc"]]
    profile(shop, USER, attributes={"Age": 3}, dimensions={"_geo_c": "DEU"}, activity=seen, ids=ids)
    profile(shop, MERGED, merged_into=USER)
    of_user = {"bucket": buckets.of_user(USER), "customer_id": shop.m}
    cause = {"kind": "device:devid_g", "value": "g", "pixel_id": 7}
    ProfileMerge.objects.create(**of_user, winner=USER, loser=MERGED, at=NOW, **cause)
    SharedId.objects.create(**of_user, user_id=USER, kind="user", value="test", times=3, first_at=NOW, last_at=NOW)
    for kind, value in ids:
        Identity.objects.create(
            bucket=buckets.of_value(value), customer_id=shop.m, kind=kind, value=value, user_id=USER, since=NOW
        )
    own = {"bucket": buckets.of_user(USER), "user_id": USER, "customer_id": shop.m}
    UserMapping.objects.create(**own, platform_id=platform.pk, platform_user_id="abc", epoch=1, synced_at=NOW)
    until = NOW + timedelta(days=2)
    Membership.objects.create(**own, audience_id=audience.pk, member=True, since=NOW, look_again_at=until)
    activation = Activation.objects.create(audience=audience, platform=platform)
    Delivery.objects.create(
        bucket=buckets.of_value("abc"),
        activation_id=activation.pk,
        platform_user_id="abc",
        platform_id=platform.pk,
        user_id=USER,
        epoch=1,
        version=1,
        wanted=True,
        acknowledged=False,
        due_at=NOW,
        changed_at=NOW,
    )
    return activation


def test_story__of_a_user__is_whole(admin: Caller, told: Activation) -> None:
    answer = admin.get(f"users/{USER}/?customer=1")

    at = "2026-03-01T12:00:00Z"
    assert answer.body == {
        "user_id": str(USER),
        "customer": 1,
        "created_at": at,
        "attributes": {"Age": 3},
        "dimensions": {"_geo_c": "DEU"},
        "activity": {"7": {"first": at, "last": "2026-03-01T12:00:01Z", "count": 3}},
        "identities": [
            {"kind": f"platform:{told.platform_id}", "value": "abc"},
            {"kind": "user", "value": "C-1"},
        ],
        "merges": [
            {
                "user_id": str(MERGED),
                "into": str(USER),
                "cause": {"kind": "device:devid_g", "value": "g", "pixel": 7},
                "at": at,
            },
        ],
        "set_aside": [{"kind": "user", "value": "test", "times": 3, "first_at": at, "last_at": at}],
        "size": {"attributes": 1, "bytes": 9, "most_attributes": 2000, "most_bytes": 524288},
        "excess": None,
        "mappings": [
            {
                "platform": told.platform_id,
                "platform_user_id": "abc",
                "synced_at": at,
                "expires_at": None,
                "extra": {},
            }
        ],
        "audiences": [{"id": told.audience_id, "name": "Visitors", "since": at, "until": "2026-03-03T12:00:00Z"}],
        "deliveries": [
            {
                "activation": told.pk,
                "platform": told.platform_id,
                "platform_user_id": "abc",
                "wanted": True,
                "acknowledged": False,
                "state": "due",
                "at": at,
                "error": "",
            }
        ],
    }


@pytest.mark.usefixtures("told")
def test_hot_ids__are_listed_to_those_who_may_see_them(admin: Caller, rival: Customer) -> None:
    (hot,) = admin.get("hot-ids/?kind=user").body["results"]
    assert (hot["customer"], hot["user_id"], hot["value"], hot["times"]) == (1, str(USER), "test", 3)
    assert caller("marketer", rival).get("hot-ids/").body["results"] == []


@pytest.mark.usefixtures("told")
def test_story__of_a_merged_id__is_the_survivors(admin: Caller) -> None:
    assert admin.get(f"users/{MERGED}/?customer=1").body["user_id"] == str(USER)


@pytest.mark.usefixtures("shop")
def test_story__ids_merged_in_a_circle__are_nobodys(admin: Caller, rival: Customer) -> None:
    profile(rival, USER, merged_into=MERGED)
    profile(rival, MERGED, merged_into=USER)

    assert admin.get(f"users/{USER}/?customer=2").status == 404


@pytest.mark.usefixtures("told")
def test_story__asked_wrongly__is_refused(admin: Caller, shop: Customer, rival: Customer) -> None:
    assert admin.get(f"users/{USER}/").places == [("customer", "required")]
    assert admin.get(f"users/{USER}/?customer=x").status == 400
    assert admin.get(f"users/{uuid.uuid4()}/?customer=1").status == 404
    assert admin.get("users/not-a-uuid/?customer=1").status == 404
    assert admin.call("put", f"users/{USER}/?customer=1", {}).status == 405
    assert caller("marketer", rival).get(f"users/{USER}/?customer=1").status == 404
    assert caller("marketer", rival).get(f"users/{USER}/").status == 404
    assert caller("marketer", shop).get(f"users/{USER}/").status == 200
    assert caller("analyst", shop).get(f"users/{USER}/").status == 403


def test_mappings__by_platform_and_by_user__are_the_same(admin: Caller, told: Activation, rival: Customer) -> None:
    by_platform = admin.get(f"mappings/?platform={told.platform_id}").body["results"]

    assert [row["platform_user_id"] for row in by_platform] == ["abc"]
    assert admin.get(f"mappings/?user_id={USER}").body["results"] == by_platform
    assert admin.get("mappings/").status == 400
    assert caller("admin", rival).get(f"mappings/?user_id={USER}").body["results"] == []


def test_batches__filtered__are_newest_first_and_each_customers_own(
    admin: Caller, told: Activation, rival: Customer
) -> None:
    for minute, status in enumerate(("done", "failed", "done")):
        Batch.objects.create(
            bucket=minute,
            id=uuid.uuid4(),
            platform_id=told.platform_id,
            activations=[told.pk, 99] if minute else [99],
            operation="add",
            status=status,
            rows=minute,
            started_at=NOW + timedelta(minutes=minute),
        )

    def rows(query: str, by: Caller = admin) -> list[int]:
        return [row["rows"] for row in by.get(f"batches/{query}").body["results"]]

    assert rows("") == [2, 1, 0]
    assert rows(f"?activation={told.pk}") == [2, 1]
    assert rows("?status=done") == [2, 0]
    assert rows("?started_after=2026-03-01T12:01:00Z&started_before=2026-03-01T12:02:00Z") == [1]
    assert rows("", caller("analyst", rival)) == []


def test_bad_rows__replayed__are_back_in_the_inbox(admin: Caller, shop: Customer, rival: Customer) -> None:
    for number, customer in enumerate((shop, rival, shop)):
        BadRow.objects.create(
            bucket=number,
            id=number + 1,
            customer_id=customer.m,
            kind=InboxKind.EVENT,
            query=b'{"customer":1}',
            body=b"\xff",
            reason="broken",
            received_at=NOW,
            failed_at=NOW + timedelta(seconds=number),
        )
    bound = caller("marketer", rival)

    assert [row["id"] for row in admin.get("bad-rows/").body["results"]] == ["0-1", "1-2", "2-3"]
    assert [row["id"] for row in bound.get("bad-rows/").body["results"]] == ["1-2"]
    assert bound.post("bad-rows/replay/", {"ids": ["0-1", "1-2"]}).body == {"replayed": 1}
    assert admin.post("bad-rows/replay/", {"ids": ["0-1", "9-9"]}).body == {"replayed": 1}
    assert [row["id"] for row in admin.get("bad-rows/").body["results"]] == ["2-3"]


def test_bad_rows__of_a_customer_and_a_reason__are_found_and_replayed_together(
    admin: Caller, shop: Customer, rival: Customer
) -> None:
    for number, (customer, reason) in enumerate(
        [(shop, "Age: no"), (shop, "other"), (rival, "Age: no"), (shop, "age")]
    ):
        BadRow.objects.create(
            bucket=number,
            id=number,
            customer_id=customer.m,
            kind=InboxKind.EVENT,
            query=b"{}",
            reason=reason,
            received_at=NOW,
            failed_at=NOW + timedelta(minutes=number),
        )
    chosen = {"customer": 1, "reason": "age", "failed_before": "2026-03-01T12:03:00Z"}

    found = admin.get("bad-rows/?customer=1&reason=age&failed_before=2026-03-01T12:03:00Z").body["results"]
    assert [row["id"] for row in found] == ["0-0"]
    assert caller("marketer", rival).post("bad-rows/replay/", chosen).status == 404
    assert admin.post("bad-rows/replay/", chosen).body == {"replayed": 1}
    assert admin.post("bad-rows/replay/", {"customer": 1}).body == {"replayed": 2}
    assert [row.customer_id for row in BadRow.objects.all()] == [rival.m]


@pytest.mark.parametrize("body", [{"customer": 1, "ids": ["0-1"]}, {"customer": 1, "since": 3}, {"reason": "x"}])
def test_bad_rows__replay_that_is_not_understood__is_400(admin: Caller, body: object) -> None:
    assert admin.post("bad-rows/replay/", body).status == 400


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": ["1"]}, {"ids": [["1", "1"]]}, []])
def test_bad_rows__unfit_replay__is_400(admin: Caller, body: object) -> None:
    assert admin.post("bad-rows/replay/", body).status == 400


def test_pipeline__of_a_quiet_hub__is_all_zero(admin: Caller) -> None:
    assert set(admin.get("pipeline/").body.values()) == {0}


def test_export__holds_everything_on_the_user__and_nothing_for_another_customer(
    admin: Caller, told: Activation, rival: Customer
) -> None:
    answer = admin.get(f"users/{MERGED}/export/?customer=1")

    assert answer.status == 200
    assert f'filename="user-{MERGED}.json"' in answer.headers["Content-Disposition"]
    assert answer.body["profile"]["attributes"] == {"Age": 3}
    assert answer.body["merged_ids"] == [str(MERGED)]
    assert {row["kind"] for row in answer.body["identities"]} == {"user", f"platform:{told.platform_id}"}
    assert [row["platform_user_id"] for row in answer.body["mappings"]] == ["abc"]
    assert [row["audience"] for row in answer.body["audiences"]] == ["Visitors"]
    assert [row["wanted"] for row in answer.body["deliveries"]] == [True]
    assert admin.get(f"users/{USER}/export/?customer=2").status == 404


def test_export_and_story__of_a_browser_that_another_customer_knows_too__hold_nothing_of_theirs(
    admin: Caller, told: Activation, rival: Customer
) -> None:
    theirs = Platform.objects.create(customer=rival, name="Theirs", connector="none")
    audience = Audience.objects.create(customer=rival, name="Their secret", rule={}, status=Audience.Status.LIVE)
    activation = Activation.objects.create(audience=audience, platform=theirs)
    sent = {"bucket": 3, "activation_id": activation.pk, "platform_user_id": "their-id", "platform_id": theirs.pk}
    state = {"epoch": 1, "version": 1, "wanted": True, "acknowledged": True, "changed_at": NOW}
    Delivery.objects.create(**sent, user_id=USER, **state)
    DeadLetter.objects.create(**sent, user_id=USER, operation="add", reason="no", attempts=1, died_at=NOW)
    of_user = {"bucket": buckets.of_user(USER), "user_id": USER, "customer_id": rival.m}
    Membership.objects.create(**of_user, audience_id=audience.pk, member=True, since=NOW)

    export, story = admin.get(f"users/{USER}/export/?customer=1"), admin.get(f"users/{USER}/?customer=1")

    assert (len(export.body["deliveries"]), export.body["dead_letters"], len(export.body["audiences"])) == (1, [], 1)
    assert (len(story.body["deliveries"]), len(story.body["audiences"])) == (1, 1)
    for answer in (export, story):
        assert "their-id" not in str(answer.body)
        assert "Their secret" not in str(answer.body)


def test_erasure__answers_with_its_proof__which_does_not_name_the_user(admin: Caller, told: Activation) -> None:
    answer = admin.delete(f"users/{USER}/?customer=1", **{"Idempotency-Key": "once"})
    again = admin.delete(f"users/{USER}/?customer=1", **{"Idempotency-Key": "once"})

    assert (answer.status, answer.body["state"], answer.body["customer"]) == (202, "erasing", 1)
    assert answer.body["requested_by"] == "API key admin of a test"
    assert again.body["id"] == answer.body["id"]
    shown = admin.get(f"erasures/{answer.body['id']}/")
    assert shown.body == answer.body
    assert str(USER) not in str(admin.get("erasures/?customer=1").body)
    assert admin.get("erasures/?customer=2").body["results"] == []


def test_erasure__is_not_for_analysts(told: Activation, shop: Customer) -> None:
    assert caller("analyst", shop).delete(f"users/{USER}/").status == 403
