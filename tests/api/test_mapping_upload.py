"""Match tables: `mappings/upload/`."""

import gzip
import json
from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from api import mapping_upload
from api.uploads import upload_place
from core import buckets
from core.inbox import InboxKind
from core.models import ApiKey, Customer, Inbox
from integrations.models import Platform
from tests.support.api_caller import BASE, Caller, caller

USER = "5b0d4c3e-9f63-4d25-8c0e-30f2a6c1d7aa"


@pytest.fixture(autouse=True)
def _nobody_absorbs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here waits for room in the inbox."""
    monkeypatch.setattr("pipeline.backlog.PATIENCE_SECONDS", 0.0)


@dataclass(frozen=True, slots=True)
class Told:
    status: int
    results: list[dict[str, Any]]
    headers: Any

    @property
    def faults(self) -> dict[int, str]:
        """What is wrong, by line."""
        return {told["line"]: told["message"] for told in self.results if told.get("status") == "error"}


def upload(by: Caller, body: Any, query: str = "", **headers: str) -> Told:
    headers["Authorization"] = f"Bearer {by.key}"
    client = APIClient(raise_request_exception=False)
    response: Any = client.generic(
        "POST",
        f"{BASE}mappings/upload/{query}",
        body,
        "application/x-ndjson",
        headers=headers,
    )
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return Told(response.status_code, [json.loads(line) for line in content.splitlines()], response.headers)


def table(*lines: Any) -> bytes:
    return b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)


def stored() -> list[tuple[int, InboxKind, dict[str, Any]]]:
    rows = Inbox.objects.order_by("id")
    return [(row.bucket, InboxKind(row.kind), json.loads(bytes(row.query))) for row in rows]


def test_line__with_our_user_id__is_a_sync_as_the_edge_writes_it(
    admin: Caller, shop: Customer, platform: Platform
) -> None:
    line = {"platform": platform.pl, "platform_user_id": "é x", "uuid": USER.upper(), "ttl": 9, "dc": "ewr"}

    answer = upload(admin, table(line))

    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-ndjson")
    assert answer.results == [{"lines": 1, "stored": 1, "errors": 0}]
    ((bucket, kind, message),) = stored()
    at = message.pop("at")
    assert (bucket, kind) == (buckets.of_value("é x"), InboxKind.SYNC)
    assert message == {
        "customer": shop.m,
        "platform": platform.pl,
        "user": USER,
        "platform_user_id": "é x",
        "ttl_days": 9,
        "extra": {"dc": "ewr"},
    }
    assert at > 1_700_000_000_000


@pytest.mark.parametrize(
    ("named", "as_id"),
    [
        ({"user": "C-1"}, ["user", "C-1"]),
        ({"user": 17}, ["user", "17"]),
        ({"pl": 99999, "euid": "e-1"}, ["euid:99999", "e-1"]),
        ({"devid_g": "g-1"}, ["device:devid_g", "g-1"]),
        ({"idsha1": "ab12"}, ["device:idsha1", "ab12"]),
    ],
)
def test_line__with_another_id__goes_to_the_bucket_of_that_id(
    admin: Caller, platform: Platform, named: dict[str, Any], as_id: list[str]
) -> None:
    upload(admin, table({"platform": platform.pl, "platform_user_id": "x", **named}))

    ((bucket, kind, message),) = stored()
    assert (bucket, kind, message["id"]) == (buckets.of_value(as_id[1]), InboxKind.MATCH, as_id)


BAD_LINES: list[tuple[Any, str]] = [
    (b"no json", "malformed"),
    (b"[]", "object"),
    (b'{"platform": "\xff"}', ""),
    (b"x" * 9000, "bytes at most"),
    (b'{"platform": 1, "platform_user_id": "\\ud800", "uuid": ""}', ""),
    (b'{"platform_user_id": "x", "uuid": ""}', "platform"),
    ({"platform": "1", "platform_user_id": "x", "uuid": USER}, "platform"),
    ({"platform": 404, "platform_user_id": "x", "uuid": USER}, "platform"),
    ({"platform": 10**30, "platform_user_id": "x", "uuid": USER}, ""),
    ({"platform_user_id": ""}, "platform_user_id: is empty"),
    ({"platform_user_id": 7}, "platform_user_id"),
    ({"platform_user_id": "0"}, "names nobody"),
    ({"platform_user_id": "-1"}, "names nobody"),
    ({"platform_user_id": "null"}, "names nobody"),
    ({"platform_user_id": "[[USERID]]"}, "macro"),
    ({"platform_user_id": "%24%7BUSER_ID%7D"}, "macro"),
    ({"platform_user_id": "x" * 257}, "256 bytes"),
    ({"platform_user_id": "é" * 129}, "256 bytes"),
    ({"platform_user_id": "a\nb"}, "control"),
    ({"uuid": None}, "name the user once"),
    ({"user": "C-1"}, "name the user once"),
    ({"uuid": "not one"}, "uuid"),
    ({"uuid": "00000000-0000-0000-0000-000000000000"}, "uuid"),
    ({"uuid": None, "user": ""}, "user: is empty"),
    ({"uuid": None, "user": True}, "user"),
    ({"uuid": None, "euid": "e"}, "go together"),
    ({"uuid": None, "pl": 3}, "go together"),
    ({"uuid": None, "pl": 0, "euid": "e"}, "pl"),
    ({"uuid": None, "devid_a": "00000000-0000-0000-0000-000000000000"}, "names nobody"),
    ({"uuid": None, "devid_a": "${UUID}"}, "macro"),
    ({"ttl": 0}, "ttl"),
    ({"ttl": 1.5}, "ttl"),
    ({"dc": "no/data centre"}, "dc"),
    ({"uid": "x"}, "uid"),
]


def test_bad_lines__are_told_apart_and_the_good_ones_stored(
    admin: Caller, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping_upload, "BATCH", 3)
    good = {"platform": platform.pl, "platform_user_id": "x", "uuid": USER}
    lines: list[Any] = [good]
    for bad, _ in BAD_LINES:
        whole = bad if isinstance(bad, bytes) or len(bad) == 3 else good | bad
        lines += [whole, good]

    answer = upload(admin, table(*lines))

    assert answer.status == 200
    assert answer.faults.keys() == {2 * number for number in range(1, len(BAD_LINES) + 1)}
    for (bad, expected), message in zip(BAD_LINES, answer.faults.values(), strict=True):
        assert expected in message, (bad, message)
    assert answer.results[-1] == {"lines": len(lines), "stored": len(BAD_LINES) + 1, "errors": len(BAD_LINES)}
    assert len(stored()) == len(BAD_LINES) + 1


def test_results__asked_for_all_lines__tell_of_each(admin: Caller, platform: Platform) -> None:
    good = {"platform": platform.pl, "platform_user_id": "x", "uuid": USER}

    answer = upload(admin, table(good, b"", b"x", good) + b"\r\n", "?results=all")

    told = [(result["line"], result["status"]) for result in answer.results[:-1]]
    assert told == [(1, "stored"), (3, "error"), (4, "stored")]
    assert answer.results[-1] == {"lines": 4, "stored": 2, "errors": 1}


def test_platform__of_another_customer_or_disabled__is_not_there(
    shop: Customer, rival: Customer, platform: Platform
) -> None:
    asleep = Platform.objects.create(customer=shop, name="Asleep", connector="none", enabled=False)
    line = {"platform_user_id": "x", "uuid": USER}

    assert upload(caller("marketer", rival), table(line | {"platform": platform.pl})).faults.keys() == {1}
    assert upload(caller("marketer", shop), table(line | {"platform": asleep.pl})).faults.keys() == {1}
    assert upload(caller("analyst", shop), table(line | {"platform": platform.pl})).status == 403
    assert stored() == []
    assert upload(caller("marketer", shop), table(line | {"platform": platform.pl})).faults == {}


def test_gzip__is_understood(admin: Caller, platform: Platform) -> None:
    line = table({"platform": platform.pl, "platform_user_id": "x", "uuid": USER}) + b"\n"

    answer = upload(admin, gzip.compress(line * 3), **{"Content-Encoding": "gzip"})

    assert answer.results == [{"lines": 3, "stored": 3, "errors": 0}]


def test_gzip__cut_off__is_400_and_what_came_before_is_stored(
    admin: Caller, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = table({"platform": platform.pl, "platform_user_id": "x", "uuid": USER}) + b"\n"

    answer = upload(admin, gzip.compress(line * 3)[:-4], **{"Content-Encoding": "gzip"})

    assert answer.status == 400
    assert "3 lines" in answer.results[0]["errors"][0]["detail"]
    assert len(stored()) == 3


@pytest.mark.parametrize(("query", "place"), [("?results=some", "results"), ("?dry=1", "dry")])
def test_parameter__that_is_none__is_400(admin: Caller, query: str, place: str) -> None:
    answer = upload(admin, b"", query)

    assert (answer.status, answer.results[0]["errors"][0]["attr"]) == (400, place)


def test_encoding__other_than_gzip__is_415(admin: Caller) -> None:
    assert upload(admin, b"{}", **{"Content-Encoding": "br"}).status == 415


def test_uploads__more_than_there_is_room_for__are_told_to_come_back(admin: Caller) -> None:
    owner = f"key {ApiKey.objects.get().pk}"
    with upload_place(owner), upload_place(owner):
        answer = upload(admin, b"")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "10")

    assert upload(admin, b"").results == [{"lines": 0, "stored": 0, "errors": 0}]
