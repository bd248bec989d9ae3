"""Mapp's webhook: messages as described, signed over the bytes that go out, ids read from answers of any shape."""

import hashlib
import hmac
from uuid import UUID

import pytest

from integrations.connectors.base import Member, Operation, Segment
from integrations.connectors.conformance import Conformance, Example
from integrations.connectors.mapp_webhook.connector import MappWebhook
from integrations.errors import RefusedError, RetriableError
from integrations.http import Request, Response
from tests.integrations.connectors.payloads import answer, payload

READY = MappWebhook({"url": "https://hook.example/dmp"}, {"secret": "verysecure"})
NEW = Segment(1, None, 9, "Big spenders", {}, 123, 7)
MADE = Segment(1, "12345", 9, "Big spenders", {}, 123, 7)
MEMBERS = [
    Member(MADE, "abcdef123", UUID("00000000-0000-4000-8000-000000000042")),
    Member(MADE, "ghjkl1321", UUID("00000000-0000-4000-8000-000000000043")),
]


def signature(request: Request) -> str:
    return hmac.new(b"verysecure", request.body or b"", hashlib.sha1).hexdigest()


def test_messages__are_the_described_ones_and_signed() -> None:
    create, add = READY.creation_request(NEW, 0), READY.push(Operation.ADD, MEMBERS, 0)
    assert (create.url, create.body) == (
        "https://hook.example/dmp?type=CREATE_AUDIENCE",
        payload("mapp_webhook", "create.json"),
    )
    assert (add.url, add.body) == ("https://hook.example/dmp?type=ADD_TO_AUDIENCE", payload("mapp_webhook", "add.json"))
    remove = READY.push(Operation.REMOVE, MEMBERS, 0)
    assert remove.body == (add.body or b"").replace(b"ADD_TO", b"REMOVE_FROM")
    for request in (create, add, remove, *READY.check_requests()):
        assert request.secret_headers == {"X-HMAC": signature(request)}


def test_known_signature__is_hex_hmac_sha1() -> None:
    (validate,) = READY.check_requests()
    assert validate.body == b'{"Type":"VALIDATE"}'
    assert validate.secret_headers["X-HMAC"] == "743d5c4bad44dba8ca86c9a366fe011448d0f9ce"


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b'{"id": ""}', b'{"id": null, "more": [1]}'])
def test_answer_without_id__leaves_our_own(body: bytes) -> None:
    assert READY.segment_id(NEW, Response(200, {}, body)) == "9"


def test_id_in_the_answer__is_used_from_then_on() -> None:
    assert READY.segment_id(NEW, answer("mapp_webhook", "created.json")) == "12345"
    assert READY.segment_id(NEW, Response(200, {}, b'{"id": 12345, "more": {}}')) == 12345


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"id": {}}', b'{"id": true}'])
def test_malformed_answer__is_a_clear_error(body: bytes) -> None:
    with pytest.raises(RefusedError, match=r"no JSON object|neither text nor a number"):
        READY.segment_id(NEW, Response(200, {}, body))


def test_reason__is_the_key_error_or_the_body() -> None:
    assert "full" in str(READY.failure(Response(400, {}, b'{"error": "full", "more": 1}')))
    assert "out of order" in str(READY.failure(Response(500, {}, b"out of order")))
    assert isinstance(READY.failure(Response(500, {}, b"[]")), RetriableError)


class TestConformance(Conformance):
    example = Example(
        connector=MappWebhook,
        settings={"url": "https://hook.example/dmp"},
        credentials={"secret": "verysecure"},
        ids=("abcdef123", "ghjkl1321"),
        created=answer("mapp_webhook", "created.json"),
    )
