"""What people change in the console, and that they came and went, is in the audit log."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client

from activation.models import Activation
from audiences.models import Audience
from core.models import ApiKey, AuditEntry, Customer
from integrations.models import Platform
from profiles.models import Attribute, Pixel
from tests.support.console_forms import submit
from tests.support.console_people import browser_of, person

HTTP: dict[str, Any] = {
    "add": {"method": "POST", "url": "https://ads.example/s", "body": [{"user": "{{userid}}"}]},
    "removal": "none",
}
# buttons that show something, or ask a platform, and change nothing
READING = {
    *("activation.preview", "audience.explain", "audience.sizes", "audience.versions", "platform.match_rate"),
    *("platform.try_credentials", "platform.sample_file", "audience.export"),  # the last leads to a form
}
# it asks a platform: tests/activation/test_console.py
ELSEWHERE = {"activation.test"}


@pytest.fixture
def shop(db: None) -> Customer:
    return Customer.objects.create(m=1, name="Shop")


def rows(shop: Customer) -> dict[str, Callable[[], Any]]:
    """A new row of each model that has buttons."""
    pixel = Pixel.objects.create(customer=shop, name="Signed", auth="signed", signing_secrets=["a-long-secret"])
    rule = {"combinator": "and", "rules": [{"field": f"pixel.{pixel.pk}.count", "operator": ">=", "value": 1}]}
    platform = Platform.objects.create(customer=shop, name="Ads", connector="http", settings=HTTP)

    def audience(**more: Any) -> Audience:
        name = f"A{Audience.objects.count()}"
        return Audience.objects.create(customer=shop, name=name, status="live", **({"rule": rule} | more))

    def activation() -> Activation:
        values = {"settings": {"segment_id": 1}, "segment_id": 1, "status": "live"}
        return Activation.objects.create(audience=audience(), platform=platform, **values)

    return {
        "activation": activation,
        "apikey": lambda: ApiKey.issue("k", "analyst", shop)[0],
        "audience": audience,
        "lookalike": lambda: audience(kind="lookalike", rule=None, seed=audience(), reach={"percent": 5}),
        "pixel": lambda: pixel,
        "platform": lambda: platform,
        "user": lambda: person("analyst", shop, name=f"person {User.objects.count()}"),
    }


def buttons() -> dict[str, tuple[str, Any]]:
    found = {}
    for model, page in admin.site._registry.items():
        for name in getattr(page, "actions_detail", ()):
            found[f"{model._meta.model_name}.{name}"] = (name.replace("_", "-"), model)
    return found


def test_buttons__of_every_page__leave_an_entry(console: Client, shop: Customer) -> None:
    made = rows(shop)
    for button, (path, model) in buttons().items():
        if button in READING | ELSEWHERE:
            continue
        row = made[str(model._meta.model_name)]()
        if path == "resume":
            type(row).objects.filter(pk=row.pk).update(status="paused")
        before = AuditEntry.objects.count()
        answer = console.post(f"/{model._meta.app_label}/{model._meta.model_name}/{row.pk}/{path}/")
        assert answer.status_code in {200, 302}, button
        left = list(AuditEntry.objects.order_by("id")[before:])
        assert left, f"{button} left no entry"
        whose = None if model is User else shop.m
        assert {(entry.actor, entry.door, entry.customer_id) for entry in left} == {("boss", "console", whose)}, button


def test_form__saved__tells_what_changed(console: Client, shop: Customer) -> None:
    submit(console, "/profiles/pixel/add/", customer=1, name="Front page")
    pixel = Pixel.objects.get()
    submit(console, f"/profiles/pixel/{pixel.pk}/change/", name="Renamed")
    submit(console, f"/profiles/pixel/{pixel.pk}/change/")

    made, changed = AuditEntry.objects.filter(object="pixel").order_by("id")
    assert (made.action, changed.action, changed.actor_kind) == ("create", "change", "person")
    assert (changed.before, changed.after) == ({"name": "Front page"}, {"name": "Renamed"})


def test_attributes__enabled_from_the_list__are_entries(console: Client, shop: Customer) -> None:
    row = Attribute.objects.create(customer=shop, path="Age", type="number")
    console.post("/profiles/attribute/", {"action": "enable", "_selected_action": [row.pk]})

    entry = AuditEntry.objects.get(object="attribute", action="change")
    assert (entry.before, entry.after) == ({"enabled": False, "fixed": False}, {"enabled": True, "fixed": True})


def test_log_in__right_wrong_and_out__are_entries(settings: Any, db: None) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    ann = User.objects.create_user("ann", password="correct-horse-9", is_staff=True, is_superuser=True)
    browser = Client()
    for name in ("ann", "ann", "correct-horse-9"):
        browser.post("/login/", {"username": name, "password": "wrong-horse-9"})
    browser.post("/login/", {"username": "ann", "password": "correct-horse-9"})
    browser.post("/logout/")

    told = [(row.action, row.name, row.address) for row in AuditEntry.objects.filter(object="person").order_by("id")]
    here = "127.0.0.1"
    failures = [("fail to log in", "ann", here), ("fail to log in", "", here)]
    assert told == [*failures, ("log in", "ann", here), ("log out", "ann", here)]
    assert AuditEntry.objects.get(action="log in").actor_number == str(ann.pk)
    assert "horse" not in json.dumps(list(AuditEntry.objects.values_list("before", "after", "name")))


def test_page__shows_what_fits_and_is_the_readers_own(console: Client, shop: Customer) -> None:
    rival = Customer.objects.create(m=2, name="Rival")
    Pixel.objects.create(customer=shop, name="Ours")
    Pixel.objects.create(customer=rival, name="Theirs")
    bound = browser_of(person("admin", shop, name="bound"))

    whole = console.get("/audit-log/?object=pixel").content.decode()
    own = bound.get("/audit-log/?object=pixel").content.decode()
    assert "Ours" in whole
    assert "Theirs" in whole
    assert "Ours" in own
    assert "Theirs" not in own
    assert "Theirs" not in bound.get("/audit-log/?customer=2").content.decode()
    assert "Ours" not in console.get("/audit-log/?object=platform").content.decode()
    for role in ("marketer", "analyst"):
        assert browser_of(person(role, shop, name=role)).get("/audit-log/").status_code == 403
