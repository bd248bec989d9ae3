"""What the console changes goes through the services, and is told at its field where they refuse."""

import json

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from activation.models import Activation
from audiences.models import Audience
from core.inbox import InboxKind
from core.models import ApiKey, Customer, Inbox
from integrations.models import Platform
from profiles.models import Attribute, Pixel
from tests.support.api_caller import Caller
from tests.support.console_forms import submit

ADD = {"method": "POST", "url": "https://ads.example/s", "body": [{"segment": "{{segment_id}}", "user": "{{userid}}"}]}
HTTP = json.dumps({"add": ADD, "removal": "none"})
BASIC = json.dumps({"type": "basic", "username": "hub", "password": "correct-horse"})


@pytest.fixture
def shop(console: Client) -> Customer:
    submit(console, "/core/customer/add/", m=1, name="Shop")
    return Customer.objects.get(m=1)


@pytest.fixture
def pixel(shop: Customer) -> Pixel:
    return Pixel.objects.create(customer=shop, name="Front page")


@pytest.fixture
def audience(console: Client, pixel: Pixel) -> Audience:
    submit(console, "/audiences/audience/add/", customer=1, name="Visitors", rule=rule_of(pixel))
    return Audience.objects.get()


def rule_of(pixel: Pixel, least: object = 1) -> str:
    condition = {"field": f"pixel.{pixel.pk}.count", "operator": ">=", "value": least}
    return json.dumps({"combinator": "and", "rules": [condition]})


def new_platform(console: Client, **more: str) -> str:
    typed = {"customer": "1", "name": "Ads", "connector": "http", "settings": HTTP, "new_credentials": BASIC}
    return submit(console, "/integrations/platform/add/", **{**typed, "sync_auth": "token", **more})


def test_audience__saved__is_built_by_its_service(audience: Audience) -> None:
    assert audience.status == Audience.Status.BUILDING
    assert Inbox.objects.filter(kind=InboxKind.BUILD).count() == 256


def test_audience__changed__has_a_new_version_once(console: Client, audience: Audience, pixel: Pixel) -> None:
    address = f"/audiences/audience/{audience.pk}/change/"
    submit(console, address, name="Renamed")
    assert Audience.objects.get().version == 1
    submit(console, address, rule=rule_of(pixel, 2))

    changed = Audience.objects.get()
    assert (changed.name, changed.version) == ("Renamed", 2)


def test_audience__renamed_to_a_name_that_is_taken__is_told_so(console: Client, audience: Audience) -> None:
    rule = audience.rule
    other = Audience.objects.create(customer=audience.customer, name="Other", rule=rule, status="live")

    assert "is the name taken" in submit(console, f"/audiences/audience/{audience.pk}/change/", name=other.name)


def test_audience__rule_that_cannot_work__is_told_at_its_place(console: Client, pixel: Pixel) -> None:
    page = submit(console, "/audiences/audience/add/", customer=1, name="A", rule=rule_of(pixel, "many"))

    assert "rules[0].value" in page
    assert not Audience.objects.exists()
    assert not Inbox.objects.exists()


def test_audience__paused_by_its_button__asks_first(console: Client, audience: Audience) -> None:
    address = f"/audiences/audience/{audience.pk}/pause/"
    console.get(address)
    assert Audience.objects.get().status == Audience.Status.BUILDING
    console.post(address)

    assert Audience.objects.get().status == Audience.Status.PAUSED


@pytest.mark.parametrize(("status", "fitting"), [("live", "pause"), ("paused", "resume"), ("deleting", None)])
def test_audience__offers_the_buttons_that_fit_it(
    console: Client, audience: Audience, status: str, fitting: str | None
) -> None:
    Audience.objects.update(status=status)
    page = console.get(f"/audiences/audience/{audience.pk}/change/").content.decode()
    offered = {name for name in ("pause", "resume") if f"/{audience.pk}/{name}/" in page}
    assert offered == ({fitting} if fitting else set())
    assert f"/{audience.pk}/versions/" in page


def test_audience__deleted_while_activated__goes_when_platforms_were_told(console: Client, audience: Audience) -> None:
    new_platform(console)
    Activation.objects.create(audience=audience, platform=Platform.objects.get())
    page = console.post(f"/audiences/audience/{audience.pk}/remove/", follow=True).content.decode()

    assert "as soon as its platforms were told" in page
    assert Audience.objects.exists()


def test_activation__saved__is_activated_by_its_service(console: Client, audience: Audience) -> None:
    new_platform(console)
    typed = {"audience": audience.pk, "platform": Platform.objects.get().pk}
    refused = submit(console, "/activation/activation/add/", **typed)
    assert "segment_id: needed" in refused
    assert not Activation.objects.exists()

    submit(console, "/activation/activation/add/", **typed, settings='{"segment_id": 4711}')
    assert Activation.objects.get().settings == {"segment_id": 4711}
    assert Inbox.objects.filter(kind=InboxKind.BACKFILL).count() == 256


def test_activation__previewed__sends_nothing(console: Client, audience: Audience) -> None:
    new_platform(console)
    made = Activation.objects.create(
        audience=audience, platform=Platform.objects.get(), settings={"segment_id": 1}, segment_id=1
    )

    assert console.get(f"/activation/activation/{made.pk}/preview/").status_code == 200


@pytest.mark.usefixtures("shop")
def test_platform__saved__shows_its_generated_secret_once_and_keeps_it_nowhere_else(console: Client) -> None:
    page = new_platform(console)
    platform = Platform.objects.get()
    (secret,) = platform.sync_secrets

    assert secret in page
    assert platform.credentials["password"] == "correct-horse"
    change = f"/integrations/platform/{platform.pk}/change/"
    for address in ("/", "/integrations/platform/", change, f"/integrations/platform/{platform.pk}/history/"):
        text = console.get(address).content.decode()
        assert secret not in text
        assert "correct-horse" not in text
    assert all(secret not in str(session.get_decoded()) for session in Session.objects.all())
    assert secret not in str(console.cookies)


@pytest.mark.usefixtures("shop")
def test_platform__saved_again__keeps_what_was_left_empty(console: Client) -> None:
    new_platform(console, new_secret="verysecure")
    submit(console, f"/integrations/platform/{Platform.objects.get().pk}/change/", name="Renamed")

    platform = Platform.objects.get()
    assert (platform.name, platform.sync_secrets) == ("Renamed", ["verysecure"])
    assert platform.credentials["password"] == "correct-horse"


@pytest.mark.usefixtures("shop")
def test_platform__secret_renewed_by_its_button__shows_it_once(console: Client) -> None:
    new_platform(console, new_secret="verysecure")
    address = f"/integrations/platform/{Platform.objects.get().pk}/rotate-secret/"
    console.get(address)
    assert Platform.objects.get().sync_secrets == ["verysecure"]
    page = console.post(address).content.decode()

    newest, older = Platform.objects.get().sync_secrets
    assert newest in page
    assert older == "verysecure"


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"settings": '{"add": {}}'}, "missing required field"),
        ({"settings": "{"}, "valid JSON"),
        ({"new_credentials": '{"type": "basic", "password": "correct-horse"}'}, "missing required field"),
        ({"limits": '{"per_secund": 1}'}, "no such limit"),
        ({"sync_template": "javascript:alert(1)"}, "must be an address"),
        ({"new_secret": "short"}, "8 to 200 characters"),
    ],
)
def test_platform__unfit__is_refused_at_its_field(console: Client, typed: dict[str, str], told: str) -> None:
    assert told in new_platform(console, **typed)
    assert not Platform.objects.exists()


@pytest.mark.usefixtures("shop")
def test_attribute__used_by_a_rule__cannot_be_disabled(console: Client) -> None:
    submit(console, "/profiles/attribute/add/", customer=1, path="Age", type="integer", enabled="on")
    attribute = Attribute.objects.get()
    rule = {"combinator": "and", "rules": [{"field": "attribute.Age", "operator": ">", "value": 18}]}
    submit(console, "/audiences/audience/add/", customer=1, name="Grown", rule=json.dumps(rule))
    assert Audience.objects.exists()
    page = submit(console, f"/profiles/attribute/{attribute.pk}/change/", enabled="")

    assert "Grown" in page
    assert Attribute.objects.get().enabled


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(("chosen", "kept"), [({}, "number"), ({"type": "integer"}, "integer")])
def test_attribute_of_whole_numbers__enabled__is_a_number_unless_integer_is_chosen(
    console: Client, chosen: dict[str, str], kept: str
) -> None:
    attribute = Attribute.objects.create(customer_id=1, path="Price", type="integer")
    address = f"/profiles/attribute/{attribute.pk}/change/"
    submit(console, address, name="What it costs")
    assert (Attribute.objects.get().type, Attribute.objects.get().fixed) == ("integer", False)

    submit(console, address, enabled="on", **chosen)

    assert (Attribute.objects.get().type, Attribute.objects.get().enabled) == (kept, True)


def test_pixel__platform_of_another_customer__is_refused(console: Client, pixel: Pixel) -> None:
    rival = Customer.objects.create(m=2, name="Rival")
    platform = Platform.objects.create(customer=rival, name="Ads", connector="none")
    rows = {"pixelintegration_set-TOTAL_FORMS": "1", "pixelintegration_set-0-platform": platform.pk}
    page = submit(console, f"/profiles/pixel/{pixel.pk}/change/", **rows, **{"pixelintegration_set-0-priority": 0})

    assert "belongs to another customer" in page
    assert not pixel.integrations.exists()


@pytest.mark.django_db
def test_key__issued_in_the_console__is_shown_once_and_works_until_revoked(console: Client) -> None:
    page = submit(console, "/core/apikey/add/", name="Shop", role="analyst")
    row = ApiKey.objects.get()
    key = next(word for word in page.replace("<", " ").replace(">", " ").split() if word.startswith(f"{row.prefix}."))

    assert Caller(key).get("customers/").status == 200
    assert key not in console.get(f"/core/apikey/{row.pk}/change/").content.decode()
    newer = console.post(f"/core/apikey/{row.pk}/rotate/").content.decode()
    assert f"{row.prefix}." in newer
    assert key not in newer
    assert Caller(key).get("customers/").status == 200  # the overlap
    console.post(f"/core/apikey/{row.pk}/revoke/")
    assert Caller(key).get("customers/").status == 401


def test_pixel__origins__are_kept_in_one_spelling_and_faults_are_shown(console: Client, pixel: Pixel) -> None:
    address = f"/profiles/pixel/{pixel.pk}/change/"
    submit(console, address, origins="HTTPS://Shop.example/, https://*.shop.example")
    pixel.refresh_from_db()
    assert pixel.origins == ["https://shop.example", "https://*.shop.example"]

    refused = submit(console, address, origins="https://*.com")
    assert "at least two parts" in refused
