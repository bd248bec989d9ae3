"""Links for mailings, made in the console."""

import pytest
from django.conf import settings
from django.test import Client

from core.keys import TokenSigner
from core.models import Customer
from integrations.models import Platform
from usersync.links import PURPOSE, LinkKind, MailingLink, read_link


@pytest.fixture
def platform(db: None) -> Platform:
    shop = Customer.objects.create(m=1, name="Shop")
    return Platform.objects.create(customer=shop, name="Mail", connector="none")


def _page(console: Client, platform: Platform, target: str) -> str:
    asked = {"platform": str(platform.pk), "kind": "view", "mailing": "spring", "target": target}
    return console.get("/links/", asked).content.decode()


def test_links__asked_for__are_shown_signed(console: Client, platform: Platform) -> None:
    page = _page(console, platform, "https://shop.example/?a=1&b=2")
    url = page.partition('id="link">')[2].partition("<")[0]
    assert url.startswith(f"{settings.EDGE_URL}/v/")
    tokens = TokenSigner(settings.ENVIRONMENT.derived_secrets(PURPOSE))
    expected = MailingLink(LinkKind.VIEW, platform.pk, "https://shop.example/?a=1&b=2", "spring")
    assert read_link(tokens, url.rpartition("/")[2]) == expected


def test_links__target_that_must_not_be__is_told_at_its_field(console: Client, platform: Platform) -> None:
    page = _page(console, platform, "https://user@evil.example/<b>")
    assert "must be percent-encoded" in page.partition("Where it leads")[2].partition("</label>")[0]
    assert 'id="link"' not in page
