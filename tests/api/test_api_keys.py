"""`api-keys/`: who may see and make them, and when a key is worth something."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core import clock, key_use
from core.models import ApiKey, ApiKeyUse, Customer
from tests.support.api_caller import Caller, caller
from tests.support.console_people import person

BODY: dict[str, Any] = {"name": "Back end", "role": "marketer"}


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    def turn(ahead: timedelta) -> None:
        monkeypatch.setattr(clock, "ahead", ahead)

    return turn


def use_of(row: dict[str, Any]) -> int:
    return Caller(row["key"]).get("customers/").status


def test_api_keys__made__shows_the_key_once(admin: Caller) -> None:
    made = admin.post("api-keys/", BODY, **{"Idempotency-Key": "k"})

    assert made.status == 201
    assert use_of(made.body) == 200
    assert "key" not in admin.get(f"api-keys/{made.body['id']}/").body
    assert admin.post("api-keys/", BODY, **{"Idempotency-Key": "k"}).body["key"] is None
    assert made.body["key"].partition(".")[2] not in str(ApiKey.objects.values())


@pytest.mark.parametrize("role", ["marketer", "analyst"])
def test_api_keys__no_admin__reads_and_writes_none(role: str) -> None:
    other = caller(role)

    assert other.get("api-keys/").status == 403
    assert other.post("api-keys/", BODY).status == 403
    row = ApiKey.objects.get()
    assert [other.patch(f"api-keys/{row.pk}/", {"name": "x"}).status, other.delete(f"api-keys/{row.pk}/").status] == [
        403,
        403,
    ]


def test_api_keys__bound_admin__sees_and_makes_its_customers_only(shop: Customer, rival: Customer) -> None:
    bound = caller("admin", shop)
    foreign = [ApiKey.issue("theirs", "admin", rival)[0], ApiKey.issue("everybody's", "admin", None)[0]]

    assert [row["customer"] for row in bound.get("api-keys/").body["results"]] == [shop.m]
    for row in foreign:
        assert bound.get(f"api-keys/{row.pk}/").status == 404
        assert bound.delete(f"api-keys/{row.pk}/").status == 404
        assert bound.post(f"api-keys/{row.pk}/rotate/").status == 404
    assert bound.post("api-keys/", BODY).places == [("customer", "required")]
    assert bound.post("api-keys/", {**BODY, "customer": None}).places == [("customer", "required")]
    assert bound.post("api-keys/", {**BODY, "customer": rival.m}).places == [("customer", "does_not_exist")]
    assert bound.post("api-keys/", {**BODY, "customer": shop.m}).status == 201


def test_key__expired__is_401(admin: Caller, later: Any) -> None:
    end = clock.now() + timedelta(hours=1)
    made = admin.post("api-keys/", {**BODY, "expires_at": end.isoformat()}).body

    assert (use_of(made), made["status"]) == (200, "valid")
    later(timedelta(hours=1, seconds=1))
    assert use_of(made) == 401
    assert admin.get(f"api-keys/{made['id']}/").body["status"] == "expired"
    past = {"expires_at": datetime(2020, 1, 1, tzinfo=UTC).isoformat()}
    assert admin.post("api-keys/", {**BODY, **past}).places == [("expires_at", "invalid")]


def test_key__revoked__is_401_and_stays_listed(admin: Caller) -> None:
    made = admin.post("api-keys/", BODY).body

    assert admin.delete(f"api-keys/{made['id']}/").status == 204
    assert use_of(made) == 401
    assert admin.get(f"api-keys/{made['id']}/").body["status"] == "revoked"
    assert admin.post(f"api-keys/{made['id']}/rotate/").status == 409


def test_key__rotated__is_valid_with_both_secrets_until_the_overlap_ends(admin: Caller, later: Any) -> None:
    old = admin.post("api-keys/", BODY).body
    new = admin.post(f"api-keys/{old['id']}/rotate/", {"overlap_hours": 2}).body

    assert new["prefix"] == old["prefix"]
    assert (use_of(old), use_of(new)) == (200, 200)
    later(timedelta(hours=2, seconds=1))
    assert (use_of(old), use_of(new)) == (401, 200)
    newest = admin.post(f"api-keys/{old['id']}/rotate/", {"overlap_hours": 0}).body
    assert (use_of(new), use_of(newest)) == (401, 200)
    admin.delete(f"api-keys/{old['id']}/")
    assert (use_of(new), use_of(newest)) == (401, 401)


def test_key__used_from_elsewhere__is_403(admin: Caller) -> None:
    here = admin.post("api-keys/", {**BODY, "allowed_addresses": ["192.0.2.0/24", "127.0.0.1"]}).body
    away = admin.post("api-keys/", {**BODY, "allowed_addresses": ["192.0.2.0/24"]}).body

    assert (use_of(here), use_of(away)) == (200, 403)
    # a client behind no trusted proxy cannot say that it is somebody else
    assert Caller(away["key"]).get("customers/", **{"X-Forwarded-For": "192.0.2.1"}).status == 403
    assert admin.post("api-keys/", {**BODY, "allowed_addresses": ["192.0.2.1/24"]}).status == 400


def test_key__used_often__is_noted_once_a_minute(admin: Caller, later: Any, django_assert_num_queries: Any) -> None:
    admin.get("customers/")
    with django_assert_num_queries(2):  # the key, and the customers
        admin.get("customers/")
    first = ApiKeyUse.objects.get()

    assert first.address == "127.0.0.1"
    later(timedelta(minutes=2))
    shown = admin.get(f"api-keys/{first.api_key_id}/").body
    assert ApiKeyUse.objects.get().used_at > first.used_at
    assert [use["address"] for use in shown["uses"]] == ["127.0.0.1"]
    assert shown["last_used_at"] == shown["uses"][0]["used_at"]


def test_key_use__from_many_addresses__keeps_the_newest() -> None:
    row, _ = ApiKey.issue("k", "admin", None)
    at = clock.now()
    for number in range(key_use.MOST_ADDRESSES + 5):
        key_use.write(row.pk, f"192.0.2.{number}", at + timedelta(seconds=number))

    kept = set(ApiKeyUse.objects.values_list("address", flat=True))
    assert len(kept) == key_use.MOST_ADDRESSES
    assert "192.0.2.4" not in kept
    key_use.write(row.pk, "192.0.2.54", at)  # older than what is known
    assert ApiKeyUse.objects.get(address="192.0.2.54").used_at == at + timedelta(seconds=54)


def test_key__of_the_last_admin__neither_ends_nor_is_revoked(shop: Customer, later: Any) -> None:
    last = caller("admin")
    address = f"api-keys/{ApiKey.objects.get().pk}/"
    ends = clock.now() + timedelta(days=1)

    def refused() -> list[int]:
        return [last.delete(address).status, last.patch(address, {"expires_at": ends.isoformat()}).status]

    assert refused() == [409, 409]
    ApiKey.issue("of one customer", "admin", shop)
    ApiKey.issue("of no admin", "marketer", None)
    ApiKey.issue("for a while", "admin", None, expires_at=ends)
    assert last.delete(address).status == 409  # the other one does not stay
    assert last.patch(address, {"expires_at": ends.isoformat()}).status == 409
    person("admin", name="boss")
    assert last.patch(address, {"expires_at": ends.isoformat()}).status == 200
    assert last.delete(address).status == 204
