"""Taxonomies and external data segments, as MediaMath's public API describes them."""

from typing import Any

import msgspec
import pytest
from django.core.exceptions import ValidationError

from integrations.connectors.base import Segment
from integrations.connectors.mediamath_s2s.connector import MediaMathS2S
from integrations.errors import MisconfiguredError

READY = MediaMathS2S({"partner": "P", "segment_namespace": "ep"}, {"username": "ep", "password": "s3cret"})
SEGMENTS = [Segment(2, 10002, 8, "Small\nspenders", {}), Segment(1, 10001, 9, "Big " + "x" * 300, {})]
TAXONOMY: dict[str, Any] = {"token": "t0ken", "audience_vendor_id": 13, "name": "Shop"}
DATA = {"token": "t0ken", "activation": 2, "provider_id": 15, "advertiser_id": 23}


def body_of(kind: str, order: dict[str, Any]) -> dict[str, Any]:
    request = READY.publication_request(kind, order, SEGMENTS)
    assert request.secret_headers == {"Authorization": "Bearer t0ken"}
    assert b"t0ken" not in (request.body or b"")
    found: dict[str, Any] = msgspec.json.decode(request.body or b"")
    return found


def test_taxonomy__holds_every_segment_each_time() -> None:
    body = body_of("taxonomy", {**TAXONOMY, "permissions": {"agencies": [12]}})
    assert body["permissions"] == {"advertisers": [], "agencies": [12], "organizations": []}
    assert (body["audience_vendor_id"], body["use_hash"]) == (13, False)
    children = body["taxonomy"]["children"]
    assert [(child["code"], child["buyable"]) for child in children] == [("10001", True), ("10002", True)]
    assert [len(child["name"]) for child in children] == [255, len("Small spenders")]


def test_taxonomy_that_exists__is_replaced_whole() -> None:
    new, old = (
        READY.publication_request("taxonomy", TAXONOMY, SEGMENTS),
        READY.publication_request("taxonomy", {**TAXONOMY, "id": 5}, []),
    )
    assert new.url == "https://api.mediamath.com/dmp/v2.0/audience_segments"
    assert old.url == f"{new.url}/5"


def test_data_segment__is_a_pixel_bundle_of_type_data() -> None:
    assert body_of("data_segment", DATA) == {
        "name": "Small spenders 10002",
        "pixel_type": "data",
        "provider_id": 15,
        "eligible": True,
        "advertiser_id": 23,
    }
    assert len(body_of("data_segment", {**DATA, "activation": 1})["name"]) == 64


def test_order__that_does_not_fit_is_refused() -> None:
    for order in ({}, {**TAXONOMY, "more": 1}, {**TAXONOMY, "name": "x" * 256}):
        with pytest.raises(ValidationError):
            READY.publication_request("taxonomy", order, SEGMENTS)
    for order in ({**DATA, "agency_id": 1}, {**DATA, "advertiser_id": None}, {**DATA, "activation": 9}):
        with pytest.raises(MisconfiguredError):
            READY.publication_request("data_segment", order, SEGMENTS)


def test_order_without_a_token__is_the_file_users() -> None:
    order = {name: value for name, value in TAXONOMY.items() if name != "token"}
    request = READY.publication_request("taxonomy", order, SEGMENTS)
    assert (request.basic, request.secret_headers) == (("ep", "s3cret"), {})
