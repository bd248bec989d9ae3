"""Personal data in clear at the door: it is nowhere in what is kept."""

import json

import pytest

from tests.support.edge_process import DP, OTHER_CUSTOMER, OTHER_PIXEL, RunningEdge

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
