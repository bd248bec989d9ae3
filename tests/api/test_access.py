"""Who may call what, and whose data they see."""

import pytest

from audiences.models import Audience
from core.models import ApiKey, Customer
from integrations.models import Platform
from profiles.models import Attribute, Pixel
from tests.support.api_caller import Caller, caller

RESOURCES = (
    "customers",
    "pixels",
    "attributes",
    "platforms",
    "audiences",
    "activations",
    "batches",
    "bad-rows",
    "imports",
)
LISTS = [f"{name}/" for name in RESOURCES]


@pytest.mark.parametrize("address", [*LISTS, "pipeline/", "platforms/connectors/"])
@pytest.mark.parametrize("role", ApiKey.Role.values)
def test_read__any_role__is_answered(role: str, address: str) -> None:
    assert caller(role).get(address).status == 200


@pytest.mark.parametrize("address", [*LISTS, "pipeline/", "mappings/?platform=1", "nowhere/"])
def test_call__no_key__is_401_in_the_one_shape(address: str) -> None:
    answer = Caller(None).get(address)

    assert answer.status == (404 if address == "nowhere/" else 401)
    assert answer.body["type"] == "client_error"


@pytest.mark.parametrize("key", ["", "wrong", "abc.def", "é", "a b", "." * 5000])
def test_call__unknown_key__is_401(key: str) -> None:
    answer = Caller(key).get("customers/")

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_call__right_prefix_with_wrong_secret__is_401() -> None:
    row, key = ApiKey.issue("k", ApiKey.Role.ADMIN, None)

    assert Caller(f"{row.prefix}.{'x' * 43}").get("customers/").status == 401
    assert Caller(key).get("customers/").status == 200


def test_call__revoked_key__is_401(admin: Caller) -> None:
    assert admin.get("customers/").status == 200
    ApiKey.objects.update(revoked_at="2026-01-01T00:00:00Z")

    assert admin.get("customers/").status == 401


def test_key__as_stored__does_not_hold_the_secret() -> None:
    row, key = ApiKey.issue("k", ApiKey.Role.ADMIN, None)

    assert key.partition(".")[2] not in str(vars(row))


WRITES = [
    ("post", "pixels/", {"customer": 1, "name": "P"}, 201),
    ("patch", "pixels/7/", {"name": "Renamed"}, 200),
    ("delete", "pixels/7/", None, 204),
    ("post", "attributes/", {"customer": 1, "path": "Age"}, 201),
    ("post", "platforms/", {"customer": 1, "name": "Ads", "connector": "none"}, 201),
    ("post", "bad-rows/replay/", {"ids": ["1-1"]}, 200),
]
FOR_ADMINS = [("post", "customers/", {"m": 9, "name": "New"}, 201), ("patch", "customers/1/", {"name": "N"}, 200)]


@pytest.mark.usefixtures("pixel")
@pytest.mark.parametrize(("method", "address", "body"), [write[:3] for write in (*WRITES, *FOR_ADMINS)])
def test_write__analyst__is_403_and_changes_nothing(method: str, address: str, body: object) -> None:
    before = [list(model.objects.values()) for model in (Customer, Pixel, Platform, Attribute)]

    assert caller("analyst").call(method, address, body).status == 403
    assert before == [list(model.objects.values()) for model in (Customer, Pixel, Platform, Attribute)]


@pytest.mark.usefixtures("pixel")
@pytest.mark.parametrize(("method", "address", "body", "status"), WRITES)
@pytest.mark.parametrize("role", ["marketer", "admin"])
def test_write__marketer_and_admin__is_done(role: str, method: str, address: str, body: object, status: int) -> None:
    assert caller(role).call(method, address, body).status == status


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(("method", "address", "body", "status"), FOR_ADMINS)
def test_customers__only_admins__write(method: str, address: str, body: object, status: int) -> None:
    assert caller("marketer").call(method, address, body).status == 403
    assert caller("admin").call(method, address, body).status == status


@pytest.mark.usefixtures("pixel")
@pytest.mark.parametrize("method", ["put", "trace"])
def test_write__method_that_is_not_offered__is_405(admin: Caller, method: str) -> None:
    assert admin.call(method, "pixels/7/", {"name": "P"}).status == 405


@pytest.mark.usefixtures("pixel")
def test_bound_key__another_customers_rows__are_not_there(
    rival: Customer, platform: Platform, audience: Audience
) -> None:
    bound = caller("admin", rival)

    for name in ("pixels", "platforms", "audiences", "attributes", "activations"):
        assert bound.get(f"{name}/").body["results"] == []
    assert [row["m"] for row in bound.get("customers/").body["results"]] == [rival.m]
    for address in ("customers/1/", "pixels/7/", f"platforms/{platform.pk}/", f"audiences/{audience.pk}/"):
        assert bound.get(address).status == 404
        assert bound.patch(address, {"name": "Mine"}).status == 404
    assert bound.delete("pixels/7/").status == 404
    assert bound.get("pixels/7/tag/").status == 404
    assert bound.get(f"audiences/{audience.pk}/members/").status == 404
    assert bound.post(f"platforms/{platform.pk}/rotate-secret/").status == 404


def test_bound_key__writes_for_another_customer__are_refused(
    shop: Customer, rival: Customer, platform: Platform
) -> None:
    bound = caller("admin", rival)

    for address in ("pixels/", "audiences/", "attributes/", "platforms/"):
        body = {"customer": shop.m, "name": "Mine", "path": "p", "connector": "none", "rule": {}}
        answer = bound.post(address, body)
        assert answer.status == 400
        assert ("customer", "does_not_exist") in answer.places
    answer = bound.post("pixels/", {"customer": rival.m, "name": "P", "integrations": [platform.pk]})
    assert answer.places == [("integrations.0", "does_not_exist")] or answer.places[0][1] == "does_not_exist"
    assert bound.post("customers/", {"name": "Third"}).status == 403


@pytest.mark.usefixtures("audience")
@pytest.mark.parametrize(
    ("address", "name"),
    [
        *((name, "customer") for name in ("pixels", "attributes", "platforms", "audiences", "imports")),
        ("activations", "audience"),
        ("activations", "platform"),
        ("imports", "pixel"),
    ],
)
def test_filter__by_what_is_anothers__answers_like_what_does_not_exist(
    rival: Customer, platform: Platform, pixel: Pixel, audience: Audience, address: str, name: str
) -> None:
    foreign = {"customer": 1, "audience": audience.pk, "platform": platform.pk, "pixel": pixel.pk}[name]
    bound = caller("admin", rival)

    theirs, nowhere = (bound.get(f"{address}/?{name}={number}") for number in (foreign, 999_999_999))

    assert (theirs.status, theirs.body) == (nowhere.status, nowhere.body)


@pytest.mark.usefixtures("pixel")
def test_bound_key__its_own_rows__are_its_to_change(shop: Customer) -> None:
    bound = caller("marketer", shop)

    assert bound.patch("pixels/7/", {"name": "Renamed"}).body["name"] == "Renamed"
    assert bound.post("pixels/", {"customer": shop.m, "name": "P"}).status == 201
