"""The configuration by API alone: what is written is there, what is not understood is refused with its place."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from activation.models import Activation
from audiences.models import Audience, Membership
from core.configuration import ConfigurationVersion
from core.models import Customer
from integrations.models import Platform
from profiles.models import Attribute, Pixel
from tests.support.api_caller import Caller

HTTP = {
    "add": {
        "method": "POST",
        "url": "https://ads.example/v1/segment",
        "body": [{"segment": "{{segment_id}}", "userid": "{{userid}}"}],
    },
    "removal": "none",
}
BAD_BODIES = [
    (b"{", None),
    (b"[]", None),
    (b'{"customer": 1, "name": "\\u0000"}', None),
    (b'{"customer": 1, "name": "\\ud800"}', None),
    (b'{"customer": NaN, "name": "P"}', None),
    (b'{"customer": 1, "name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
    (b'{"customer": ' + b"9" * 5000 + b', "name": "P"}', None),
    (b'{"customer": 99999999999999999999, "name": "P"}', "customer"),
    (b'{"customer": 1.5, "name": "P"}', "customer"),
    (b'{"customer": 1, "nmae": "P"}', "nmae"),
    (b'{"customer": 1}', "name"),
    (b'{"customer": 1, "name": "P", "id": 0}', "id"),
    (b'{"customer": 1, "name": "P", "id": 2147483648}', "id"),
    (b'{"customer": 1, "name": "P", "created_at": "2026-01-01"}', "created_at"),
]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(("body", "place"), BAD_BODIES)
def test_body__not_understood__is_400_with_its_place(admin: Caller, body: bytes, place: str | None) -> None:
    answer = admin.post("pixels/", body)

    assert answer.status == 400
    assert place in {None, *(attr for attr, _ in answer.places)}
    assert not Pixel.objects.exists()


@pytest.mark.usefixtures("shop")
def test_body__misspelt_field__is_told_the_right_one(admin: Caller) -> None:
    answer = admin.post("pixels/", {"customer": 1, "nmae": "P"})

    assert ("nmae", "unknown") in answer.places
    assert any("“name”" in error["detail"] for error in answer.body["errors"])


def test_body__over_two_and_a_half_megabytes__is_413(admin: Caller) -> None:
    assert admin.post("pixels/", b'"' + b"a" * (2_500_000) + b'"').status == 413


@pytest.mark.parametrize("address", ["pixels/?custmer=1", "batches/?state=done", "customers/?page_size=0"])
def test_list__unknown_or_bad_filter__is_400(admin: Caller, address: str) -> None:
    assert admin.get(address).status == 400


@pytest.mark.parametrize("cursor", ["x", "bnVsbA==", "WyJuIiwgInkiXQ==", "é", "W10="])
def test_list__cursor_of_nothing__is_400(admin: Caller, cursor: str) -> None:
    assert admin.get(f"customers/?cursor={cursor}").places == [("cursor", "invalid")]


def test_list__walked_forth_and_back__shows_each_row_once(admin: Caller) -> None:
    Customer.objects.bulk_create([Customer(m=m, name=str(m)) for m in range(1, 8)])
    page, seen, last = admin.get("customers/?page_size=3").body, [], ""
    assert page["previous"] is None
    while True:
        seen += [row["m"] for row in page["results"]]
        if page["next"] is None:
            break
        last = page["next"]
        page = admin.get(last).body

    assert seen == [1, 2, 3, 4, 5, 6, 7]
    back = admin.get(page["previous"]).body
    assert [row["m"] for row in back["results"]] == [4, 5, 6]
    first = admin.get(back["previous"]).body
    assert [row["m"] for row in first["results"]] == [1, 2, 3]
    assert first["previous"] is None
    assert [row["m"] for row in admin.get(first["next"]).body["results"]] == [4, 5, 6]


def test_customers__number_given_or_not__is_unique(admin: Caller) -> None:
    assert admin.post("customers/", {"m": 40, "name": "A"}).body["m"] == 40
    assert admin.post("customers/", {"name": "B"}).body["m"] == 41
    assert admin.post("customers/", {"m": 40, "name": "C"}).places == [("m", "unique")]
    assert admin.patch("customers/40/", {"m": 42}).places == [("m", "fixed")]


@pytest.mark.usefixtures("shop")
def test_pixels__explicit_id__is_never_handed_out_again(admin: Caller) -> None:
    free = admin.post("pixels/", {"customer": 1, "name": "First"}).body["id"] + 1

    assert admin.post("pixels/", {"customer": 1, "name": "Chosen", "id": free}).status == 201
    assert admin.post("pixels/", {"customer": 1, "name": "Next"}).body["id"] == free + 1
    assert admin.post("pixels/", {"customer": 1, "name": "Again", "id": free}).places == [("id", "unique")]


def test_pixels__integrations__keep_their_order(admin: Caller, pixel: Pixel, platform: Platform) -> None:
    other = Platform.objects.create(customer=pixel.customer, name="Other", connector="none")

    made = admin.patch("pixels/7/", {"integrations": [other.pk, platform.pk]})

    assert made.body["integrations"] == [other.pk, platform.pk]
    assert admin.patch("pixels/7/", {"integrations": [platform.pk]}).body["integrations"] == [platform.pk]
    assert admin.get("pixels/7/").body["integrations"] == [platform.pk]


def test_pixels__platform_of_another_customer__is_refused(admin: Caller, rival: Customer, platform: Platform) -> None:
    answer = admin.post("pixels/", {"customer": rival.m, "name": "P", "integrations": [platform.pk]})

    assert answer.places == [("integrations", "invalid")]


def test_pixels__tag__is_html_that_names_the_pixel(admin: Caller, pixel: Pixel) -> None:
    Pixel.objects.filter(pk=7).update(name="--><script>alert(1)</script>")
    answer = admin.get("pixels/7/tag/")

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert b"/sync.js?m=1&amp;id=7" in answer.body
    assert b"<script>alert" not in answer.body
    assert answer.body.count(b"-->") == 1
    assert pixel.pk == 7


def test_pixels__named_by_an_audience__stay(admin: Caller, audience: Audience) -> None:
    answer = admin.delete("pixels/7/")

    assert answer.status == 409
    assert audience.name in answer.body["errors"][0]["detail"]


@pytest.mark.usefixtures("shop")
def test_attributes__declared_ahead__can_be_enabled_and_typed(admin: Caller) -> None:
    body = {"customer": 1, "path": "Address.City", "type": "string", "enabled": True}
    made = admin.post("attributes/", body)

    assert made.status == 201
    assert {**made.body, **body, "last_seen": None, "examples": []} == made.body
    assert admin.patch(f"attributes/{made.body['id']}/", {"enabled": False}).body["enabled"] is False
    assert admin.post("attributes/", body).places == [("path", "unique")]
    assert admin.patch(f"attributes/{made.body['id']}/", {"path": "x"}).places == [("path", "fixed")]
    assert not Attribute.objects.get().enabled


@pytest.mark.usefixtures("shop")
def test_attributes__used_by_a_rule__are_409_when_disabled(admin: Caller) -> None:
    made = admin.post("attributes/", {"customer": 1, "path": "Age", "type": "integer", "enabled": True})
    rule = {"combinator": "and", "rules": [{"field": "attribute.Age", "operator": ">", "value": 18}]}
    assert admin.post("audiences/", {"customer": 1, "name": "Grown", "rule": rule}).status == 201

    for change in ({"enabled": False}, {"type": "string"}):
        assert admin.patch(f"attributes/{made.body['id']}/", change).status == 409
    assert Attribute.objects.get().enabled


def test_audiences__made_changed_paused_resumed__say_so(admin: Caller, rule: dict[str, Any]) -> None:
    made = admin.post("audiences/", {"customer": 1, "name": "Visitors", "rule": rule})
    address = f"audiences/{made.body['id']}/"
    assert (made.status, made.body["status"], made.body["size"]) == (201, "building", 0)

    wider = {**rule, "combinator": "or"}
    assert admin.patch(address, {"rule": wider, "name": "All"}).body["version"] == 2
    assert admin.patch(address, {"status": "paused"}).body["status"] == "paused"
    assert admin.patch(address, {"status": "live"}).body["status"] == "building"
    assert admin.patch(address, {"status": "building", "name": "Same"}).status == 200
    assert admin.get(address).body["name"] == "Same"
    assert admin.delete(address).status == 204
    assert admin.get(address).status == 404


@pytest.mark.usefixtures("pixel")
@pytest.mark.parametrize(
    ("rules", "place"),
    [
        ([], "rule.rules"),
        ([{"field": "pixel.7.count", "operator": ">=", "value": "1"}], "rule.rules[0].value"),
        ([{"field": "pixel.8.count", "operator": ">=", "value": 1}], "rule.rules[0].field"),
        ([{"field": "attribute.Nothing", "operator": "=", "value": 1}], "rule.rules[0].field"),
        ([{"field": "pixel.7.count", "operator": "is", "value": 1}], "rule.rules[0].operator"),
    ],
)
def test_audiences__rule_that_cannot_work__is_400_at_its_place(admin: Caller, rules: list[Any], place: str) -> None:
    answer = admin.post("audiences/", {"customer": 1, "name": "A", "rule": {"combinator": "and", "rules": rules}})

    assert answer.status == 400
    assert place in [attr for attr, _ in answer.places]
    assert not Audience.objects.exists()


def test_audiences__members__are_those_who_are_in(admin: Caller, audience: Audience) -> None:
    for bucket, member in ((1, True), (2, False), (3, True)):
        Membership.objects.create(
            bucket=bucket,
            audience_id=audience.pk,
            user_id=f"00000000-0000-4000-8000-0000000000{bucket:02}",
            customer_id=1,
            member=member,
            since="2026-01-01T00:00:00Z",
        )
    first = admin.get(f"audiences/{audience.pk}/members/?page_size=1").body

    assert [row["user_id"][-2:] for row in first["results"]] == ["01"]
    assert [row["user_id"][-2:] for row in admin.get(first["next"]).body["results"]] == ["03"]


def test_activations__made_and_driven__by_api_alone(admin: Caller, audience: Audience) -> None:
    platform = admin.post("platforms/", {"customer": 1, "name": "Ads", "connector": "http", "settings": HTTP}).body
    body = {"audience": audience.pk, "platform": platform["pl"], "settings": {"segment_id": 4711}}
    made = admin.post("activations/", body)

    assert made.status == 201
    assert made.body["counts"] == dict.fromkeys(
        ("wanted", "acknowledged", "due", "waiting_for_mapping", "dead", "kept"), 0
    )
    address = f"activations/{made.body['id']}/"
    assert admin.post(f"{address}pause/").body["status"] == "paused"
    assert admin.post(f"{address}resume/").body["status"] in {"pending", "live"}
    assert admin.post(f"{address}resync/").status == 200
    assert admin.post(f"{address}preview/").body == []
    assert admin.post("activations/", body).status == 400
    assert Activation.objects.count() == 1


def test_activations__platform_that_cannot__are_400(admin: Caller, audience: Audience, platform: Platform) -> None:
    answer = admin.post("activations/", {"audience": audience.pk, "platform": platform.pk})

    assert answer.places == [("platform", "invalid")]


def test_configuration__written_by_api__raises_the_version(admin: Caller) -> None:
    before = ConfigurationVersion.objects.get().version
    admin.post("customers/", {"name": "A"})

    assert ConfigurationVersion.objects.get().version > before


def test_schema__is_served_without_a_key_and_names_every_resource(admin: Caller) -> None:
    answer = Caller(None).call("get", "schema/?format=json")

    assert answer.status == 200
    assert admin.get("docs/").status == 200
    for resource in ("customers", "pixels", "attributes", "platforms", "audiences", "activations", "pipeline"):
        assert f"/api/v1/{resource}/".encode() in answer.body


def test_schema__is_valid_and_gives_each_shape_a_name_of_its_own(tmp_path: Path) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))


def test_pixels__origins__are_kept_in_one_spelling_each_once(admin: Caller, pixel: Pixel) -> None:
    given = ["HTTPS://Shop.example:443/", "https://shop.example", "https://*.Bücher.example"]

    answer = admin.patch("pixels/7/", {"origins": given})

    assert (answer.status, answer.body["origins"]) == (200, ["https://shop.example", "https://*.xn--bcher-kva.example"])
    assert admin.get("pixels/7/").body["origins"] == answer.body["origins"]


BAD_ORIGINS = [["shop.example"], ["https://*.com"], ["https://a.example/x"], ["null"], ["*"] * 51, "*"]


@pytest.mark.parametrize("given", BAD_ORIGINS)
def test_pixels__origins_that_are_none__are_refused(admin: Caller, pixel: Pixel, given: object) -> None:
    assert admin.patch("pixels/7/", {"origins": given}).status == 400
    assert admin.get("pixels/7/").body["origins"] == []
