"""Secrets are written, never read."""

from typing import Any

import pytest

from core.models import Customer
from integrations.models import Platform
from tests.api.test_resources import HTTP
from tests.support.api_caller import Answer, Caller

CREDENTIALS = {"type": "basic", "username": "hub", "password": "correct-horse"}


def make(admin: Caller, **more: object) -> Answer:
    body = {"customer": 1, "name": "Ads", "connector": "http", "settings": HTTP, "credentials": CREDENTIALS}
    return admin.post("platforms/", {**body, **more})


@pytest.mark.usefixtures("shop")
def test_platform__credentials__are_kept_sealed_and_never_shown(admin: Caller) -> None:
    made = make(admin)
    address = f"platforms/{made.body['pl']}/"
    shown = [made, admin.get(address), admin.get("platforms/"), admin.patch(address, {"name": "Renamed"})]

    assert made.status == 201
    assert not any("correct-horse" in str(answer.body) or "credentials" in str(answer.body) for answer in shown)
    assert Platform.objects.get().credentials == CREDENTIALS
    raw: Any = Platform.objects.raw("SELECT pl, encode(credentials, 'escape') AS kept FROM platform")[0]
    assert "correct-horse" not in raw.kept


@pytest.mark.usefixtures("shop")
def test_platform__generated_secret__is_shown_by_the_answer_that_made_it_only(admin: Caller) -> None:
    made = make(admin)
    secret, address = made.body["sync_secret"], f"platforms/{made.body['pl']}/"

    assert [secret] == Platform.objects.get().sync_secrets
    assert "sync_secret" not in admin.get(address).body
    assert "sync_secret" not in admin.patch(address, {"name": "B"}).body


@pytest.mark.usefixtures("shop")
def test_platform__given_secret__is_not_repeated(admin: Caller) -> None:
    made = make(admin, sync_secret="verysecure")

    assert "verysecure" not in str(made.body)
    assert Platform.objects.get().sync_secrets == ["verysecure"]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("secret", ["short", "with blank 123", "", "x" * 201, "ümläut-secret"])
def test_platform__unfit_secret__is_400(admin: Caller, secret: str) -> None:
    answer = make(admin, sync_secret=secret)

    assert answer.status == 400
    assert answer.places[0][0] == "sync_secret"


@pytest.mark.usefixtures("shop")
def test_platform__rotated__takes_two_secrets_for_a_while(admin: Caller) -> None:
    address = f"platforms/{make(admin, sync_secret='verysecure').body['pl']}/"
    newer = admin.post(f"{address}rotate-secret/").body["sync_secret"]

    assert Platform.objects.get().sync_secrets == [newer, "verysecure"]
    newest = admin.post(f"{address}rotate-secret/").body["sync_secret"]
    assert Platform.objects.get().sync_secrets == [newest, newer]


@pytest.mark.usefixtures("shop")
def test_platform__switched_to_signing__forgets_the_token_that_browsers_saw(admin: Caller) -> None:
    address = f"platforms/{make(admin, sync_secret='verysecure').body['pl']}/"
    answer = admin.patch(address, {"sync_auth": "signed"})

    assert Platform.objects.get().sync_secrets == [answer.body["sync_secret"]]
    assert answer.body["sync_secret"] != "verysecure"


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"connector": "nosuch"}, "connector"),
        ({"settings": {**HTTP, "batch_size": 5}}, "settings"),
        ({"settings": []}, "settings"),
        ({"credentials": {"type": "basic", "password": "correct-horse"}}, "credentials"),
        ({"limits": {"per_secund": 3}}, "limits.per_secund"),
        ({"limits": {"per_day": -1}}, "limits.per_day"),
        ({"sync_template": "javascript:alert(1)"}, "sync_template"),
        ({"sync_interval_days": 0}, "sync_interval_days"),
    ],
)
def test_platform__unfit_configuration__is_400_at_its_place(admin: Caller, more: dict[str, object], place: str) -> None:
    answer = make(admin, **more)

    assert answer.status == 400
    assert place in [attr for attr, _ in answer.places]
    assert "correct-horse" not in str(answer.body)
    assert not Platform.objects.exists()


def test_platform__of_a_customer__is_listed_with_its_connectors(admin: Caller, shop: Customer) -> None:
    make(admin)
    found = {one["key"]: one for one in admin.get("platforms/connectors/").body}

    assert {"none", "http"} <= found.keys()
    assert all({"settings_schema", "credentials_schema", "activation_schema"} <= one.keys() for one in found.values())
    assert admin.get(f"platforms/?customer={shop.m}").body["results"][0]["connector"] == "http"
