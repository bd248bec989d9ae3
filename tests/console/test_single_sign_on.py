"""Logging in by OpenID Connect, at a provider that is strict, and at one that cheats."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import User
from django.test import Client

from console.single_sign_on.configuration import providers
from core.access import EVERYTHING, Access, Role
from core.console_environment import SingleSignOn
from core.models import Customer, TeamMember
from core.people import invitations
from tests.support.console_people import satisfy_demand
from tests.support.openid_provider import CLIENT, SECRET, OpenIdProvider

CALLBACK = "http://testserver/account/sso/callback/"


@pytest.fixture
def shop(db: None) -> Customer:
    return Customer.objects.create(m=1, name="Shop")


@pytest.fixture
def provider(settings: Any) -> Iterator[OpenIdProvider]:
    with OpenIdProvider(CALLBACK) as provider:
        known_as = SingleSignOn(provider.issuer, CLIENT, SECRET, "Example")
        settings.CONSOLE = replace(settings.CONSOLE, single_sign_on=known_as)
        settings.SOCIALACCOUNT_PROVIDERS = providers(known_as)
        yield provider


def invited(shop: Customer) -> str:
    """The path of an invitation's link."""
    _, token = invitations.invite(EVERYTHING, Access(Role.ANALYST, frozenset({shop.pk})), "boss")
    return f"/invitations/{token}/"


def went_to_provider(client: Client) -> str:
    """Press the button; the address to which the provider sends the person back."""
    leaving = client.post("/account/sso/login/")
    assert leaving.status_code == 302
    answer = requests.get(leaving["Location"], allow_redirects=False, timeout=5)
    assert answer.status_code == 302
    return answer.headers["Location"]


def came_back(client: Client) -> Any:
    return client.get(went_to_provider(client))


def is_in(client: Client) -> bool:
    satisfy_demand(client)
    return client.get("/audiences/audience/").status_code == 200


def test_log_in__by_the_provider__of_somebody_invited__makes_them_and_knows_them_again(
    provider: OpenIdProvider, shop: Customer
) -> None:
    client = Client()
    assert "Go on with Example" in client.get(invited(shop)).content.decode()

    assert came_back(client)["Location"] == "/"

    assert is_in(client)
    ann = User.objects.get(username="ann")
    assert TeamMember.objects.get(user=ann).role == "analyst"
    assert not ann.has_usable_password()
    other = Client()
    came_back(other)
    assert is_in(other)
    assert User.objects.count() == 1
    assert provider.refusals == []


def test_log_in__by_the_provider__without_an_invitation__makes_nobody(provider: OpenIdProvider, shop: Customer) -> None:
    client = Client()

    assert "People are invited" in came_back(client).content.decode()

    assert not User.objects.exists()
    assert not is_in(client)


def test_log_in__of_somebody_with_the_mail_address_of_another__is_not_that_other(
    provider: OpenIdProvider, shop: Customer
) -> None:
    User.objects.create_user("boss", "ann@example.org", is_staff=True, is_superuser=True)
    client = Client()

    came_back(client)

    assert not is_in(client)


@pytest.mark.parametrize(
    "forged",
    [{"nonce": "another"}, {"aud": "somebody-else"}, {"iss": "https://evil.test"}, {"exp": 1}, {"sub": "u-2"}, None],
)
def test_token__that_was_not_made_for_this_log_in__is_refused(
    provider: OpenIdProvider, shop: Customer, forged: dict[str, Any] | None
) -> None:
    client = Client()
    client.get(invited(shop))
    if forged is None:
        provider.signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    provider.forged = forged or {}

    assert "did not work" in came_back(client).content.decode()

    assert not User.objects.exists()


def test_callback__of_another_browser__is_refused(provider: OpenIdProvider, shop: Customer) -> None:
    """Else somebody could be logged in as another without noticing."""
    client, victim = Client(), Client()
    client.get(invited(shop))
    address = went_to_provider(client)

    assert "did not work" in victim.get(address).content.decode()

    assert not User.objects.exists()


def test_provider__that_does_not_answer__is_said_so(provider: OpenIdProvider, settings: Any, shop: Customer) -> None:
    away = SingleSignOn("http://127.0.0.1:9", CLIENT, SECRET, "Away")
    settings.SOCIALACCOUNT_PROVIDERS = providers(away)

    assert "did not work" in Client().post("/account/sso/login/").content.decode()


def test_single_sign_on__where_there_is_none__is_not_there(db: None) -> None:
    assert "Log in with" not in Client().get("/login/").content.decode().replace("Log in with a passkey", "")
    assert Client().post("/account/sso/login/").status_code == 404
    assert Client().get("/account/sso/callback/").status_code == 404
