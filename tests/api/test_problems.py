"""What of the configuration is broken says so in the API and in the console, with the reason."""

from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from core.configuration import ConfigurationVersion
from core.models import Customer
from pipeline import catalogue
from tests.support.api_caller import Caller
from tests.support.shop import Shop, rule


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.absorber.close()


def _break(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
        ConfigurationVersion.raise_()
    catalogue.refresh()


def test_audience_whose_rule_cannot_be_read__is_shown_as_broken_with_the_reason(admin: Caller, shop: Shop) -> None:
    seen = shop.audience("seen", rule(f"pixel.{shop.pixel.id}.count", ">", 1))
    _break("UPDATE audience SET rule = '{}'")

    for shown in (admin.get(f"audiences/{seen.id}/").body, admin.get("audiences/").body["results"][0]):
        assert shown["status"] == "broken"
        assert "must be a group" in shown["problem"]


def test_platform_that_cannot_be_used__it_and_its_activations_say_so(admin: Caller, shop: Shop) -> None:
    platform = shop.platform()
    activation = shop.activation(shop.audience("seen", rule(f"pixel.{shop.pixel.id}.count", ">", 1)), platform)
    assert admin.get(f"platforms/{platform.pl}/").body["problem"] == ""
    _break("UPDATE platform SET connector = 'gone', credentials = 'x', sync_secrets = 'x'")

    assert "not installed" in admin.get(f"platforms/{platform.pl}/").body["problem"]
    shown = admin.get(f"activations/{activation.id}/").body
    assert shown["status"] == "broken"
    assert "not installed" in shown["last_error"]


@pytest.mark.parametrize(("resource", "looks"), [("platforms", 2), ("audiences", 1), ("attributes", 1)])
def test_list__looks_up_what_is_wrong_with_all_its_rows_at_once(
    admin: Caller, shop: Shop, resource: str, looks: int
) -> None:
    """Of platforms their health looks, too."""
    for name in ("one", "two"):
        shop.platform(name)
        shop.attribute(name, "string")
        shop.audience(name, rule(f"pixel.{shop.pixel.id}.count", ">", 1))
    with CaptureQueriesContext(connection) as asked:
        shown = admin.get(f"{resource}/").body["results"]

    assert [row["problem"] for row in shown] == ["", ""]
    assert sum("configuration_problem" in query["sql"] for query in asked.captured_queries) == looks


def test_attribute_whose_type_cannot_be_read__says_so(admin: Caller, shop: Shop) -> None:
    attribute = shop.attribute("city", "string")
    _break("UPDATE attribute SET type = 'colour'")

    assert "colour" in admin.get(f"attributes/{attribute.id}/").body["problem"]


def test_change_by_the_api__raises_the_version_of_its_customer_only(admin: Caller, shop: Shop) -> None:
    other = Customer.objects.create(m=2, name="other")
    before = _versions()
    admin.post("pixels/", {"customer": shop.customer.m, "name": "more"})

    after = _versions()
    assert after[shop.customer.m] > before[shop.customer.m]
    assert after[other.m] == before[other.m]


def _versions() -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT customer_id, version FROM customer_version")
        return dict(cursor.fetchall())
