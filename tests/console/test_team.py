"""What people with each role find in the console, and whose data."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpResponse
from django.test import Client, RequestFactory

from activation.models import Batch
from audiences.models import Audience
from console.access import AccessMiddleware
from console.components import ModelAdmin
from core.models import ApiKey, Customer, TeamMember
from integrations.models import Platform
from profiles.models import Attribute, AttributeStatistics, Pixel
from tests.support.api_caller import caller
from tests.support.console_forms import submit
from tests.support.console_people import browser_of, person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FOR_ADMINS = ["/core/apikey/", "/core/customer/add/"]
FOR_MARKETERS = ["/links/", "/profiles/pixel/add/", "/bad-rows/", "/look-up/", "/dead-letters/", "/hot-ids/"]
FOR_ALL = ["/", "/core/customer/", "/profiles/attribute/", "/audiences/audience/", "/batches/", "/imports/"]


@pytest.fixture
def shop(db: None) -> Customer:
    shop = Customer.objects.create(m=1, name="Shop")
    attribute = Attribute.objects.create(customer=shop, path="Age", type="integer")
    AttributeStatistics.objects.create(
        attribute_id=attribute.pk, first_seen=NOW, last_seen=NOW, events=1, examples=["forty-two"]
    )
    return shop


@pytest.fixture
def rival(db: None) -> Customer:
    return Customer.objects.create(m=2, name="Rival")


def opened(client: Client, addresses: list[str]) -> set[int]:
    return {client.get(address).status_code for address in addresses}


def test_pages__of_each_role__open_for_it_and_for_no_lesser(shop: Customer) -> None:
    analyst, marketer, boss = (browser_of(person(role, shop, name=role)) for role in ("analyst", "marketer", "admin"))

    assert opened(analyst, FOR_ALL) == opened(marketer, FOR_ALL + FOR_MARKETERS) == {200}
    assert opened(analyst, FOR_ADMINS + FOR_MARKETERS) == opened(marketer, FOR_ADMINS) == {403}
    assert opened(boss, [*FOR_ALL, *FOR_MARKETERS, "/core/apikey/"]) == {200}
    assert opened(boss, ["/core/customer/add/", "/auth/user/"]) == {403}
    assert opened(browser_of(person("admin", name="root")), [*FOR_ADMINS, "/auth/user/"]) == {200}


def test_sidebar__of_a_role__names_no_page_that_it_may_not_open(shop: Customer) -> None:
    for role in ("analyst", "marketer", "admin"):
        client = browser_of(person(role, shop, name=role))
        page = client.get("/").content.decode()
        for address in FOR_ADMINS + FOR_MARKETERS + FOR_ALL:
            assert (f'href="{address}"' in page) <= (client.get(address).status_code == 200), (role, address)


def test_person__without_a_role_any_more__may_nothing(shop: Customer) -> None:
    user = person("admin", shop)
    client = browser_of(user)
    assert client.get("/profiles/pixel/").status_code == 200

    TeamMember.objects.all().delete()

    assert client.get("/profiles/pixel/").status_code == 403
    user.is_superuser = True
    user.save()
    assert client.get("/profiles/pixel/").status_code == 200


def test_attributes__enabled_by_one_who_may_only_look__stay_as_they_are(shop: Customer) -> None:
    chosen = {"_selected_action": [Attribute.objects.get().pk], "action": "enable"}

    page = browser_of(person("analyst", shop)).post("/profiles/attribute/", chosen, follow=True).content.decode()

    assert not Attribute.objects.get().enabled
    assert "Enable for audiences" not in page
    browser_of(person("marketer", shop, name="marketer")).post("/profiles/attribute/", chosen)
    assert Attribute.objects.get().enabled


def test_actions__on_chosen_rows_and_buttons__are_offered_only_to_those_who_may_change(shop: Customer) -> None:
    pixel = Pixel.objects.create(customer=shop, name="Front page")
    rule = {"combinator": "and", "rules": [{"field": f"pixel.{pixel.pk}.count", "operator": ">", "value": 0}]}
    Audience.objects.create(customer=shop, name="Visitors", rule=rule, status="live")
    Platform.objects.create(customer=shop, name="Ads", connector="none")
    request = RequestFactory().get("/")
    request.user, request.session = person("analyst", shop), SessionStore()
    AccessMiddleware(lambda _: HttpResponse())(request)

    for model, pages in admin.site._registry.items():
        if not isinstance(pages, ModelAdmin) or model in {User, ApiKey}:
            continue
        assert list(pages.get_actions(request)) == [], model
        row = model._default_manager.first()
        if row is not None:
            buttons = pages.get_actions_detail(request, row.pk)
            assert {one.method.permission for one in buttons} <= {"view"}, model


def test_analyst__sees_no_personal_data(shop: Customer) -> None:
    Platform.objects.create(customer=shop, pl=3, name="Ads", connector="none")
    Batch.objects.create(
        bucket=1,
        id=uuid.uuid4(),
        platform_id=3,
        operation="add",
        status="done",
        rows=5,
        started_at=NOW,
        request_excerpt="person-77",
    )
    pages = ["/profiles/attribute/", f"/profiles/attribute/{Attribute.objects.get().pk}/change/", "/batches/"]

    def text(role: str) -> str:
        client = browser_of(person(role, shop, name=role))
        return "".join(client.get(address).content.decode() for address in pages)

    assert "person-77" in (seen := text("marketer"))
    assert "forty-two" in seen
    assert "person-77" not in (seen := text("analyst"))
    assert "forty-two" not in seen


def test_switcher__of_somebody_with_several_customers__narrows_what_they_are(shop: Customer, rival: Customer) -> None:
    user = person("analyst", shop)
    TeamMember.objects.create(user=user, customer=rival, role="marketer")
    client = browser_of(user)
    assert "All my customers" in client.get("/").content.decode()
    assert client.get("/look-up/").status_code == 403

    answer = client.post("/choose-customer/", {"customer": "2", "next": "/look-up/"})

    assert (answer.status_code, answer["Location"]) == (302, "/look-up/")
    assert client.get("/look-up/").status_code == 200
    client.post("/choose-customer/", {"customer": "1"})
    assert client.get("/look-up/").status_code == 403


def test_switcher__a_customer_of_others__is_not_there(shop: Customer, rival: Customer) -> None:
    client = browser_of(person("admin", shop))

    assert client.post("/choose-customer/", {"customer": str(rival.pk)}).status_code == 404
    assert client.post("/choose-customer/", {"customer": "99"}).status_code == 404
    assert client.post("/choose-customer/", {"customer": "1", "next": "https://evil.test/"})["Location"] == "/"
    assert "Rival" not in client.get("/").content.decode()
    assert "hub-switcher" not in client.get("/").content.decode()


def test_limits_of_a_customer__changed_by_who_is_bound_to_it__stay_as_they_are_in_console_and_api(
    shop: Customer,
) -> None:
    address, more = f"/core/customer/{shop.pk}/change/", '{"events_per_second": 999999999}'
    submit(browser_of(person("admin", shop)), address, name="Renamed", limits=more)
    refused = caller("admin", shop).patch(f"customers/{shop.pk}/", {"limits": json.loads(more)})
    shop.refresh_from_db()
    assert (shop.name, shop.limits, refused.status) == ("Renamed", {}, 403)

    submit(browser_of(person("admin", name="root")), address, limits=more)
    shop.refresh_from_db()
    assert shop.limits == {"events_per_second": 999_999_999}
