"""Every page of the console opens, and only for those who may see it."""

import re
import uuid
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client

from activation.models import Activation, Batch, DeadLetter
from audiences.models import Audience
from core import buckets
from core.inbox import InboxKind
from core.models import ApiKey, BadRow, Customer, Inbox
from integrations.models import Platform
from profiles.models import Attribute, Identity, Pixel, PixelIntegration, Profile
from tests.support.console_people import browser_of, person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
USER = uuid.UUID("5b0d4c3e-9f63-4d25-8c0e-30f2a6c1d7aa")
PAGES = [
    *(
        "/",
        "/links/",
        "/match-rate/",
        "/imports/",
        "/look-up/",
        "/erasures/",
        "/batches/",
        "/dead-letters/",
        "/platform-health/",
        "/bad-rows/",
        "/hot-ids/",
    ),
    *("/connectors/", "/dead-letters/", "/pipeline/"),
]
MODELS = [Customer, Pixel, Attribute, Platform, Audience, Activation, ApiKey, User]


@pytest.fixture
def furnished(db: None) -> Customer:
    """One of everything, with a name that HTML must not take at its word."""
    shop = Customer.objects.create(m=1, name="<b>Shop</b>")
    pixel = Pixel.objects.create(customer=shop, name="Front page")
    platform = Platform.objects.create(
        customer=shop,
        name="Ads",
        connector="none",
        credentials={"password": "correct-horse"},
        sync_secrets=["battery-staple"],
    )
    PixelIntegration.objects.create(pixel=pixel, platform=platform)
    Attribute.objects.create(customer=shop, path="Age")
    rule = {"combinator": "and", "rules": [{"field": f"pixel.{pixel.pk}.count", "operator": ">", "value": 0}]}
    audience = Audience.objects.create(customer=shop, name="Visitors", rule=rule, status="live")
    Activation.objects.create(audience=audience, platform=platform)
    ApiKey.issue("Reporting", "analyst", None)
    Batch.objects.create(
        bucket=1,
        id=uuid.uuid4(),
        platform_id=platform.pk,
        operation="add",
        status="done",
        rows=5,
        started_at=NOW,
        request_excerpt="<script>alert(1)</script>",
    )
    BadRow.objects.create(
        bucket=3,
        id=4,
        customer_id=1,
        kind=InboxKind.EVENT,
        query=b"{}",
        body=b"<script>alert(2)</script>",
        reason="broken",
        received_at=NOW,
        failed_at=NOW,
    )
    Profile.objects.create(
        bucket=buckets.of_user(USER),
        customer_id=1,
        user_id=USER,
        attributes={"Name": "<i>Ann</i>"},
        activity={str(pixel.pk): {"first": 0, "last": 0, "total": 1, "days": {}}},
        ids=[["user", "C-1"]],
        created_at=NOW,
        updated_at=NOW,
    )
    Identity.objects.create(
        bucket=buckets.of_value("C-1"), customer_id=1, kind="user", value="C-1", user_id=USER, since=NOW
    )
    return shop


def every_page() -> list[str]:
    found = list(PAGES)
    for model in MODELS:
        base = f"/{model._meta.app_label}/{model._meta.model_name}/"
        found += [base, f"{base}add/", f"{base}{model._default_manager.latest('pk').pk}/change/"]
    return found


@pytest.mark.usefixtures("furnished")
def test_page__opened_by_an_administrator__is_whole_and_shows_no_secret(console: Client) -> None:
    for address in every_page():
        page = console.get(address)
        text = page.content.decode()
        assert page.status_code == 200, address
        assert "correct-horse" not in text, address
        assert "battery-staple" not in text, address
        assert "<b>Shop</b>" not in text, address
        assert "alert(1)</script>" not in text, address
        assert "alert(2)</script>" not in text, address


@pytest.mark.usefixtures("furnished")
def test_page__styles_and_scripts_that_it_links__exist(console: Client) -> None:
    linked = set()
    for address in every_page():
        linked |= set(re.findall(r'(?:href|src)="/static/([^"?]+)', console.get(address).content.decode()))

    assert "dmphub/console.css" in linked
    assert [path for path in sorted(linked) if finders.find(path) is None] == []


@pytest.mark.usefixtures("furnished")
def test_page__holds_no_script_of_its_own(console: Client) -> None:
    """So browsers may be told to run none that stands in a page."""
    for address in every_page():
        page = console.get(address).content.decode()
        scripts = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", page)
        assert scripts == [], address
        assert re.findall(r"<[a-z][^>]*\son[a-z]+=", page) == [], address


@pytest.mark.usefixtures("furnished", "boss")
def test_page__opened_without_a_log_in__asks_for_one() -> None:
    for address in every_page():
        page = Client().get(address)
        assert (page.status_code, page.headers["Location"].partition("?")[0]) == (302, "/login/"), address


@pytest.mark.usefixtures("furnished")
def test_page__opened_by_staff_without_the_right__is_403() -> None:
    client = browser_of(User.objects.create(username="guest", is_staff=True))

    for address in (
        "/look-up/",
        "/match-rate/",
        "/imports/",
        "/batches/",
        "/bad-rows/",
        "/core/customer/",
        "/core/apikey/add/",
    ):
        assert client.get(address).status_code == 403, address
    overview = client.get("/").content.decode()
    assert "Visitors" not in overview
    assert "/bad-rows/" not in overview


def test_sidebar__of_an_administrator__goes_in_the_order_of_the_work(console: Client) -> None:
    page = console.get("/").content.decode()
    places = [
        page.index(f'href="{address}"')
        for address in (
            "/core/customer/",
            "/profiles/pixel/",
            "/profiles/attribute/",
            "/integrations/platform/",
            "/audiences/audience/",
            "/activation/activation/",
            "/batches/",
            "/look-up/",
            "/core/apikey/",
        )
    ]

    assert places == sorted(places)


@pytest.mark.usefixtures("furnished")
@pytest.mark.parametrize("text", [str(USER), "C-1", " C-1 "])
def test_look_up__by_any_id__shows_the_story(console: Client, text: str) -> None:
    page = console.get(f"/look-up/?customer=1&id={text}").content.decode()

    assert str(USER) in page
    assert "&lt;i&gt;Ann&lt;/i&gt;" in page
    assert "Front page" in page


@pytest.mark.usefixtures("furnished")
def test_look_up__unknown_id__says_so(console: Client) -> None:
    assert "no user with that id" in console.get("/look-up/?customer=1&id=C-2").content.decode()


@pytest.mark.usefixtures("furnished")
def test_bad_rows__chosen_and_replayed__are_back_in_the_inbox(console: Client) -> None:
    console.post("/bad-rows/", {"row": ["3-4", "nonsense"]})

    assert not BadRow.objects.exists()
    assert Inbox.objects.get().bucket == 3


@pytest.mark.usefixtures("furnished")
def test_bad_rows__filter_that_cannot_be_read__says_so_and_replays_nothing(console: Client) -> None:
    address = "/bad-rows/?failed_after=yesterday"
    page = console.get(address).content.decode()
    assert "Enter a valid date/time" in page
    assert "broken" not in page

    console.post(address, {"all": "1"})
    assert BadRow.objects.count() == 1
    console.post("/bad-rows/?failed_after=2026-02-28T23:59:59", {"all": "1"})
    assert not BadRow.objects.exists()


@pytest.mark.usefixtures("furnished")
def test_dead_letters__all_that_match__are_those_that_the_filter_shows(console: Client) -> None:
    common = {"platform_id": 1, "user_id": USER, "operation": "add", "attempts": 1, "died_at": NOW}
    for activation, known_as, reason in ((1, "a", "gone"), (1, "b", "refused"), (2, "a", "gone")):
        DeadLetter.objects.create(
            bucket=1, activation_id=activation, platform_user_id=known_as, reason=reason, **common
        )

    console.post("/dead-letters/?reason=GONE", {"all": "1"})
    assert DeadLetter.objects.get().reason == "refused"
    console.post("/dead-letters/?activation=nonsense", {"all": "1"})
    assert DeadLetter.objects.exists()


@pytest.mark.usefixtures("furnished")
def test_bad_rows__replayed_by_an_analyst__is_403() -> None:
    client = browser_of(person("analyst"))

    assert client.get("/bad-rows/").status_code == 403
    assert client.post("/bad-rows/", {"row": ["3-4"]}).status_code == 403
    assert BadRow.objects.exists()


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_health__of_a_console_that_works__is_200(address: str) -> None:
    assert Client().get(address).status_code == 200
