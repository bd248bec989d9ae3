"""Personal data in clear at the door: it is nowhere in what is kept."""

import json

import pytest

from tests.support.edge_process import DP, OTHER_CUSTOMER, OTHER_PIXEL, TOKEN_PLATFORM, TOKENS, RunningEdge

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
REFUSING = {"m": OTHER_CUSTOMER, "id": OTHER_PIXEL}


def test_dp__with_personal_data_in_clear__keeps_hashes_only(edge: RunningEdge) -> None:
    data = {"UserId": "ada@example.com", "Mail": "ADA@example.com", "Phone": "0170 7654399", "City": "Köln"}
    page = {"eurl": "https://shop.example/thanks?mail=ada@example.com"}
    assert edge.client.post("/dp", {**DP, **page}, json.dumps(data).encode(), cookie=USER).name == "accepted"

    row = edge.only_row()
    kept = json.dumps([row.message, (row.body or b"").decode()])
    stored = json.loads(row.body or b"{}")
    assert "example.com" not in kept.replace("shop.example/", "")
    assert "7654399" not in kept
    assert stored["City"] == "Köln"
    assert row.message["ids"] == [["user", stored["Mail"]]] == [["user", stored["UserId"]]]


def test_dp__with_personal_data_that_the_customer_refuses__is_told_so_and_keeps_nothing(edge: RunningEdge) -> None:
    reply = edge.client.post("/dp", REFUSING, b'{"Mail": "ada@example.com"}', cookie=USER)

    assert (reply.status, reply.name) == (400, "personal-data")
    assert b"ada" not in reply.body
    assert edge.rows() == []


@pytest.mark.parametrize("raw", [b'{"at": 1456213019, "order": "C-4711", "n": 1e3}', '{"a": "Köln + Umland"}'.encode()])
def test_dp__without_any__is_kept_as_it_was_sent(edge: RunningEdge, raw: bytes) -> None:
    assert edge.client.post("/dp", DP, raw, cookie=USER).name == "accepted"
    assert edge.only_row().body == raw


CLEAR = ["ada@example.com", "ada\uff20example.com", "+49 (170) 765.43.99", "4111 1111 1111 1111"]


@pytest.mark.parametrize("value", CLEAR)
@pytest.mark.parametrize("name", ["euid", "devid_g", "devid_u", "idsha1"])
def test_dp__id_that_is_personal_data_in_clear__is_hashed_or_refused(edge: RunningEdge, name: str, value: str) -> None:
    fields = {"pl": TOKEN_PLATFORM, name: value} if name == "euid" else {name: value}
    assert edge.client.get("/dp", {**DP, **fields}, cookie=USER).name == "accepted"
    ((_, kept),) = edge.only_row().message["ids"]
    assert len(kept) == 64

    reply = edge.client.get("/dp", {**REFUSING, **fields}, cookie=USER)
    assert (reply.status, reply.name) == (400, "personal-data")


@pytest.mark.parametrize("value", CLEAR)
def test_uid__id_that_is_personal_data_in_clear__is_refused_and_kept_nowhere(edge: RunningEdge, value: str) -> None:
    reply = edge.client.get("/uid", {"userid": value, "pl": TOKEN_PLATFORM, "plsec": TOKENS[0]}, cookie=USER)

    edge.check_refused(reply, 400, "personal-data")
