"""Request templates: placeholders in URLs, headers and JSON documents."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from integrations import templates
from integrations.connectors.base import Member, Operation, Segment
from integrations.connectors.http.connector import HttpConnector
from integrations.http import Request

USER = UUID("00000000-0000-4000-8000-000000000042")
URL = "https://ads.example/v1/segment"
ROW = [{"segment": "{{segment_id}}", "userid": "{{userid}}"}]

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


def connector(credentials: dict[str, Any] | None = None, **settings: Any) -> HttpConnector:
    given = {"add": {"method": "POST", "url": URL, "body": ROW}, "removal": "none", **settings}
    HttpConnector.validate_settings(given)
    return HttpConnector(given, credentials or {})


def push(ready: HttpConnector, *members: tuple[Any, str], operation: Operation = Operation.ADD) -> Request:
    rows = [Member(Segment(1, segment, 9, "Big & strong", {}), userid, USER) for segment, userid in members]
    return ready.push(operation, rows, 1700000000)


def sent(request: Request) -> Any:
    assert request.body is not None
    return json.loads(request.body)


def faults(**settings: Any) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        connector(**settings)
    return refused.value.message_dict["settings"]


# ── values ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("segment", [12345, "12345", "s-1"])
def test_placeholder_alone_in_a_string__takes_the_values_own_type(segment: object) -> None:
    assert sent(push(connector(), (segment, "abc"))) == [{"segment": segment, "userid": "abc"}]


def test_placeholder_in_a_longer_text__stands_as_text() -> None:
    body = [{"id": "s{{segment_id}}", "{{operation}}": ["{{ timestamp }}", "{{user_id}}", 1, None, True]}]
    assert sent(push(connector(add={"method": "PUT", "url": URL, "body": body}), (7, "x"))) == [
        {"id": "s7", "add": [1700000000, str(USER), 1, None, True]}
    ]


@given(userid=texts, segment=st.one_of(st.integers(), texts))
def test_url__value_arrives_as_it_is_whatever_it_holds(userid: str, segment: int | str) -> None:
    ready = connector(strategy="no_batch", add={"method": "POST", "url": URL + "/{{segment_id}}/x?u={{userid}}&k=v"})
    url = urlsplit(push(ready, (segment, userid)).url)

    assert (url.scheme, url.netloc, url.fragment) == ("https", "ads.example", "")
    assert parse_qs(url.query, keep_blank_values=True) == {"u": [userid], "k": ["v"]}
    assert unquote(url.path.split("/")[3]) == str(segment)


@given(userid=texts)
def test_json__value_arrives_as_it_is_whatever_it_holds(userid: str) -> None:
    assert sent(push(connector(), (1, userid))) == [{"segment": 1, "userid": userid}]


@given(document=json_values)
def test_document_without_placeholders__is_sent_as_it_is(document: Any) -> None:
    if not templates.names(document):
        assert templates.document(document)({}) == document


@given(value=texts)
def test_value_that_looks_like_a_placeholder__is_not_filled_in(value: str) -> None:
    userid = "{{segment_id}}" + value
    assert sent(push(connector(), (1, userid)))[0]["userid"] == userid


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────


@given(members=st.lists(st.tuples(st.integers(), texts), min_size=1, max_size=20))
def test_batch__repeats_its_row(members: Sequence[tuple[int, str]]) -> None:
    assert sent(push(connector(), *members)) == [{"segment": segment, "userid": userid} for segment, userid in members]


def test_batch__member_that_is_a_list_of_one__is_repeated_and_the_rest_stands_once() -> None:
    body = {"audience": "{{name}}", "op": "{{operation}}", "users": ["{{userid}}"], "two": [1, 2]}
    ready = connector(add={"method": "POST", "url": URL, "body": body})

    assert sent(push(ready, (1, "a"), (1, "b"))) == {
        "audience": "Big & strong",
        "op": "add",
        "users": ["a", "b"],
        "two": [1, 2],
    }
    assert ready.one_segment_a_request
    assert not connector().one_segment_a_request


@pytest.mark.parametrize(
    ("body", "alone"),
    [(ROW, False), ({"users": ROW}, False), ({"id": "{{segment_id}}", "users": ["{{userid}}"]}, True)],
)
def test_segment_named_outside_of_rows__one_segment_a_request(body: Any, alone: bool) -> None:
    assert connector(add={"method": "POST", "url": URL, "body": body}).one_segment_a_request is alone
    assert connector(add={"method": "POST", "url": URL + "/{{segment_id}}", "body": body}).one_segment_a_request


# ── faults ───────────────────────────────────────────────────────────────────────────────────────────


def test_faults__are_told_all_at_once_and_where() -> None:
    told = faults(
        create={"method": "POST", "url": URL + "?t={{userid}}", "segment_id": "a..b"},
        add={"method": "POST", "url": URL + "?u={{userid}}", "headers": {"X": "{{password}}"}, "body": {"a": "{{b}}"}},
        remove={"method": "DELETE", "url": URL, "body": ROW, "headers": {"X": "a\nb"}},
        removal="call",
    )
    assert [fault.split(":")[0] for fault in told] == [
        "add.url",
        "add.headers",
        "add.body",
        "add.body",
        "create.url",
        "create.segment_id",
        "remove.headers",
    ]


def test_removal_by_call__needs_the_call() -> None:
    assert faults(removal="call") == ["remove: missing; or set removal to “ttl” or “none”"]


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 9},
        {"batch_size": 1001},
        {"strategy": "file"},
        {"unknown": 1},
        {"linger_ms": -1},
        {"add": {"method": "TRACE", "url": URL}},
        {"add": {"method": "POST", "url": "ftp://x"}},
        {"add": None},
    ],
)
def test_setting_out_of_bounds__is_refused(settings: dict[str, Any]) -> None:
    assert faults(**settings)


@given(template=json_values)
def test_any_template__is_refused_or_can_be_filled_in(template: Any) -> None:
    try:
        ready = connector(add={"method": "POST", "url": URL, "body": template})
    except ValidationError:
        return
    push(ready, (1, "a"), (2, "b"))


# ── credentials ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("credentials", "shown"),
    [
        ({"type": "none"}, {}),
        ({"type": "basic", "username": "u", "password": "p"}, {"basic": ("u", "p")}),
        ({"type": "bearer", "token": "t"}, {"secret_headers": {"Authorization": "Bearer t"}}),
        ({"type": "header", "name": "X-Key", "value": "k"}, {"secret_headers": {"X-Key": "k"}}),
        ({"type": "query", "name": "key", "value": "k"}, {"secret_query": {"key": "k"}}),
    ],
)
def test_credentials__go_where_they_belong_and_nowhere_else(
    credentials: dict[str, Any], shown: dict[str, object]
) -> None:
    request = push(connector(credentials), (1, "x"))
    parts = {"basic": None, "secret_headers": {}, "secret_query": {}} | shown
    assert {name: getattr(request, name) for name in parts} == parts
    assert request.headers == {"Content-Type": "application/json"}
    assert request.url == URL
