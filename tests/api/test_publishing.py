"""`platforms/{pl}/publish/`: what buyers would be shown, and that the token is kept nowhere."""

from typing import Any

import pytest

from activation.models import Activation
from audiences.models import Audience
from core.models import Customer
from integrations.models import Platform
from tests.support.api_caller import Caller

ORDER: dict[str, Any] = {"token": "correct-horse", "audience_vendor_id": 13, "name": "Shop"}


@pytest.fixture
def exchange(shop: Customer) -> Platform:
    platform = Platform.objects.create(
        customer=shop,
        name="MM",
        connector="mediamath_s2s",
        settings={"partner": "P", "segment_namespace": "ep"},
        credentials={"username": "u", "password": "battery-staple"},
    )
    audience = Audience.objects.create(customer=shop, name="Visitors", rule={}, status="live")
    Activation.objects.create(audience=audience, platform=platform, segment_id=10001)
    return platform


def test_publish__previewed__shows_all_segments_and_no_token(admin: Caller, exchange: Platform) -> None:
    body = {"kind": "taxonomy", "order": ORDER, "preview": True}
    answer = admin.post(f"platforms/{exchange.pl}/publish/", body)
    assert answer.status == 200
    assert answer.body["status"] is None
    assert "POST https://api.mediamath.com/dmp/v2.0/audience_segments" in answer.body["request"]
    assert '"code": "10001"' in answer.body["request"]
    assert "correct-horse" not in str(answer.body)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"kind": "taxonomy", "order": {}}, "order"),
        ({"kind": "nosuch", "order": ORDER}, "kind"),
        ({"kind": "taxonomy", "order": ORDER, "more": 1}, "more"),
        ({"kind": "data_segment", "order": {"token": "t", "activation": 9, "provider_id": 1, "agency_id": 1}}, "order"),
        ({"kind": "taxonomy", "order": ORDER | {"url": "http://127.0.0.1:1/x"}}, "order"),
    ],
)
def test_publish__that_cannot_be__is_refused_at_its_place(
    admin: Caller, exchange: Platform, body: dict[str, Any], place: str
) -> None:
    answer = admin.post(f"platforms/{exchange.pl}/publish/", body)
    assert (answer.status, answer.body["errors"][0]["attr"]) == (400, place)


def test_publish__where_segments_are_visible_anyway__is_refused(admin: Caller, shop: Customer) -> None:
    platform = Platform.objects.create(customer=shop, name="Ads", connector="none")
    answer = admin.post(f"platforms/{platform.pl}/publish/", {"kind": "taxonomy", "order": ORDER})
    assert (answer.status, answer.body["errors"][0]["attr"]) == (400, "kind")
