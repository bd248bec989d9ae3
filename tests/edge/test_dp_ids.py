"""Who a request to `/dp` is about."""

import json
from collections.abc import Mapping

import pytest

from tests.support.edge_process import DP, NESTED_PIXEL, RunningEdge, StoredRow

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"


def _event(edge: RunningEdge, fields: Mapping[str, object]) -> StoredRow:
    edge.client.get("/dp", {**DP, **fields}, cookie=USER)
    return edge.only_row()


def test_dp__ids__come_in_their_order(edge: RunningEdge) -> None:
    fields = {
        "idmd5": "m",
        "devid_a": "apple",
        "devid_g": "google",
        "idsha1": "s",
        "pl": 12,
        "euid": "theirs",
        "data": '{"UserId": "me"}',
    }
    assert _event(edge, fields).message["ids"] == [
        ["user", "me"],
        ["euid:12", "theirs"],
        ["device:devid_g", "google"],
        ["device:devid_a", "apple"],
        ["device:idsha1", "s"],
        ["device:idmd5", "m"],
    ]


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        ({"Account": {"Id": 5}}, [["user", "5"]]),
        ({"Account.Id": "x"}, [["user", "x"]]),
        ({"Account": {"Id": ""}}, None),
        ({"Account": {"Id": True}}, None),
        ({"Account": {"Id": 1.5}}, None),
        ({"Account": {"Id": None}}, None),
        ({"Account": {"Id": ["x"]}}, None),
        ({"Account": "x"}, None),
        ({"Account": {"Id": "x" * 257}}, None),
    ],
)
def test_dp__user_key_by_path__names_the_user_where_it_is_text_or_integer(
    edge: RunningEdge, data: dict[str, object], ids: list[list[str]] | None
) -> None:
    assert _event(edge, {"id": NESTED_PIXEL, "data": json.dumps(data)}).message.get("ids") == ids


@pytest.mark.parametrize("nobody", ["", "0", "-1", "null", "00000000-0000-0000-0000-000000000000"])
def test_dp__device_of_nobody__names_nobody(edge: RunningEdge, nobody: str) -> None:
    assert "ids" not in _event(edge, {"devid_a": nobody}).message


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"devid_g": "a\0"}, "devid_g"),
        ({"idmd5": "x" * 257}, "idmd5"),
        ({"pl": "x", "euid": "abc"}, "pl"),
    ],
)
def test_dp__id_that_cannot_be_kept__is_refused(edge: RunningEdge, fields: dict[str, object], parameter: str) -> None:
    edge.check_refused(edge.client.get("/dp", {**DP, **fields}, cookie=USER), 400, f"bad-{parameter}")
