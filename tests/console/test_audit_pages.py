"""Every address of the console: those that change something leave an entry in the audit log."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver

from audiences.models import Audience, AudienceVersion
from console import addresses, log_in_addresses
from console.password_reset import link_for
from console.recorded import UNCHANGING
from console.single_sign_on.configuration import ID, providers
from core import buckets, clock
from core.access import EVERYTHING, Access, Role
from core.console_environment import SingleSignOn
from core.models import AuditEntry, BadRow, Customer
from core.people import invitations
from pipeline.exports import files
from pipeline.models import Export, ExportRun, Import
from profiles.judging import IdName
from profiles.models import Attribute, Pixel, WatchedId
from tests.console.test_audit import rows
from tests.support.console_forms import submit
from tests.support.console_people import enrolled, give_factor, person

GOOD = "correct-horse-9"
# pages that show something
READING = {
    *("people", "estimate", "rule-fields", "overlap", "why", "audience-size", "audience-versions", "export-user"),
    *(
        "erasures",
        "import-errors",
        "shared-ids",
        "suspect-ids",
        "ids-of-nobody",
        "connectors",
        "links",
        "look-up",
        "match-rate",
        "audit-log",
        "batches",
    ),
    *("platform-health", "pipeline", "account_inactive", "account_reset_password_done", "None", "mfa_index"),
    *("account_reset_password_from_key_done", "mfa_list_webauthn", "mfa_view_recovery_codes"),
    *("mfa_download_recovery_codes", "socialaccount_login_cancelled", "socialaccount_login_error"),
}
# they need a device, or a provider of single sign-on: tests/console/test_single_sign_on.py
ELSEWHERE = {"mfa_add_webauthn", "sso_callback", "socialaccount_signup"}


def names(patterns: list[Any]) -> Iterator[str]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from names(one.url_patterns)
        elif isinstance(one, URLPattern):
            yield str(one.name)


class Pages:
    """A form sent to each page that changes something, on rows of its own."""

    def __init__(self, browser: Client, shop: Customer) -> None:
        self.browser, self.shop = browser, shop
        self.pixel = Pixel.objects.create(customer=shop, name="Front page", user_key="UserId")
        self.boss = User.objects.get(username="boss")
        self.boss.set_unusable_password()  # so that one can be set
        self.boss.save()
        browser.force_login(self.boss)

    def post(self, path: str, **given: Any) -> Any:
        return self.browser.post(path, given)

    def somebody(self) -> User:
        return person("marketer", self.shop, name=f"person-{uuid4()}")

    def invitation(self) -> tuple[int, str]:
        row, token = invitations.invite(EVERYTHING, Access(Role.ANALYST, frozenset({self.shop.m})), "somebody")
        return row.pk, token

    def go_back(self) -> Any:
        rule = {"combinator": "and", "rules": [{"field": f"pixel.{self.pixel.pk}.count", "operator": ">=", "value": 1}]}
        audience = Audience.objects.create(customer=self.shop, name="A", rule=rule, status="live")
        earlier = {**rule, "combinator": "or"}
        AudienceVersion.objects.create(audience=audience, version=1, rule=earlier, change="created", at=clock.now())
        return self.post(f"/audiences/{audience.pk}/versions/go-back/1/")

    def replay_bad_rows(self) -> Any:
        now = clock.now()
        values = {"query": b"{}", "reason": "x", "received_at": now, "failed_at": now}
        BadRow.objects.create(bucket=1, id=1, customer_id=self.shop.m, kind=1, **values)
        return self.post("/bad-rows/", row=["1-1"])

    def export(self) -> Any:
        vips = Audience.objects.get(name="VIPs")
        return self.post("/exports/", audience=vips.pk, name="members", format="csv", fields_="user_id")

    def export_file(self) -> Any:
        run = ExportRun.objects.create(export=Export.objects.get(), slot=clock.now(), kept=True, file_name="m.csv")
        place = files.kept_file(self.shop.pk, run.pk)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("uuid")
        return self.browser.get(f"/exports/files/{run.pk}/")

    def judge(self) -> Any:
        WatchedId.objects.create(
            bucket=buckets.of_value("x"), customer_id=self.shop.m, kind="user", value="x", suspect_at=clock.now()
        )
        return self.post(f"/suspect-ids/{IdName(self.shop.m, 'user', 'x')}/bad/")

    def reset(self) -> Any:
        other = Client()
        made = link_for(RequestFactory().get("/"), self.somebody())
        path = other.get(urlsplit(made).path)["Location"]
        return other.post(path, {"password1": GOOD, "password2": GOOD})

    def enrol(self) -> Any:
        Authenticator.objects.filter(user=self.boss).delete()  # a hub that demands one made the boss have it
        return enrolled(self.browser)

    def give_up_totp(self) -> Any:
        answer = self.post("/account/2fa/totp/deactivate/")
        give_factor(self.boss)
        return answer

    def passkey(self) -> str:
        row = Authenticator.objects.create(user=self.boss, type="webauthn", data={"name": "Key"})
        return f"/account/2fa/webauthn/keys/{row.pk}"

    def disconnect(self) -> Any:
        account = SocialAccount.objects.create(user=self.boss, provider=ID, uid="1")
        return self.post("/account/sso/connections/", account=account.pk)

    def looked_at(self) -> int:
        values = {"name": "p.csv", "kept": True, "format": "csv", "dry_run": True, "status": Import.Status.DONE}
        return Import.objects.create(customer_id=self.shop.m, pixel=self.pixel, created_at=clock.now(), **values).pk

    def calls(self) -> dict[str, Callable[[], Any]]:
        somebody = {"role": "analyst", "customers": [self.shop.m]}
        joining = {"username": "ann", "email": "ann@example.org", "password": GOOD, "again": GOOD}
        table = SimpleUploadedFile("p.csv", b"UserId\nanna\n")
        return {
            "invite": lambda: self.post("/people/invite/", **somebody),
            "person": lambda: self.post(f"/people/{self.somebody().pk}/", **somebody),
            "remove-person": lambda: self.post(f"/people/{self.somebody().pk}/remove/"),
            "revoke-invitation": lambda: self.post(f"/people/invitations/{self.invitation()[0]}/"),
            "invitation": lambda: Client().post(f"/invitations/{self.invitation()[1]}/", joining),
            "audience-go-back": self.go_back,
            "erase-user": lambda: self.post(f"/users/{self.shop.m}/{uuid4()}/erase/"),
            "static-lists": lambda: self.post("/lists/", customer=self.shop.pk, name="VIPs"),
            "static-list": lambda: self.post(
                f"/lists/{Audience.objects.get(name='VIPs').pk}/", action="add", kind="user_keys", ids="anna"
            ),
            "exports": self.export,
            "export-file": self.export_file,
            "imports": lambda: self.post("/imports/", pixel=self.pixel.pk, file=table),
            "import-reading": lambda: self.post(f"/imports/{self.looked_at()}/"),
            "judge-id": self.judge,
            "dead-letters": lambda: self.post("/dead-letters/", row=["x"]),
            "bad-rows": self.replay_bad_rows,
            "account_reset_password_from_key": self.reset,
            "mfa_activate_totp": self.enrol,
            "mfa_generate_recovery_codes": lambda: self.post("/account/2fa/recovery-codes/generate/"),
            "mfa_edit_webauthn": lambda: self.post(f"{self.passkey()}/edit/", name="Key"),
            "mfa_remove_webauthn": lambda: self.post(f"{self.passkey()}/remove/"),
            "mfa_deactivate_totp": self.give_up_totp,
            "account_set_password": lambda: self.post("/account/password/set/", password1=GOOD, password2=GOOD),
            "account_change_password": lambda: self.post(
                "/account/password/change/", oldpassword=GOOD, password1=f"{GOOD}9", password2=f"{GOOD}9"
            ),
            "socialaccount_connections": self.disconnect,  # with a password, so that a way in is left
            "account_log_out_everywhere": lambda: self.post("/account/log-out-everywhere/"),
        }


@pytest.fixture
def shop(db: None, settings: Any, tmp_path: Path) -> Customer:
    settings.FILES_ROOT = tmp_path
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.SOCIALACCOUNT_PROVIDERS = providers(SingleSignOn("https://sso.example", "console", "s", "Example"))
    return Customer.objects.create(m=1, name="Shop")


def test_pages__that_change_something__leave_an_entry(console: Client, shop: Customer) -> None:
    calls = Pages(console, shop).calls()

    known = calls.keys() | READING | ELSEWHERE | UNCHANGING
    assert set(names([*addresses.urlpatterns, *log_in_addresses.urlpatterns])) == known
    for name, call in calls.items():
        before = AuditEntry.objects.count()
        answer = call()
        if not isinstance(answer, str):
            assert answer.status_code in {200, 302}, name
        left = AuditEntry.objects.order_by("id")[before:]
        assert [entry for entry in left if entry.door == "console"], f"{name} left no entry"


CHANGES: dict[str, dict[str, Any]] = {
    "apikey": {"name": "Renamed"},
    "attribute": {"enabled": "on"},
    "audience": {"name": "Renamed"},
    "customer": {"name": "Renamed"},
    "lookalike": {"name": "Renamed too"},
    "pixel": {"name": "Renamed"},
    "platform": {"name": "Renamed"},
    "user": {"username": "renamed"},
}
"""What is typed into the form of a row, by model."""
ACTIONS = {"attribute": ("disable", "enable"), "user": ("delete_selected",)}


def test_forms_and_actions_of_every_model__leave_an_entry(console: Client, shop: Customer) -> None:
    made = rows(shop) | {"attribute": lambda: Attribute.objects.create(customer=shop, path="Age", type="number")}
    request: Any = RequestFactory().get("/")
    request.user = User.objects.get(username="boss")
    registered = {str(model._meta.model_name): (model, page) for model, page in admin.site._registry.items()}

    assert registered.keys() - {"activation"} == CHANGES.keys()  # that one is changed by buttons
    submit(
        console,
        "/activation/activation/add/",
        audience=made["audience"]().pk,
        platform=made["platform"]().pk,
        settings='{"segment_id": 7}',
    )
    assert AuditEntry.objects.filter(object="activation", door="console").exists()
    for name, (model, page) in registered.items():
        if name not in CHANGES:
            continue
        path = f"/{model._meta.app_label}/{model._meta.model_name}/"
        row = made[name]() if name in made else shop
        before = AuditEntry.objects.count()
        submit(console, f"{path}{row.pk}/change/", **CHANGES[name])
        assert AuditEntry.objects.count() > before, f"{name} left no entry"
        assert page.get_actions(request).keys() == set(ACTIONS.get(name, ())), name
        for action in ACTIONS.get(name, ()):
            before = AuditEntry.objects.count()
            console.post(path, {"action": action, "_selected_action": [row.pk], "post": "yes"})
            assert AuditEntry.objects.count() > before, f"{name} {action} left no entry"
