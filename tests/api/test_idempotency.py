"""The same Idempotency-Key: done once, answered alike."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from api.models import IdempotentAnswer
from core.models import ApiKey, Customer
from integrations.models import Platform
from tests.support.api_caller import Answer, Caller, caller

KEY = {"Idempotency-Key": "order-1"}
BODY = {"name": "Sent with a key"}


def test_write__repeated_with_its_key__is_done_once_and_answered_alike(admin: Caller) -> None:
    first, second = (admin.post("customers/", BODY, **KEY) for _ in range(2))

    assert (first.status, first.body) == (second.status, second.body)
    assert first.status == 201
    assert second.headers["Idempotent-Replayed"] == "true"
    assert Customer.objects.filter(name=BODY["name"]).count() == 1


def test_write__key_of_another_request__is_422(admin: Caller) -> None:
    admin.post("customers/", BODY, **KEY)

    assert admin.post("customers/", {"name": "Other"}, **KEY).status == 422
    assert admin.post("pixels/", BODY, **KEY).status == 422
    assert Customer.objects.filter(name=BODY["name"]).count() == 1


def test_write__key_of_another_caller__is_another_key(admin: Caller) -> None:
    admin.post("customers/", BODY, **KEY)

    assert caller("admin").post("customers/", BODY, **KEY).status == 201
    assert Customer.objects.count() == 2


def test_write__refused__changes_nothing_and_may_be_tried_again(admin: Caller) -> None:
    pixel = {"customer": 5, "name": "P"}
    assert admin.post("pixels/", pixel, **KEY).status == 400
    Customer.objects.create(m=5, name="Five")

    assert admin.post("pixels/", pixel, **KEY).status == 201


def test_write__delete_repeated__is_204_again(admin: Caller, shop: Customer) -> None:
    pixel = admin.post("pixels/", {"customer": shop.m, "name": "P"}).body["id"]

    assert [admin.delete(f"pixels/{pixel}/", **KEY).status for _ in range(2)] == [204, 204]


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_write__unfit_key__is_400(admin: Caller, key: str) -> None:
    assert admin.post("customers/", BODY, **{"Idempotency-Key": key}).status == 400


@pytest.mark.usefixtures("shop")
def test_write__answer_with_a_secret__is_kept_without_it(admin: Caller) -> None:
    body = {"customer": 1, "name": "Ads", "connector": "none"}
    first, second = (admin.post("platforms/", body, **KEY) for _ in range(2))

    assert first.body["sync_secret"] not in str(IdempotentAnswer.objects.values())
    assert second.body == {**first.body, "sync_secret": None}
    assert Platform.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_write__two_at_once__are_one() -> None:
    client = caller(ApiKey.Role.ADMIN)

    def write(_: int) -> Answer:
        try:
            return client.post("customers/", BODY, **KEY)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(write, range(8)))

    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["m"] for answer in answers}) == 1
    assert Customer.objects.filter(name=BODY["name"]).count() == 1
