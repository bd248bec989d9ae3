"""Numbers that requests carry are never given twice: not by the hub, and not because a caller chooses them."""

from typing import Any

import pytest

from audiences.models import Audience
from core.models import Customer
from integrations.models import Platform
from profiles.models import Pixel
from tests.support.api_caller import Caller, caller

PLATFORM = {"customer": 1, "name": "Ads", "connector": "none"}
PIXEL = {"customer": 1, "name": "Front page"}


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("address", "key", "body"), [("platforms/", "pl", PLATFORM), ("pixels/", "id", PIXEL)], ids=["platform", "pixel"]
)
def test_number__of_a_deleted_row__is_refused_to_a_caller_and_passed_over_by_the_hub(
    admin: Caller, address: str, key: str, body: dict[str, Any]
) -> None:
    given = admin.post(address, {**body, key: 4711})
    taken = admin.post(address, body)
    assert (given.status, taken.status) == (201, 201)
    for made in (given, taken):
        assert admin.delete(f"{address}{made.body[key]}/").status == 204
        assert admin.get(f"{address}{made.body[key]}/").status == 404

        again = admin.post(address, {**body, key: made.body[key]})

        assert (again.status, again.places) == (400, [(key, "unique")])
        assert "never given twice" in again.body["errors"][0]["detail"]
    assert admin.post(address, body).body[key] not in {given.body[key], taken.body[key]}


def test_customer__after_the_highest_was_deleted__gets_a_new_number(admin: Caller) -> None:
    assert admin.post("customers/", {"m": 70, "name": "A"}).status == 201
    Customer.objects.filter(m=70).delete()

    assert admin.post("customers/", {"m": 70, "name": "B"}).status == 400
    assert admin.post("customers/", {"name": "B"}).body["m"] == 71


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("address", "key", "body"),
    [("platforms/", "pl", PLATFORM), ("pixels/", "id", PIXEL), ("customers/", "m", {"name": "C"})],
    ids=["platform", "pixel", "customer"],
)
def test_number__however_high_it_is_chosen__leaves_numbers_for_those_who_choose_none(
    admin: Caller, address: str, key: str, body: dict[str, Any]
) -> None:
    answers = {number: admin.post(address, {**body, key: number}) for number in (2**31 - 1, 2**31, 10**9 + 1, 10**30)}
    assert {answer.status for answer in answers.values()} == {400}
    assert admin.post(address, {**body, key: 10**9}).status == 201

    made = [admin.post(address, body) for _ in range(2)]

    assert [one.status for one in made] == [201, 201]
    assert made[1].body[key] == made[0].body[key] + 1
    if address != "customers/":
        assert made[1].body[key] < 10**9
        following = made[1].body[key] + 1
        assert admin.post(address, {**body, key: following}).status == 201
        assert admin.post(address, body).body[key] == following + 1


@pytest.mark.parametrize(
    ("address", "key", "body"), [("platforms/", "pl", PLATFORM), ("pixels/", "id", PIXEL)], ids=["platform", "pixel"]
)
def test_number__that_is_anothers_or_was_deleted__is_refused_in_the_same_words(
    admin: Caller, shop: Customer, rival: Customer, address: str, key: str, body: dict[str, Any]
) -> None:
    bound = caller("marketer", rival)
    for number in (70, 71):
        assert admin.post(address, {**body, key: number}).status == 201
    assert admin.delete(f"{address}71/").status == 204
    assert bound.post(address, {**body, "customer": rival.m, key: 72}).status == 201

    refused = [bound.post(address, {**body, "customer": rival.m, key: number}) for number in (70, 71, 72)]

    said = [(one.status, one.places, one.body["errors"][0]["detail"].replace("70", "N")) for one in refused]
    assert {(status, str(places), text.replace("71", "N").replace("72", "N")) for status, places, text in said} == {
        (400, f"[('{key}', 'unique')]", said[0][2])
    }


@pytest.mark.usefixtures("platform")
def test_numbers__of_what_goes_with_its_customer__are_not_given_again(
    admin: Caller, shop: Customer, platform: Platform, pixel: Pixel, audience: Audience
) -> None:
    numbers = [platform.pk, pixel.pk]
    pk, m = audience.pk, shop.m
    shop.delete()
    Customer.objects.create(m=2, name="Next")

    for address, body in (
        ("platforms/", {**PLATFORM, "customer": 2, "pl": numbers[0]}),
        ("pixels/", {**PIXEL, "customer": 2, "id": numbers[1]}),
        ("customers/", {"m": m, "name": "Next"}),
    ):
        assert admin.post(address, body).status == 400
    made = Audience.objects.create(customer_id=2, name="A", rule={}, status=Audience.Status.LIVE)
    assert made.pk > pk
