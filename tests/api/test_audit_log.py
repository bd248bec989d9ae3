"""The audit log: every write of the API leaves an entry, which tells who, what, before and after, and no secret."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.urls import URLPattern

from activation.models import Activation
from api.addresses import urlpatterns
from audiences.models import Audience, AudienceVersion
from core import audit, buckets, clock
from core.access import EVERYTHING, Access, Role
from core.audit import Actor
from core.models import ApiKey, AuditEntry, Customer, Invitation
from core.people import invitations
from integrations.models import Platform
from pipeline.models import Export, Import, ImportSchedule, ImportTemplate
from profiles.judging import IdName
from profiles.models import Attribute, Pixel, WatchedId
from tests.support.api_caller import Caller, caller
from tests.support.console_people import person

UNSAFE = {"post", "put", "patch", "delete"}
READS = {
    # they change nothing
    *("post audience-estimate", "post audience-difference", "post activation-preview", "post platform-check"),
    "post platform-links",
    # they ask a third party, and are tested where one is: tests/activation and tests/connectors
    *("post activation-test", "post activation-reconcile", "post platform-publish"),
}


def write_routes() -> Iterator[str]:
    for one in (one for one in urlpatterns if isinstance(one, URLPattern)):
        view: Any = one.callback
        offered = UNSAFE & set(view.cls.http_method_names)
        methods = getattr(view, "actions", None) or [name for name in UNSAFE if hasattr(view.cls, name)]
        yield from (f"{method} {one.name}" for method in methods if method in offered)


class Writes:
    """One write by each route that changes something, on rows of its own."""

    def __init__(self, admin: Caller, shop: Customer, pixel: Pixel, rule: dict[str, Any]) -> None:
        self.admin, self.shop, self.pixel, self.rule = admin, shop, pixel, rule
        self.platform = Platform.objects.create(customer=shop, name="Ads", connector="http", settings=HTTP)

    def audience(self, **more: Any) -> Audience:
        values = {"name": str(uuid4()), "rule": self.rule, "status": "live", **more}
        return Audience.objects.create(customer=self.shop, **values)

    def changed_audience(self) -> Audience:
        found = self.audience()
        earlier = {**self.rule, "combinator": "or"}
        AudienceVersion.objects.create(audience=found, version=1, rule=earlier, change="created", at=clock.now())
        return found

    def activation(self, **more: Any) -> Activation:
        values = {"settings": {"segment_id": 1}, "segment_id": 1, "status": "live", **more}
        return Activation.objects.create(audience=self.audience(), platform=self.platform, **values)

    def lookalike(self) -> Audience:
        return self.audience(kind="lookalike", rule=None, seed=self.audience(), reach={"percent": 5})

    def static_list(self) -> Audience:
        return self.audience(kind="static", rule=None)

    def person(self) -> User:
        return person("marketer", self.shop, name=f"person-{uuid4()}")

    def invitation(self) -> Invitation:
        return invitations.invite(EVERYTHING, Access(Role.ANALYST, frozenset({self.shop.m})), "somebody")[0]

    def signed_pixel(self) -> Pixel:
        return Pixel.objects.create(customer=self.shop, name="Signed", auth="signed", signing_secrets=["very-secure"])

    def key(self) -> ApiKey:
        return ApiKey.issue("k", "analyst", self.shop)[0]

    def suspect(self, value: str) -> IdName:
        of_value = {"bucket": buckets.of_value(value), "customer_id": self.shop.m, "kind": "user", "value": value}
        WatchedId.objects.create(**of_value, suspect_at=clock.now())
        return IdName(self.shop.m, "user", value)

    def export(self) -> Export:
        now = clock.now()
        return Export.objects.create(customer=self.shop, audience=self.audience(), name="members", starts_at=now)

    def import_(self, **more: Any) -> Import:
        values = {"name": "p.csv", "kept": True, "format": "csv", "size": 1, "created_at": "2026-01-01T00:00Z", **more}
        return Import.objects.create(customer_id=self.shop.m, pixel=self.pixel, **values)

    def files(self) -> Platform:
        where = {"target": "folder", "path": "in"}
        return Platform.objects.create(customer=self.shop, name=f"files-{uuid4()}", connector="file", settings=where)

    def schedule(self) -> ImportSchedule:
        of = {"customer": self.shop, "pixel": self.pixel, "platform": self.files(), "due_at": clock.now()}
        return ImportSchedule.objects.create(name=f"schedule-{uuid4()}", **of)

    def template(self) -> ImportTemplate:
        return ImportTemplate.objects.create(customer=self.shop, name=f"template-{uuid4()}")

    def calls(self) -> dict[str, tuple[str, Any]]:
        """The address and the body of each write."""
        shop, platform, pixel = self.shop.m, self.platform.pk, self.pixel.pk
        other = Platform.objects.create(customer=self.shop, name="Other", connector="none")
        unused = Pixel.objects.create(customer=self.shop, name="Unused")
        attribute = Attribute.objects.create(customer=self.shop, path="Age")
        named = {"customer": shop, "name": "New"}
        looked_at = self.import_(dry_run=True, status="failed").pk
        return {
            "post apikey-list": ("api-keys/", {"name": "k", "role": "analyst"}),
            "patch apikey-detail": (f"api-keys/{self.key().pk}/", {"name": "Renamed"}),
            "delete apikey-detail": (f"api-keys/{self.key().pk}/", None),
            "post apikey-rotate": (f"api-keys/{self.key().pk}/rotate/", None),
            "post customer-list": ("customers/", {"name": "New"}),
            "patch customer-detail": (f"customers/{shop}/", {"name": "Renamed"}),
            "post pixel-list": ("pixels/", named),
            "patch pixel-detail": (f"pixels/{pixel}/", {"name": "Renamed"}),
            "post pixel-rotate-secret": (f"pixels/{self.signed_pixel().pk}/rotate-secret/", None),
            "delete pixel-detail": (f"pixels/{unused.pk}/", None),
            "post attribute-list": ("attributes/", {"customer": shop, "path": "Height"}),
            "patch attribute-detail": (f"attributes/{attribute.pk}/", {"enabled": True, "type": "number"}),
            "post platform-list": ("platforms/", {**named, "connector": "none"}),
            "patch platform-detail": (f"platforms/{platform}/", {"name": "Renamed"}),
            "delete platform-detail": (f"platforms/{other.pk}/", None),
            "post platform-rotate-secret": (f"platforms/{platform}/rotate-secret/", None),
            "post audience-list": ("audiences/", {**named, "rule": self.rule}),
            "patch audience-detail": (f"audiences/{self.audience().pk}/", {"name": "Renamed"}),
            "delete audience-detail": (f"audiences/{self.audience().pk}/", None),
            "post audience-go-back": (f"audiences/{self.changed_audience().pk}/go-back/", {"version": 1}),
            "post audience-train": (f"audiences/{self.lookalike().pk}/train/", None),
            "post audience-add": (f"audiences/{self.static_list().pk}/add/", {"user_keys": ["C-1"]}),
            "post audience-remove": (f"audiences/{self.static_list().pk}/remove/", {"users": [str(uuid4())]}),
            "post activation-list": (
                "activations/",
                {"audience": self.audience().pk, "platform": platform, "settings": {"segment_id": 2}},
            ),
            "delete activation-detail": (f"activations/{self.activation().pk}/", None),
            "post activation-pause": (f"activations/{self.activation().pk}/pause/", None),
            "post activation-resume": (f"activations/{self.activation(status='paused').pk}/resume/", None),
            "post activation-resync": (f"activations/{self.activation().pk}/resync/", None),
            "post deadletter-replay": ("dead-letters/replay/", {"activation": self.activation().pk}),
            "post badrow-replay": ("bad-rows/replay/", {"ids": ["1-1"]}),
            "post usermapping-upload": ("mappings/upload/", b""),
            "post import-list": (f"imports/?pixel={pixel}&name=p.csv", b"UserId\nanna\n"),
            "post export-list": ("exports/", {"audience": self.audience().pk, "name": "members"}),
            "patch export-detail": (f"exports/{self.export().pk}/", {"paused": True}),
            "delete export-detail": (f"exports/{self.export().pk}/", None),
            "post export-run": (f"exports/{self.export().pk}/run/", None),
            "post import-start": (f"imports/{self.import_(dry_run=True, status='done').pk}/start/", None),
            "post import-look-again": (f"imports/{looked_at}/look-again/", {"decimal": ","}),
            "post importschedule-list": ("imports/schedules/", {**named, "pixel": pixel, "platform": self.files().pk}),
            "patch importschedule-detail": (f"imports/schedules/{self.schedule().pk}/", {"pattern": "*.csv"}),
            "delete importschedule-detail": (f"imports/schedules/{self.schedule().pk}/", None),
            "post importschedule-run": (f"imports/schedules/{self.schedule().pk}/run/", None),
            "post importtemplate-list": ("imports/templates/", named),
            "patch importtemplate-detail": (f"imports/templates/{self.template().pk}/", {"decimal": ","}),
            "delete importtemplate-detail": (f"imports/templates/{self.template().pk}/", None),
            "post import-cancel": (f"imports/{self.import_(status='waiting').pk}/cancel/", None),
            "patch person-detail": (f"people/{self.person().pk}/", {"role": "analyst", "customers": [shop]}),
            "delete person-detail": (f"people/{self.person().pk}/", None),
            "post invitation-list": ("people/invitations/", {"role": "analyst", "customers": [shop]}),
            "delete invitation-detail": (f"people/invitations/{self.invitation().pk}/", None),
            "post watchedid-good": (f"suspect-ids/{self.suspect('a')}/good/", None),
            "post watchedid-bad": (f"suspect-ids/{self.suspect('b')}/bad/", None),
            "delete user": (f"users/{uuid4()}/?customer={shop}", None),
        }


HTTP: dict[str, Any] = {
    "add": {"method": "POST", "url": "https://ads.example/s", "body": [{"user": "{{userid}}"}]},
    "removal": "none",
}


def entries(**wanted: Any) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(**wanted).order_by("id"))


def test_writes__of_every_route__leave_an_entry(
    admin: Caller, shop: Customer, pixel: Pixel, rule: dict[str, Any]
) -> None:
    calls = Writes(admin, shop, pixel, rule).calls()
    key = ApiKey.objects.get(name="admin of a test")

    assert set(write_routes()) == calls.keys() | READS
    for route, (address, body) in calls.items():
        before = AuditEntry.objects.count()
        answer = admin.call(route.split()[0], address, body)
        assert answer.status < 300, (route, answer.body)
        left = entries()[before:]
        assert left, f"{route} left no entry"
        assert {(row.actor_kind, row.actor_number, row.door) for row in left} == {("key", key.prefix, "api")}
        assert {row.address for row in left} == {"127.0.0.1"}
        refused = AuditEntry.objects.count()
        assert caller("analyst").call(route.split()[0], address, body).status == 403
        assert entries()[refused:][1:] == []  # but for the analyst's key


def test_entry__of_a_change__tells_only_what_changed(admin: Caller, pixel: Pixel) -> None:
    admin.patch("pixels/7/", {"name": "Renamed"})

    (entry,) = entries(action="change")
    assert (entry.object, entry.object_number, entry.customer_id) == ("pixel", "7", pixel.customer_id)
    assert (entry.before, entry.after) == ({"name": "Front page"}, {"name": "Renamed"})
    admin.patch("pixels/7/", {"name": "Renamed"})
    assert entries(action="change") == [entry]


def test_entry__of_a_refused_write__is_not_there(admin: Caller, pixel: Pixel, audience: Audience) -> None:
    before = len(entries())

    assert admin.patch("pixels/7/", {"name": ""}).status == 400
    assert admin.delete("pixels/7/").status == 409
    assert len(entries()) == before


def test_entries__of_secrets__hold_masks(admin: Caller, shop: Customer) -> None:
    body = {
        "customer": shop.m,
        "name": "Ads",
        "connector": "http",
        "settings": {**HTTP, "add": {**HTTP["add"], "headers": {"X-Api-Key": "battery-staple"}}},
        "credentials": {"type": "bearer", "token": "correct-horse"},
        "sync_secret": "verysecure-secret",
    }
    made = admin.post("platforms/", body)
    assert made.status == 201, made.body
    changed = {"credentials": {"type": "bearer", "token": "correct-donkey"}}
    assert admin.patch(f"platforms/{made.body['pl']}/", changed).status == 200
    assert admin.patch(f"platforms/{made.body['pl']}/", {"name": "Renamed"}).status == 200
    key = admin.post("api-keys/", {"name": "k", "role": "analyst"}).body["key"]

    told = json.dumps([[row.before, row.after, row.name] for row in entries()])
    for secret in ("battery-staple", "correct-horse", "correct-donkey", "verysecure", key.partition(".")[2]):
        assert secret not in told
    assert str(shop.salt) not in told
    credentials, renamed = entries(object="platform", action="change")
    assert credentials.before == credentials.after == {"credentials": "•••"}
    assert renamed.after == {"name": "Renamed"}  # what is sealed anew has not changed


def test_entries__of_the_hub_and_of_commands__say_so(shop: Customer) -> None:
    with audit.acting(Actor("command", "create_api_key", door="command line")):
        ApiKey.issue("k", "admin", shop)
    Customer.objects.filter(m=shop.m).update(name="Renamed")

    assert [(row.actor_kind, row.actor) for row in entries()] == [
        ("hub", ""),
        ("command", "create_api_key"),
        ("hub", ""),
    ]


def test_audit_log__only_admins__read(shop: Customer) -> None:
    assert [caller(role, shop).get("audit-log/").status for role in ("admin", "marketer", "analyst")] == [200, 403, 403]
    assert caller("marketer").get("audit-log/export/").status == 403
    assert caller("admin").post("audit-log/", {}).status == 405


def test_audit_log__bound_admin__sees_its_customers_entries_only(
    admin: Caller, shop: Customer, rival: Customer, pixel: Pixel
) -> None:
    bound = caller("admin", rival)
    foreign = entries(object="pixel")[0]

    assert {row["customer"] for row in bound.get("audit-log/").body["results"]} == {rival.m}
    assert bound.get(f"audit-log/{foreign.pk}/").status == 404
    assert "Front page" not in bound.get("audit-log/export/").body.decode()
    assert bound.get(f"audit-log/?customer={shop.m}").body["results"] == []
    assert admin.get(f"audit-log/{foreign.pk}/").body["after"]["name"] == "Front page"


def test_audit_log__filtered__lists_what_fits(admin: Caller, pixel: Pixel) -> None:
    admin.patch("pixels/7/", {"name": "Renamed"})

    def found(query: str) -> list[str]:
        return [row["action"] for row in admin.get(f"audit-log/?{query}").body["results"]]

    assert found("object=pixel&object_number=7") == ["change", "create"]
    assert found("object=pixel&actor_kind=key") == ["change"]
    assert found("object=pixel&since=2999-01-01T00:00:00Z") == []
    assert admin.get("audit-log/?object_nr=7").status == 400
    assert admin.get("audit-log/?actor_kind=king").status == 400


def test_audit_log__exported__has_every_entry_and_no_formula(admin: Caller, shop: Customer) -> None:
    Customer.objects.filter(m=shop.m).update(name="=cmd()")
    table = admin.get("audit-log/export/?object=customer")
    lines = admin.get("audit-log/export/?format=ndjson&object=customer")

    rows = list(csv.DictReader(io.StringIO(table.body.decode())))
    told = [json.loads(line) for line in lines.body.splitlines()]
    assert [row["id"] for row in rows] == [str(row["id"]) for row in told]
    assert [row["action"] for row in told] == ["create", "change"]
    assert rows[1]["name"] == "'=cmd()"
    assert table.headers["Content-Type"].startswith("text/csv")
    assert admin.get("audit-log/export/?object_nr=1").status == 400


def test_key__used_from_elsewhere__is_noted_once_a_minute(admin: Caller) -> None:
    made = admin.post("api-keys/", {"name": "k", "role": "admin", "allowed_addresses": ["192.0.2.0/24"]}).body
    for _ in range(3):
        Caller(made["key"]).get("customers/")

    (entry,) = entries(action="refuse")
    assert (entry.object, entry.object_number, entry.after) == ("api_key", str(made["id"]), {"address": "127.0.0.1"})


def test_entry__of_a_large_value__tells_its_length() -> None:
    audit.record("change", "audience", after={"rule": "x" * (audit.LONGEST_VALUE + 1)})

    assert entries()[0].after == {"rule": {"left out": f"{audit.LONGEST_VALUE + 3} bytes"}}
