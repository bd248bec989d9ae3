"""Mapp's webhook."""

import hmac
import json
from typing import Any

import pytest
import requests

from tests.support.sandbox_process import SandboxProcess

UUID = "2c3753c5-9a67-4600-8044-a5d7e0c5f6d7"
CREATE = {"Type": "CREATE_AUDIENCE", "Name": "Buyers", "Customer": 123, "Audience": "7"}


def post(sandbox: SandboxProcess, kind: str, document: object, secret: str = "foo-secret") -> requests.Response:
    body = json.dumps(document).encode()
    signature = hmac.new(secret.encode(), body, "sha1").hexdigest()
    address = f"{sandbox.url}/mapp-webhook/foo?type={kind}"
    return requests.post(address, data=body, headers={"X-HMAC": signature}, timeout=5)


def change(kind: str, *userids: str, **other: object) -> dict[str, Any]:
    mutation = {"Uuid": UUID, "Audience": "12345", "Customer": 123, "Platform": 5} | other
    return {"Type": kind, "Mutations": [mutation | {"External_user_id": userid} for userid in userids]}


def test_audience__created_added_to_and_removed_from__holds_the_rest(sandbox: SandboxProcess) -> None:
    assert post(sandbox, "VALIDATE", {"Type": "VALIDATE"}).status_code == 200
    assert post(sandbox, "CREATE_AUDIENCE", CREATE).json() == {"id": "12345"}
    assert post(sandbox, "CREATE_AUDIENCE", CREATE).json() == {"id": "12345"}
    assert post(sandbox, "ADD_TO_AUDIENCE", change("ADD_TO_AUDIENCE", "a", "b")).status_code == 200
    assert post(sandbox, "REMOVE_FROM_AUDIENCE", change("REMOVE_FROM_AUDIENCE", "a")).status_code == 200
    held = sandbox.held("mapp-webhook", "foo")
    assert held["audiences"] == {"12345": {"title": "Buyers", "audience": "7", "size": 1, "members": ["b"]}}
    assert (held["adds"], held["removes"], held["violations"]) == (2, 1, [])


def test_signature__wrong__is_401_and_opens_no_account(sandbox: SandboxProcess) -> None:
    assert post(sandbox, "CREATE_AUDIENCE", CREATE, "bar-secret").status_code == 401
    assert sandbox.state()["mapp-webhook"] == {}


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("OTHER", {}),
        ("CREATE_AUDIENCE", CREATE | {"Customer": "123"}),
        ("CREATE_AUDIENCE", CREATE | {"Audience": 7}),
        ("CREATE_AUDIENCE", CREATE | {"Type": "ADD_TO_AUDIENCE"}),
        ("CREATE_AUDIENCE", CREATE | {"name": "x"}),
        ("ADD_TO_AUDIENCE", change("REMOVE_FROM_AUDIENCE", "a")),
        ("ADD_TO_AUDIENCE", change("ADD_TO_AUDIENCE")),
        ("ADD_TO_AUDIENCE", change("ADD_TO_AUDIENCE", *map(str, range(101)))),
        ("ADD_TO_AUDIENCE", change("ADD_TO_AUDIENCE", "a", "")),
        ("ADD_TO_AUDIENCE", change("ADD_TO_AUDIENCE", "a", Audience=12345)),
        ("ADD_TO_AUDIENCE", change("ADD_TO_AUDIENCE", "a", Audience="999")),
        ("ADD_TO_AUDIENCE", change("ADD_TO_AUDIENCE", "a", Uuid="nobody")),
        ("ADD_TO_AUDIENCE", change("ADD_TO_AUDIENCE", "a", more=1)),
    ],
)
def test_message__breaks_a_rule__is_refused_with_an_error(sandbox: SandboxProcess, kind: str, document: object) -> None:
    post(sandbox, "CREATE_AUDIENCE", CREATE)
    answer = post(sandbox, kind, document)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert sandbox.held("mapp-webhook", "foo")["audiences"]["12345"]["members"] == []


def test_fault__drop_once__is_then_over(sandbox: SandboxProcess) -> None:
    sandbox.faults(target="mapp-webhook/foo", drop=True, times=1)
    with pytest.raises(requests.ConnectionError):
        post(sandbox, "CREATE_AUDIENCE", CREATE)
    assert post(sandbox, "CREATE_AUDIENCE", CREATE).status_code == 200
