"""Links for mailings, made by the API."""

import pytest
from django.conf import settings

from core.keys import TokenSigner
from core.models import ApiKey, Customer
from integrations.models import Platform
from tests.support.api_caller import Caller, caller
from usersync.links import PURPOSE, LinkKind, MailingLink, read_link

BODY = {"kind": "click", "target": "https://shop.example/spring", "mailing": "spring"}


@pytest.mark.parametrize("kind", ["click", "view"])
def test_links__asked_for__answer_an_address_that_the_edge_understands(
    admin: Caller, platform: Platform, kind: str
) -> None:
    answer = admin.post(f"platforms/{platform.pk}/links/", {**BODY, "kind": kind})
    assert answer.status == 200
    place, _, token = answer.body["url"].rpartition("/")
    assert place == f"{settings.EDGE_URL}/{kind[0]}"
    tokens = TokenSigner(settings.ENVIRONMENT.derived_secrets(PURPOSE))
    assert read_link(tokens, token) == MailingLink(LinkKind(kind), platform.pk, BODY["target"], "spring")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"target": "//evil.example"}, "target"),
        ({"target": "javascript:alert(1)"}, "target"),
        ({"target": "https://a@evil.example/"}, "target"),
        ({"target": "https://shop.example/\r\nX: y"}, "target"),
        ({"target": None}, "target"),
        ({"kind": "open"}, "kind"),
        ({"mailing": "x" * 201}, "mailing"),
        ({"maling": "x"}, "maling"),
    ],
)
def test_links__wrong__are_refused_at_the_field(
    admin: Caller, platform: Platform, change: dict[str, object], place: str
) -> None:
    answer = admin.post(f"platforms/{platform.pk}/links/", {**BODY, **change})
    assert answer.status == 400
    assert [where for where, _ in answer.places] == [place]


def test_links__of_another_customer__are_not_there(rival: Customer, platform: Platform) -> None:
    stranger = caller(ApiKey.Role.MARKETER, rival)
    assert stranger.post(f"platforms/{platform.pk}/links/", BODY).status == 404


def test_links__analyst__may_not_make_them(platform: Platform, shop: Customer) -> None:
    assert caller(ApiKey.Role.ANALYST, shop).post(f"platforms/{platform.pk}/links/", BODY).status == 403
    assert caller(ApiKey.Role.MARKETER, shop).post(f"platforms/{platform.pk}/links/", BODY).status == 200
