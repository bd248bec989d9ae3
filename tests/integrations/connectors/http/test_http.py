"""Generic HTTP: the three examples of the document, every way to say who we are, where the segment's id stands."""

import hashlib
import hmac
import json
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError

from integrations.connectors.base import Member, Operation, Removal, Segment
from integrations.connectors.conformance import Conformance, Example
from integrations.connectors.http.connector import HttpConnector
from integrations.errors import RefusedError, UnclearAnswerError
from integrations.http import Request, Response
from tests.integrations.connectors.payloads import answer, payload, written

URL = "https://api.third-party.com/v1/segment"
USER = UUID("00000000-0000-4000-8000-000000000042")
ROW = [{"segment": "{{segment_id}}", "userid": "{{userid}}"}]
BATCH: dict[str, Any] = {
    "create": {"method": "POST", "url": URL + "?title={{name}}"},
    "add": {"method": "POST", "url": URL, "body": ROW},
    "remove": {"method": "DELETE", "url": URL, "body": ROW},
}
CALL = URL + "?id={{segment_id}}&userid={{userid}}"
SINGLE = BATCH | {
    "strategy": "no_batch",
    "add": {"method": "POST", "url": CALL},
    "remove": {"method": "DELETE", "url": CALL},
}
BASIC = {"type": "basic", "username": "foo", "password": "bar"}
OWN = {
    "strategy": "no_batch",
    "id_source": "own",
    "removal": "ttl",
    "ttl_days": 30,
    "add": {"method": "PUT", "url": URL + "/{{segment_id}}/{{user_id}}"},
    "success": "ok",
}
OUR_HEADERS = [
    *("Host", "hOST", "Host ", " Host", "Host:", "{{name}}", "X-{{name}}", "", "Content-Length", "TRANSFER-ENCODING"),
    *("Connection", "Keep-Alive", "Upgrade", "TE", "Trailer", "Expect", "Via", "Authorization", "cookie", "Forwarded"),
    *("Proxy-Authorization", "proxy-connection", "Proxy-Anything", "X-Forwarded-Host", "X_Forwarded_Host"),
]


def connector(settings: dict[str, Any] | None = None, credentials: dict[str, Any] | None = None) -> HttpConnector:
    given = settings or BATCH
    HttpConnector.validate_settings(given)
    return HttpConnector(given, credentials or BASIC)


def member(segment: Any, userid: str, **attributes: Any) -> Member:
    return Member(Segment(1, segment, 9, "My segment", {}, 1, 2), userid, USER, attributes)


@pytest.mark.parametrize("number", [9007199254740993, 18446744073709551615, -9223372036854775808, 1e300, 0.1])
def test_number_of_an_attribute__is_sent_with_every_digit(number: float) -> None:
    row = [{"userid": "{{userid}}", "n": "{{attribute.n}}", "text": "n={{attribute.n}}"}]
    request = connector(BATCH | {"add": {"method": "POST", "url": URL, "body": row}}).push(
        Operation.ADD, [member(77, "u", n=number)], 0
    )
    assert isinstance(request.body, bytes)
    assert json.loads(request.body) == [{"userid": "u", "n": number, "text": f"n={number}"}]


def faults(**settings: Any) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        connector(BATCH | settings)
    return refused.value.message_dict["settings"]


# ── the document ─────────────────────────────────────────────────────────────────────────────────────


def test_creation__is_the_documents() -> None:
    request = connector().creation_request(Segment(1, None, 9, "My segment", {}), 0)
    assert written(request) == payload("http", "create.txt")
    assert request.basic == ("foo", "bar")
    assert connector().segment_id(Segment(1, None, 9, "My segment", {}), answer("http", "created.json")) == 12345


def test_no_batch__is_the_documents() -> None:
    request = connector(SINGLE).push(Operation.ADD, [member(12345, "abcdef123")], 0)
    assert written(request) == payload("http", "no_batch.txt")


def test_micro_batch__is_the_documents() -> None:
    members = [member(12345, "abcdef123"), member(45678, "ghjkl1321")]
    request = connector().push(Operation.ADD, members, 0)
    assert written(request) == payload("http", "micro_batch.txt")
    assert connector().push(Operation.REMOVE, members, 0).method == "DELETE"


# ── what requests are made of ────────────────────────────────────────────────────────────────────────


def test_query__is_added_percent_encoded() -> None:
    call = {"method": "POST", "url": URL, "query": {"user id": "{{userid}}", "kind": "a&b {{operation}}"}}
    request = connector(SINGLE | {"add": call}).push(Operation.ADD, [member(1, "x y/ü")], 0)
    assert request.url == URL + "?user%20id=x%20y%2F%C3%BC&kind=a%26b%20add"
    with_more = connector(SINGLE | {"add": {**call, "url": URL + "?v=1"}})
    assert with_more.push(Operation.ADD, [member(1, "x")], 0).url.startswith(URL + "?v=1&user%20id=x")


def test_attributes__are_asked_for_and_take_their_own_type() -> None:
    body = [{"id": "{{userid}}", "score": "{{attribute.score}}", "city": "in {{attribute.home.city}}"}]
    ready = connector(BATCH | {"add": {"method": "POST", "url": URL, "body": body}})
    assert ready.wanted_attributes == {"score", "home"}

    request = ready.push(Operation.ADD, [member(1, "a", score=7.5, home={"city": "Ulm"}), member(1, "b")], 0)

    assert request.body == b'[{"id":"a","score":7.5,"city":"in Ulm"},{"id":"b","score":null,"city":"in "}]'


def test_attribute__stands_in_rows_only() -> None:
    (fault,) = faults(add={"method": "POST", "url": URL + "?x={{attribute.score}}", "body": ROW})
    assert fault.startswith("add.url: unknown placeholder {{attribute.score}}")
    (fault,) = faults(create={"method": "POST", "url": URL + "?x={{attribute.score}}"})
    assert fault.startswith("create.url: unknown placeholder")


# ── who we are ───────────────────────────────────────────────────────────────────────────────────────


def pushed(credentials: dict[str, Any]) -> Request:
    return connector(credentials=credentials).push(Operation.ADD, [member(1, "a")], 0)


def test_hmac__signs_the_body_as_it_goes_out() -> None:
    for algorithm in ("sha1", "sha256", "sha512"):
        request = pushed({"type": "hmac", "header": "X-Signature", "secret": "s3cret", "algorithm": algorithm})
        expected = hmac.new(b"s3cret", request.body or b"", getattr(hashlib, algorithm)).hexdigest()
        assert request.secret_headers == {"X-Signature": expected}


def test_other_credentials__stand_where_they_belong() -> None:
    assert pushed({"type": "none"}) == pushed({"type": "none"})
    assert pushed({"type": "bearer", "token": "t"}).secret_headers == {"Authorization": "Bearer t"}
    assert pushed({"type": "header", "name": "X-Key", "value": "k"}).secret_headers == {"X-Key": "k"}
    assert pushed({"type": "query", "name": "key", "value": "k"}).secret_query == {"key": "k"}


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("place", "response", "expected"),
    [
        ("data.ids[0]", Response(200, {}, b'{"data": {"ids": ["s-1", "s-2"]}, "more": 1}'), "s-1"),
        ("header:X-Segment", Response(201, {"x-segment": " s-1 "}, b""), "s-1"),
        ("header:Location", Response(201, {"location": "https://x/v1/segments/77?a=b"}, b""), "77"),
    ],
)
def test_segment_id__is_found_in_body_or_header(place: str, response: Response, expected: object) -> None:
    ready = connector(BATCH | {"create": {"method": "POST", "url": URL, "segment_id": place}})
    assert ready.segment_id(Segment(1, None, 9, "x", {}), response) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"segment_id": null}', b'{"segment_id": true}'])
def test_segment_id__missing_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError, match=r"not JSON|no segment id"):
        connector().segment_id(Segment(1, None, 9, "x", {}), Response(200, {}, body))


@pytest.mark.parametrize(
    ("body", "passes"),
    [(b'{"status": "OK", "more": 1}', True), (b'{"status": "ERROR"}', False), (b"", False)],
)
def test_success_test__decides_about_a_200(body: bytes, passes: bool) -> None:
    ready = connector(BATCH | {"success": "status == 'OK'"})
    response = Response(200, {}, body)
    assert ready.succeeded(response) is passes
    if not passes:
        assert isinstance(ready.failure(response), RefusedError)


def test_success_test__of_an_answer_that_is_not_json__is_to_be_asked_again() -> None:
    ready = connector(BATCH | {"success": "status == 'OK'"})
    response = Response(200, {}, b"<html>")
    assert not ready.succeeded(response)
    assert isinstance(ready.failure(response), UnclearAnswerError)


def test_without_success_test__a_200_is_enough() -> None:
    assert connector().succeeded(Response(200, {}, b"<html>"))
    assert not connector().succeeded(Response(302, {}, b""))


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────


def test_ttl__goes_with_its_days() -> None:
    days = ["ttl_days: goes with removal “ttl”, and only with it"]
    assert faults(removal="ttl") == days
    assert faults(ttl_days=3) == days
    ready = connector(OWN)
    assert (ready.removal, ready.ttl_days, ready.own_ids) == (Removal.TTL, 30, True)


def test_faults__are_told_all_at_once() -> None:
    found = faults(success="][", create={"method": "POST", "url": URL, "segment_id": "header:"}, remove=None)
    assert [fault.partition(":")[0] for fault in found] == ["create.segment_id", "success", "remove"]


@pytest.mark.parametrize("place", ["add", "create", "remove", "check", "read"])
def test_headers__that_say_where_a_request_goes_or_who_we_are__are_refused(place: str) -> None:
    call = {"method": "POST", "url": URL, "headers": dict.fromkeys(OUR_HEADERS, "evil.example")}
    found = faults(**{place: call | ({} if place in {"create", "check", "read"} else {"body": ROW})})
    ours = [
        fault for fault in found if fault.startswith((f"{place}.headers: the header ", f"{place}.headers: a header"))
    ]
    assert len(ours) == len(OUR_HEADERS)


@pytest.mark.parametrize("kind", [{"type": "header", "value": "s3cret"}, {"type": "hmac", "secret": "s3cret"}])
def test_credentials__in_a_header_that_says_where_a_request_goes__are_refused(kind: dict[str, Any]) -> None:
    field = "name" if kind["type"] == "header" else "header"
    for name in ("Host", "transfer-encoding", "Proxy-Authorization", "X-Forwarded-Host", "X_Forwarded_Host"):
        with pytest.raises(ValidationError, match="names a header that the hub writes itself"):
            connector(credentials=kind | {field: name})
    connector(credentials=kind | {field: "Authorization"})


# ── conformance ──────────────────────────────────────────────────────────────────────────────────────


class TestBatches(Conformance):
    example = Example(
        connector=HttpConnector,
        settings=BATCH,
        credentials=BASIC,
        ids=("abcdef123", "ghjkl1321"),
        created=answer("http", "created.json"),
    )


class TestSingleCalls(Conformance):
    example = Example(
        connector=HttpConnector,
        settings=SINGLE,
        credentials={"type": "query", "name": "key", "value": "s3cret"},
        ids=("abcdef123", "ghjkl1321"),
        created=answer("http", "created.json"),
    )


class TestOwnIds(Conformance):
    example = Example(
        connector=HttpConnector,
        settings=OWN,
        credentials={"type": "oauth2", "token_url": "https://x.example/t", "client_id": "c", "client_secret": "s3cret"},
        activation={"segment_id": "s-1"},
        ids=("abcdef123", "ghjkl1321"),
    )
