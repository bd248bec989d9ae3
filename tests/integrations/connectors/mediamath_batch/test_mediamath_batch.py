"""MediaMath's Event API in batches."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError

from integrations.connectors.base import Limits, Member, Operation, Segment
from integrations.connectors.conformance import Conformance, Example
from integrations.connectors.mediamath_batch.connector import MediaMathBatch
from integrations.errors import MisconfiguredError, RefusedError
from integrations.http import Response
from tests.integrations.connectors.payloads import payload

GUID, OTHER = "5f11538c-fcb6-4600-88e0-6e51bff72bbc", "2c3753c5-9a67-4600-f044-a5d7e0c5f6d7"
USER = UUID("00000000-0000-4000-8000-000000000042")
MAPPING = [{"from": "sku", "to": "sku", "type": "String"}]
ONE = Segment(1, 1234567, 9, "Big spenders", {"pixel_id": 1234567, "mapping_id": "M-1"})
TWO = Segment(2, 7654321, 8, "Small spenders", {"pixel_id": 7654321, "mapping_id": "M-2"})
MEMBERS = [Member(ONE, GUID, USER, {"sku": "A"}), Member(TWO, OTHER, USER)]


def connector(**settings: Any) -> MediaMathBatch:
    given = {"advertiser_id": 654321, "mapping": MAPPING, **settings}
    MediaMathBatch.validate_settings(given)
    return MediaMathBatch(given, {"api_key": "k3y"})


def test_events__are_the_documents() -> None:
    one, both = connector().push(Operation.ADD, MEMBERS[:1], 0), connector().push(Operation.ADD, MEMBERS, 0)
    base = "https://ingest-default.prod.octane.mediamath.com/v1"
    assert (one.url, one.body) == (f"{base}/event", payload("mediamath_batch", "event.json"))
    assert (both.url, both.body) == (f"{base}/events", payload("mediamath_batch", "events.json"))
    assert both.headers == {"Content-Type": "application/json"}
    assert both.secret_headers == {"x-api-key": "k3y"}


@pytest.mark.parametrize(("status", "message", "kind"), json.loads(payload("mediamath_batch", "answers.json")))
def test_answer__is_treated_as_what_it_is(status: int, message: str, kind: str | None) -> None:
    response = Response(status, {}, json.dumps({"code": status, "message": message}).encode())
    assert connector().succeeded(response) is (kind is None)
    if kind is not None:
        failure = connector().failure(response)
        assert type(failure).__name__ == kind
        assert message in str(failure)


def test_id_that_is_none__is_left_out_and_told() -> None:
    members = [MEMBERS[0], Member(ONE, "AMsySZa", USER), MEMBERS[1]]
    request = connector().push(Operation.ADD, members, 0)
    assert request.body == payload("mediamath_batch", "events.json")
    first, second, third = connector().outcomes(Operation.ADD, members, Response(200, {}, b""))
    assert (first, third) == (None, None)
    assert isinstance(second, RefusedError)


def test_only_ids_that_are_none__make_no_request() -> None:
    with pytest.raises(RefusedError, match="GUID"):
        connector().push(Operation.ADD, [Member(ONE, "AMsySZa", USER)] * 2, 0)
    with pytest.raises(MisconfiguredError, match="no removal"):
        connector().push(Operation.REMOVE, MEMBERS, 0)


def test_advertiser__may_be_another_for_an_event() -> None:
    ready = connector(mapping=[{"from": "brand", "to": "mt_adid", "type": "integer"}])
    members = [Member(ONE, GUID, USER, {"brand": 99}), Member(ONE, OTHER, USER)]
    events = json.loads(ready.push(Operation.ADD, members, 0).body or b"")["events"]
    assert [event["attributes"][0]["mt_adid"] for event in events] == [99, "654321"]


def test_limits__are_the_documented_ones() -> None:
    assert MediaMathBatch.default_limits == Limits(per_second=10, concurrent=5, per_day=50_000)
    assert MediaMathBatch.batch_size == 100


def test_activation__needs_pixel_and_mapping() -> None:
    for wrong in ({}, {"pixel_id": 1}, {"mapping_id": "M-1"}, {"pixel_id": 1, "mapping_id": ""}):
        with pytest.raises(ValidationError):
            connector().validate_activation(wrong)
    with pytest.raises(ValidationError):
        MediaMathBatch({"advertiser_id": 1}, {})


class TestConformance(Conformance):
    example = Example(
        connector=MediaMathBatch,
        settings={"advertiser_id": 654321, "mapping": MAPPING},
        credentials={"api_key": "k3y-k3y"},
        activation={"pixel_id": 1234567, "mapping_id": "M-1"},
        ids=(GUID, OTHER),
        attributes={"sku": "A"},
    )
