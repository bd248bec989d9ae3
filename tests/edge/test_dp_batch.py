"""`/dp/batch`: many events in one request, each for itself."""

import gzip
import json
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from core import buckets
from core.inbox import InboxKind
from edge.endpoints.dp_batch import AT_ONCE, CHUNK_LINES, MOST_LINES, WHOLE
from tests.support.edge_client import COMMON, Reply, target
from tests.support.edge_process import CUSTOMER, DP, OTHER_PIXEL, PIXEL, RunningEdge, api_key, until

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
LIMIT = 256 * 1024


def ndjson(lines: Sequence[Mapping[str, Any] | bytes]) -> bytes:
    return b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)


def post(
    edge: RunningEdge,
    body: bytes,
    *,
    fields: Mapping[str, object] = DP,
    key: str | None = "marketer",
    encoding: str = "identity",
) -> Reply:
    headers = {"Content-Encoding": encoding}
    if key is not None:
        headers["Authorization"] = f"Bearer {api_key(key)}"
    return edge.client.send("POST", target("/dp/batch", fields), body, headers)


def send(edge: RunningEdge, *lines: Mapping[str, Any] | bytes) -> dict[str, Any]:
    reply = post(edge, ndjson(lines))
    assert reply.status == 200
    told: dict[str, Any] = json.loads(reply.body)
    assert reply.name == ("partly-accepted" if told["errors"] else "accepted")
    return told


def statuses(told: dict[str, Any]) -> list[tuple[int, str]]:
    return [(error["line"], error["status"]) for error in told["errors"]]


def test_batch__every_line_is_committed_as_dp_would_store_it(edge: RunningEdge) -> None:
    at = int(time.time()) - 3600
    lines: list[dict[str, Any]] = [
        {"uuid": USER.upper(), "data": {"a": {"b": [1, 2]}, "UserId": 7}, "at": at, "_geo_c": "DEU", "lat": 50.7},
        {"pl": 99, "euid": "e-1"},
        {"data": {"UserId": "anna"}, "it": 10, "nobody": {"knows": "this"}},
        {"user": "berta", "data": None},
        {"devid_g": "g-1", "idsha1": "s", "at": at + 0.5},
    ]
    reply = post(edge, ndjson(lines))
    assert (reply.status, reply.name) == (200, "accepted")
    assert json.loads(reply.body) == {"lines": 5, "accepted": 5, "errors": []}
    assert COMMON.items() <= reply.headers.items()
    assert "set-cookie" not in reply.headers

    rows = {row.message.get("user") or row.message["ids"][0][1]: row for row in edge.rows()}
    assert {row.kind for row in rows.values()} == {InboxKind.EVENT}
    first = rows[USER]
    assert first.body == b'{"a": {"b": [1, 2]}, "UserId": 7}'
    assert first.bucket == buckets.of_user(uuid.UUID(USER))
    assert first.message == {
        "customer": CUSTOMER,
        "pixel": PIXEL,
        "at": at * 1000,
        "user": USER,
        "confirmed": True,
        "ids": [["user", "7"]],
        "dimensions": {"_geo_c": "DEU", "lat": 50.7},
    }
    assert rows["e-1"].message["ids"] == [["euid:99", "e-1"]]
    assert rows["e-1"].bucket == buckets.of_value("e-1")
    assert rows["anna"].message["dimensions"] == {"it": 10}
    assert (rows["berta"].message["ids"], rows["berta"].body) == ([["user", "berta"]], None)
    assert rows["g-1"].message["ids"] == [["device:devid_g", "g-1"], ["device:idsha1", "s"]]
    assert rows["g-1"].message["at"] == at * 1000 + 500


BAD: dict[str, tuple[Mapping[str, Any] | bytes, str]] = {
    "no JSON": (b'{"uuid":', "bad-line"),
    "no object": (b"[1]", "bad-line"),
    "no UTF-8": (b'{"a":"\xff"}', "bad-line"),
    "nobody": ({"data": {"a": 1}}, "no-user"),
    "an empty id": ({"uuid": "", "user": None, "data": {"a": 1}}, "no-user"),
    "a uuid that is none": ({"uuid": "me"}, "bad-uuid"),
    "a uuid of another type": ({"uuid": True}, "bad-uuid"),
    "an object as an id": ({"user": {"id": 1}}, "bad-user"),
    "a time that is none": ({"uuid": USER, "at": "yesterday"}, "bad-at"),
    "a time to come": ({"uuid": USER, "at": time.time() + 200_000}, "bad-at"),
    "an unexpanded macro": ({"pl": 1, "euid": "[[USERID]]"}, "no-user"),
    "a platform that is no number": ({"pl": "x", "euid": "1"}, "bad-pl"),
    "data that is no object": ({"uuid": USER, "data": [1]}, "bad-data"),
    "an integer too large": ({"uuid": USER, "data": {"a": 2**70}}, "bad-data"),
    "NUL": (b'{"uuid":"%s","data":{"a":"\\u0000"}}' % USER.encode(), "bad-data"),
    "data too large": ({"uuid": USER, "data": {"a": "x" * LIMIT}}, "too-large"),
    "a line too large": ({"uuid": USER, "b": "x" * 2 * LIMIT}, "too-large"),
    "consent denied": ({"uuid": USER, "us_privacy": "1YYN"}, "consent-denied"),
}


def test_batch__bad_lines_are_listed_and_cost_no_neighbour(edge: RunningEdge) -> None:
    lines: list[Mapping[str, Any] | bytes] = []
    for line, _ in BAD.values():
        lines += [line, b"  ", {"user": str(len(lines) + 1)}]

    told = send(edge, *lines, b"")

    assert statuses(told) == [(1 + 3 * index, status) for index, (_, status) in enumerate(BAD.values())]
    assert (told["lines"], told["accepted"]) == (2 * len(BAD), len(BAD))
    assert {row.message["ids"][0][1] for row in edge.rows()} == {str(1 + 3 * index) for index in range(len(BAD))}
    assert all(error["message"] for error in told["errors"])


def test_batch__of_more_lines_than_a_chunk__is_committed_whole_and_errors_keep_their_numbers(edge: RunningEdge) -> None:
    lines: list[Mapping[str, Any] | bytes] = [{"user": f"u-{number}"} for number in range(3 * CHUNK_LINES + 10)]
    lines[CHUNK_LINES] = lines[-1] = b"nonsense"

    told = send(edge, *lines)

    assert statuses(told) == [(CHUNK_LINES + 1, "bad-line"), (len(lines), "bad-line")]
    assert len(edge.rows()) == told["accepted"] == len(lines) - 2


def test_batch__gzip__is_understood_and_bounded(edge: RunningEdge) -> None:
    reply = post(edge, gzip.compress(ndjson([{"user": "u"}])), encoding="gzip")
    assert (reply.name, len(edge.rows())) == ("accepted", 1)
    edge.database.execute("DELETE FROM inbox")
    edge.check_refused(post(edge, gzip.compress(b"x" * (WHOLE.body_bytes + 1)), encoding="gzip"), 413, "too-large")
    edge.check_refused(post(edge, gzip.compress(b"\n") * 500, encoding="gzip"), 400, "bad-data")
    edge.check_refused(post(edge, b"no gzip", encoding="gzip"), 400, "bad-data")


def test_batch__too_many_lines__is_refused_as_a_whole(edge: RunningEdge) -> None:
    edge.check_refused(post(edge, b'{"user":"u"}\n' * (MOST_LINES + 1)), 413, "too-large")


@pytest.mark.parametrize(
    ("key", "fields", "status", "name"),
    [
        (None, {}, 401, "bad-key"),
        ("nobody", {}, 401, "bad-key"),
        ("revoked", {}, 401, "bad-key"),
        ("expired", {}, 401, "bad-key"),
        ("elsewhere", {}, 403, "bad-address"),
        ("analyst", {}, 403, "read-only"),
        ("other", {}, 403, "other-customer"),
        ("marketer", {"m": 4242}, 403, "other-customer"),
        ("admin", {"m": 4242}, 400, "bad-m"),
        ("admin", {"id": OTHER_PIXEL}, 400, "bad-id"),
    ],
)
def test_batch__of_one_who_may_not__is_refused(
    edge: RunningEdge, key: str | None, fields: dict[str, object], status: int, name: str
) -> None:
    edge.check_refused(post(edge, ndjson([{"user": "u"}]), fields={**DP, **fields}, key=key), status, name)


def test_batch__of_a_secret_that_was_just_replaced__is_taken(edge: RunningEdge) -> None:
    assert post(edge, ndjson([{"user": "u"}]), key="rotated").status == 200


def test_batch__key_with_a_wrong_secret__is_refused(edge: RunningEdge) -> None:
    for header in ("Bearer admin.other", "Bearer admin", "Basic admin.secret", "Bearer ", "Bearer é"):
        reply = edge.client.send("POST", target("/dp/batch", DP), b"{}", {"Authorization": header})
        edge.check_refused(reply, 401, "bad-key")


def test_batch__other_method__is_refused(edge: RunningEdge) -> None:
    edge.check_refused(edge.client.get("/dp/batch", DP), 405, "bad-method")


def test_batch__a_third_at_once__is_told_to_come_again(edge: RunningEdge) -> None:
    slow = [_under_way(edge) for _ in range(AT_ONCE)]
    try:
        reply = post(edge, b"{}")
        assert (reply.status, reply.name, reply.headers["retry-after"]) == (503, "busy", "1")
        assert edge.client.get("/dp", DP, cookie=USER).name == "accepted"
    finally:
        for one in slow:
            one.close()
    until(lambda: post(edge, b'{"user":"u"}').name == "accepted")


def _under_way(edge: RunningEdge) -> socket.socket:
    """A batch that the edge asked the body of, which does not come."""
    connection = socket.create_connection(("127.0.0.1", edge.process.port), timeout=20)
    head = f"POST {target('/dp/batch', DP)} HTTP/1.1\r\nHost: e\r\nContent-Length: 100\r\nExpect: 100-continue\r\n"
    connection.sendall(f"{head}Authorization: Bearer {api_key('admin')}\r\n\r\n".encode())
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    return connection


def uses(edge: RunningEdge, prefix: str) -> list[dict[str, Any]]:
    """What the edge says of the key's uses."""
    rows = edge.database.execute("SELECT query FROM inbox WHERE kind = %s", [InboxKind.KEY_USED]).fetchall()
    return [found for (query,) in rows if (found := json.loads(bytes(query)))["prefix"] == prefix]


def test_batch__of_a_key_that_may_not_be_used_here__says_so_once_a_minute(edge: RunningEdge) -> None:
    for _ in range(3):
        assert post(edge, ndjson([{"user": "u"}]), key="far-away").name == "bad-address"

    (use,) = uses(edge, "far-away")
    assert (use["address"], use["refused"]) == ("127.0.0.1", True)


def test_batch__of_a_key__is_noted_once_a_minute(edge: RunningEdge) -> None:
    for _ in range(3):
        assert post(edge, ndjson([{"user": "u"}]), key="used-once").status == 200

    (use,) = uses(edge, "used-once")
    assert (use["address"], use["refused"]) == ("127.0.0.1", False)
