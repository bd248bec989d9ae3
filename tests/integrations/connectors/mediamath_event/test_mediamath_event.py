"""MediaMath's Event API, one event a request."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError

from integrations.connectors.base import Member, Operation, Removal, Segment
from integrations.connectors.conformance import Conformance, Example
from integrations.connectors.mediamath_event.connector import MediaMathEvent
from integrations.errors import MisconfiguredError, RefusedError
from tests.integrations.connectors.payloads import payload, written

GUID = "5f11538c-fcb6-4600-88e0-6e51bff72bbc"
USER = UUID("00000000-0000-4000-8000-000000000042")
MAPPING = json.loads(payload("mediamath_event", "mapping.json"))
SEGMENT = Segment(1, 1234567, 9, "Big spenders", {"pixel_id": 1234567})


def connector(**settings: Any) -> MediaMathEvent:
    given = {"advertiser_id": 654321, **settings}
    MediaMathEvent.validate_settings(given)
    return MediaMathEvent(given, {})


def test_event__is_the_documents() -> None:
    request = connector().push(Operation.ADD, [Member(SEGMENT, GUID, USER)], 0)
    assert written(request) == payload("mediamath_event", "event.txt")


def test_attributes__follow_by_the_mapping_template() -> None:
    ready = connector(mapping=MAPPING)
    assert ready.wanted_attributes == {"sku", "order_id", "price"}
    request = ready.push(Operation.ADD, [Member(SEGMENT, GUID, USER, {"sku": "A & 7", "price": 9.5})], 0)
    assert written(request) == payload("mediamath_event", "event_with_attributes.txt")


def test_advertiser_parameter__is_a_setting() -> None:
    request = connector(advertiser_parameter="mt_aid").push(Operation.ADD, [Member(SEGMENT, GUID, USER)], 0)
    assert "&mt_aid=654321&" in request.url


def test_id_that_is_no_guid__is_refused() -> None:
    with pytest.raises(RefusedError, match="GUID"):
        connector().push(Operation.ADD, [Member(SEGMENT, "AMsySZa", USER)], 0)
    assert "mt_uuid=AMsySZa" in connector(id_type="any").push(Operation.ADD, [Member(SEGMENT, "AMsySZa", USER)], 0).url


def test_removal__is_declared_impossible() -> None:
    assert connector().removal is Removal.NONE
    with pytest.raises(MisconfiguredError, match="no removal"):
        connector().push(Operation.REMOVE, [Member(SEGMENT, GUID, USER)], 0)


def test_settings__are_refused_where_they_cannot_work() -> None:
    for wrong in ({"advertiser_id": "x"}, {"mapping": [{"from": "a", "to": "b c"}]}, {"mapping": [{"from": "a"}]}):
        with pytest.raises(ValidationError):
            connector(**wrong)
    with pytest.raises(ValidationError):
        connector(mapping=[{"from": "a", "to": "b", "type": "money"}])
    with pytest.raises(ValidationError):
        connector().validate_activation({})
    connector().validate_activation({"pixel_id": 1})


class TestConformance(Conformance):
    example = Example(
        connector=MediaMathEvent,
        settings={"advertiser_id": 654321, "mapping": MAPPING},
        activation={"pixel_id": 1234567},
        ids=(GUID, "2c3753c5-9a67-4600-f044-a5d7e0c5f6d7"),
        attributes={"sku": "A", "price": 7},
    )
