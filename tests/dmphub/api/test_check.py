"""`platforms/{pl}/check/` and `platforms/connectors/`."""

from edge.models import Customer
from integrations.connectors.registry import all_connectors
from integrations.models import Platform
from tests.dmphub.api.caller import Caller

BOTH = [{"from": "a", "to": "mt_excl"}, {"from": "b", "to": "mt_exem"}]


def test_check__warns_of_what_is_hardly_meant(admin: Caller, shop: Customer) -> None:
    platform = Platform.objects.create(
        customer=shop, name="MM", connector="mediamath_event", settings={"advertiser_id": 1, "mapping": BOTH}
    )
    answer = admin.post(f"platforms/{platform.pl}/check/")
    assert answer.status == 200
    assert answer.body["ok"]
    assert "only one of the two hashes" in answer.body["warnings"][0]


def test_check__tells_why_the_platform_cannot_be_asked(admin: Caller, shop: Customer) -> None:
    platform = Platform.objects.create(
        customer=shop,
        name="Hook",
        connector="mapp_webhook",
        settings={"url": "http://127.0.0.1:9/hook"},
        credentials={"secret": "correct-horse"},
    )
    answer = admin.post(f"platforms/{platform.pl}/check/")
    assert (answer.status, answer.body["ok"]) == (200, False)
    assert "private network" in answer.body["error"]
    assert "correct-horse" not in str(answer.body)


def test_connectors__are_described_whole(admin: Caller) -> None:
    found = {one["key"]: one for one in admin.get("platforms/connectors/").body}
    assert found.keys() == all_connectors().keys()
    assert found["mediamath_batch"]["default_limits"] == {"per_second": 10.0, "concurrent": 5, "per_day": 50000}
    assert "dmp_matching_link_click" in found["mapp_cep"]["notes"]
    assert "pixel_id" in str(found["mediamath_event"]["activation_schema"])


def test_unknown_settings_and_credentials__are_refused_when_saved(admin: Caller, shop: Customer) -> None:
    right = {
        "customer": shop.m,
        "name": "Hook",
        "connector": "mapp_webhook",
        "settings": {"url": "https://h.example/x"},
    }
    wrongs: list[dict[str, object]] = [
        {"settings": {"url": "https://h.example/x", "more": 1}, "credentials": {"secret": "s"}},
        {"credentials": {"secret": "s", "more": 1}},
        {"credentials": {}},
    ]
    for wrong in wrongs:
        assert admin.post("platforms/", right | wrong).status == 400
    assert admin.post("platforms/", right | {"credentials": {"secret": "s"}}).status == 201
