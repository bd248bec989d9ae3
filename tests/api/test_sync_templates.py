"""Sync templates as the API takes them."""

import pytest

from core.models import Customer
from integrations.models import Platform
from tests.support.api_caller import Caller

PLATFORM = {"customer": 1, "name": "Ads", "connector": "none"}
WRITTEN = (
    "https://api.third-party.com/sync?out=https://go.flx1.com/uid?userid=[[USERID]]"
    "&pl=<platformId:integer>&plsec=<secureToken:string>"
)


@pytest.mark.usefixtures("shop")
def test_platform__template_with_many_faults__tells_all_at_once(admin: Caller) -> None:
    answer = admin.post("platforms/", {**PLATFORM, "sync_template": "ftp://a.example/?a={{foo}}&b=<bar>"})
    assert answer.status == 400
    assert [attr for attr, _ in answer.places] == ["sync_template"] * 5
    assert not Platform.objects.exists()


def test_platform__of_a_sync_tag__is_kept_and_shown(admin: Caller, shop: Customer) -> None:
    template = "//sync.example/sync/js?exsync={{callback:[MM_UUID]&dc=[MT_DC]}}"
    made = admin.post("platforms/", {**PLATFORM, "sync_template": template, "sync_tag": "js"})
    assert made.status == 201
    assert (made.body["sync_template"], made.body["sync_tag"]) == (template, "js")
    assert Platform.objects.get(customer=shop).sync_tag == "js"


@pytest.mark.usefixtures("shop")
def test_platform__switched_to_signatures__must_not_keep_a_token_in_its_template(admin: Caller) -> None:
    made = admin.post("platforms/", {**PLATFORM, "sync_template": WRITTEN})
    assert made.status == 201
    address = f"platforms/{made.body['pl']}/"
    refused = admin.patch(address, {"sync_auth": "signed"})
    assert (refused.status, [attr for attr, _ in refused.places]) == (400, ["sync_template"])
    template = "https://api.third-party.com/sync?out={{callback}}"
    assert admin.patch(address, {"sync_auth": "signed", "sync_template": template}).status == 200
