"""Taxonomies beside the S2S import."""

from typing import Any

import pytest
import requests

from tests.support.sandbox_process import SandboxProcess

NODE = {"name": "Buyers", "code": "10001", "buyable": True}
TAXONOMY: dict[str, Any] = {
    "audience_vendor_id": 7,
    "permissions": {"advertisers": [], "agencies": [], "organizations": [100]},
    "taxonomy": {"name": "Hub", "children": [NODE]},
    "use_hash": False,
}


def post(sandbox: SandboxProcess, document: object, path: str = "") -> requests.Response:
    address = f"{sandbox.url}/dmp/v2.0/audience_segments{path}"
    return requests.post(address, json=document, auth=("foo", "foo-secret"), timeout=5)


def test_taxonomy__made_then_sent_whole__is_replaced(sandbox: SandboxProcess) -> None:
    made = post(sandbox, TAXONOMY)
    assert made.status_code == 201
    number = made.json()["id"]
    whole = TAXONOMY | {"taxonomy": {"name": "Hub", "children": [NODE, NODE | {"name": "Others", "code": 10002}]}}
    assert post(sandbox, whole, f"/{number}").status_code == 202
    held = sandbox.held("mediamath-s2s", "foo")["taxonomies"]
    assert [node["name"] for node in held[str(number)]["taxonomy"]["children"]] == ["Buyers", "Others"]


@pytest.mark.parametrize(
    "change",
    [
        {"audience_vendor_id": "7"},
        {"permissions": {"advertisers": "all"}},
        {"permissions": {"people": []}},
        {"taxonomy": {"name": "n" * 256}},
        {"taxonomy": {"children": []}},
        {"taxonomy": {"name": "Hub", "children": [NODE, NODE]}},
        {"taxonomy": {"name": "Hub", "children": [NODE | {"code": "word"}]}},
        {"taxonomy": {"name": "Hub", "children": [NODE | {"code": "2147483648"}]}},
        {"taxonomy": {"name": "Hub", "children": [NODE | {"code": None}]}},
        {"use_hash": 1},
    ],
)
def test_taxonomy__breaks_a_rule__is_400(sandbox: SandboxProcess, change: dict[str, Any]) -> None:
    assert post(sandbox, TAXONOMY | change).status_code == 400
    assert sandbox.held("mediamath-s2s", "foo")["taxonomies"] == {}


def test_taxonomy__that_is_not_there__is_404(sandbox: SandboxProcess) -> None:
    assert post(sandbox, TAXONOMY, "/101").status_code == 404
