"""`/dp`, row by row of the contract's table."""

import gzip
import time
import uuid
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from core import buckets
from core.inbox import InboxKind
from edge.responses import GIF
from tests.support.edge_client import COMMON
from tests.support.edge_process import CUSTOMER, DP, OTHER_PIXEL, PIXEL, RunningEdge, StoredRow

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
OTHER = "0b1c2d3e-4f50-4a6b-9c8d-7e6f5a4b3c2d"
LIMIT = 256 * 1024


def _event(edge: RunningEdge, fields: Mapping[str, object]) -> StoredRow:
    edge.client.get("/dp", {**DP, **fields}, cookie=USER)
    return edge.only_row()


def _of_size(size: int) -> bytes:
    return b'{"a":"' + b"x" * (size - 8) + b'"}'


@pytest.mark.parametrize(
    ("fields", "content_type", "body"),
    [
        ({"t": "gif"}, "image/gif", GIF),
        ({"t": "js"}, "application/javascript; charset=utf-8", b""),
        ({}, "application/javascript; charset=utf-8", b""),
    ],
    ids=["gif", "js", "no t"],
)
def test_dp__with_cookie__is_accepted_and_answers_as_t_says(
    edge: RunningEdge, fields: dict[str, object], content_type: str, body: bytes
) -> None:
    reply = edge.client.get("/dp", {**DP, **fields, "data": '{"a": 1}'}, cookie=USER)
    assert (reply.status, reply.name, reply.body) == (200, "accepted", body)
    assert reply.headers["content-type"] == content_type
    assert COMMON.items() <= reply.headers.items()
    assert "set-cookie" not in reply.headers
    row = edge.only_row()
    assert (row.bucket, row.kind, row.body) == (buckets.of_user(uuid.UUID(USER)), InboxKind.EVENT, b'{"a": 1}')
    assert abs(row.message.pop("at") / 1000 - time.time()) < 60
    assert row.message == {"customer": CUSTOMER, "pixel": PIXEL, "user": USER, "confirmed": True}


def test_dp__post_body__is_kept_as_it_was_sent(edge: RunningEdge) -> None:
    raw = '{"UserId" : 4694200, "Stadt": "Köln", "a": 1, "a": 2}'.encode()
    assert edge.client.post("/dp", DP, raw, cookie=USER).name == "accepted"
    row = edge.only_row()
    assert row.body == raw
    assert row.message["ids"] == [["user", "4694200"]]


def test_dp__post_in_chunks__is_kept_whole(edge: RunningEdge) -> None:
    connection = edge.client._connection  # the client itself knows no chunks
    parts = iter([b'{"a":', b"1", b"}"])
    headers = {"Cookie": f"dmpuid={USER}"}
    connection.request("POST", f"/dp?{urlencode(DP)}", parts, headers, encode_chunked=True)
    assert connection.getresponse().read() == b""
    assert edge.only_row().body == b'{"a":1}'


def test_dp__post_with_data_in_the_query__is_accepted(edge: RunningEdge) -> None:
    assert edge.client.post("/dp", {**DP, "data": '{"a":1}'}, b"", cookie=USER).name == "accepted"
    assert edge.only_row().body == b'{"a":1}'


@pytest.mark.parametrize("fields", [{}, {"data": ""}])
def test_dp__no_data__is_a_page_view(edge: RunningEdge, fields: dict[str, object]) -> None:
    assert edge.client.get("/dp", {**DP, **fields}, cookie=USER).name == "accepted"
    assert edge.only_row().body is None


def test_dp__gzip__is_unpacked(edge: RunningEdge) -> None:
    raw = b'{"a": 1}'
    packed = gzip.compress(raw[:4]) + gzip.compress(raw[4:])
    headers = {"Content-Encoding": "gzip"}
    reply = edge.client.send("POST", f"/dp?{urlencode(DP)}", packed, headers, cookie=USER)
    assert reply.name == "accepted"
    assert edge.only_row().body == raw


def test_dp__uuid__needs_no_cookie_and_sets_none(edge: RunningEdge) -> None:
    reply = edge.client.get("/dp", {**DP, "uuid": USER.upper()})
    assert (reply.status, reply.name, reply.cookie) == (200, "accepted", None)
    assert edge.only_row().message["user"] == USER


def test_dp__uuid_beside_another_cookie__names_both(edge: RunningEdge) -> None:
    row = _event(edge, {"uuid": OTHER})
    assert (row.message["user"], row.message["ids"]) == (OTHER, [["cookie", USER]])
    assert row.bucket == buckets.of_user(uuid.UUID(OTHER))


def test_dp__own_time__is_the_event_s(edge: RunningEdge) -> None:
    assert _event(edge, {"at": "1456213019.25"}).message["at"] == 1_456_213_019_250


def test_dp__dimensions__are_read_by_type_and_the_rest_ignored(edge: RunningEdge) -> None:
    fields = {
        "_geo_c": "DEU",
        "it": "10",
        "iv": "19.5",
        "lat": "north",
        "cpid": "007",
        "curr": "",
        "r": "x" * 2049,
        "eurl": "a\0b",
        "nobody_knows": "x",
    }
    assert _event(edge, fields).message["dimensions"] == {"_geo_c": "DEU", "it": 10, "iv": 19.5, "cpid": "007"}


def test_dp__unknown_parameter_repeated_or_unreadable__is_ignored(edge: RunningEdge) -> None:
    query = f"{urlencode(DP)}&x=1&x=2&y=%ff&%ff=1&100%&_os=%ff"
    assert edge.client.get("/dp", query, cookie=USER).name == "accepted"
    assert "dimensions" not in edge.only_row().message


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"m": 1}, "m"),
        ({"m": ""}, "m"),
        ({"m": f"0{CUSTOMER}"}, "m"),
        ({"m": "x"}, "m"),
        ({"id": 1}, "id"),
        ({"id": OTHER_PIXEL}, "id"),
        ({"id": "x"}, "id"),
        ({"t": "png"}, "t"),
        ({"t": ""}, "t"),
        ({"uuid": ""}, "uuid"),
        ({"uuid": "x"}, "uuid"),
        ({"uuid": USER.replace("-", "")}, "uuid"),
        ({"uuid": "[[USERID]]"}, "uuid"),
        ({"at": ""}, "at"),
        ({"at": "now"}, "at"),
        ({"at": "-5"}, "at"),
        ({"at": "1e9"}, "at"),
        ({"at": "946684799"}, "at"),
        ({"at": int(time.time()) + 200_000}, "at"),
        ({"at": "9" * 5000}, "at"),
    ],
)
def test_dp__bad_parameter__is_refused_by_name(edge: RunningEdge, fields: dict[str, object], parameter: str) -> None:
    reply = edge.client.get("/dp", {**DP, **fields}, cookie=USER)
    edge.check_refused(reply, 400, f"bad-{parameter}")
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.body.decode().count("\n") == 1
    assert parameter in reply.body.decode().split()


@pytest.mark.parametrize("missing", ["m", "id"])
def test_dp__missing_parameter__is_refused_by_name(edge: RunningEdge, missing: str) -> None:
    fields = {name: value for name, value in DP.items() if name != missing}
    edge.check_refused(edge.client.get("/dp", fields, cookie=USER), 400, f"bad-{missing}")


@pytest.mark.parametrize("name", ["m", "id", "t", "data", "uuid", "at", "_ck", "_nr", "euid", "devid_g", "_geo_c"])
def test_dp__repeated_parameter__is_refused_by_name(edge: RunningEdge, name: str) -> None:
    query = f"{urlencode(DP)}&{name}=1&{name}=1"
    edge.check_refused(edge.client.get("/dp", query, cookie=USER), 400, f"bad-{name}")


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH"])
def test_dp__other_method__is_refused(edge: RunningEdge, method: str) -> None:
    reply = edge.client.send(method, f"/dp?{urlencode(DP)}", cookie=USER)
    edge.check_refused(reply, 405, "bad-method")
    assert reply.headers["allow"] == "GET, HEAD, POST"


def test_dp__data_in_query_and_body__is_refused(edge: RunningEdge) -> None:
    reply = edge.client.post("/dp", {**DP, "data": "{}"}, b"{}", cookie=USER)
    edge.check_refused(reply, 400, "bad-data")


@pytest.mark.parametrize("raw", ["%ff", "%7B%22a%22%3A%22%ed%a0%80%22%7D", "%EF%BB%BF%7B%7D"])
def test_dp__data_in_query_not_utf8_or_with_a_byte_order_mark__is_refused(edge: RunningEdge, raw: str) -> None:
    edge.check_refused(edge.client.get("/dp", f"{urlencode(DP)}&data={raw}", cookie=USER), 400, "bad-data")


def test_dp__body_at_the_limit__is_accepted(edge: RunningEdge) -> None:
    assert edge.client.post("/dp", DP, _of_size(LIMIT), cookie=USER).name == "accepted"


def test_dp__body_over_the_limit__is_too_large(edge: RunningEdge) -> None:
    edge.check_refused(edge.client.post("/dp", DP, _of_size(LIMIT + 1), cookie=USER), 413, "too-large")


@pytest.mark.parametrize("size", [LIMIT + 1, 50_000_000], ids=["one byte too many", "bomb"])
def test_dp__gzip_over_the_limit__is_too_large(edge: RunningEdge, size: int) -> None:
    headers = {"Content-Encoding": "gzip"}
    packed = gzip.compress(_of_size(size))
    reply = edge.client.send("POST", f"/dp?{urlencode(DP)}", packed, headers, cookie=USER)
    edge.check_refused(reply, 413, "too-large")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"{}"),
        ("gzip", gzip.compress(b"{}")[:-3]),
        ("gzip", gzip.compress(b"{}") + b"x"),
        ("br", b"{}"),
    ],
    ids=["not gzip", "cut short", "rubbish behind", "unknown encoding"],
)
def test_dp__body_that_cannot_be_unpacked__is_refused(edge: RunningEdge, encoding: str, body: bytes) -> None:
    headers = {"Content-Encoding": encoding}
    reply = edge.client.send("POST", f"/dp?{urlencode(DP)}", body, headers, cookie=USER)
    edge.check_refused(reply, 400, "bad-data")
