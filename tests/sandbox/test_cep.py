"""CEP's REST interface, version 6."""

import time
from typing import Any

import pytest
import requests

from tests.support.sandbox_process import SandboxProcess

GROUP = 4711
BOOLEANS = {
    "includePreparedMessages": False,
    "includeTestUsers": False,
    "keepOwner": True,
    "withOwnerAsMember": False,
}
CLONE = {"name": "Buyers", "description": "", "email": "buyers@example.com"} | BOOLEANS


class CepCaller:
    """A caller that keeps to the limit of calls, unless told otherwise."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self._sandbox = sandbox

    def call(self, method: str, path: str, json: object = None, *, account: str = "foo") -> requests.Response:
        address = f"{self._sandbox.url}/cep/api/rest/v6/{path}"
        return requests.request(method, address, json=json, auth=(account, "foo-secret"), timeout=5)

    def held(self) -> dict[str, Any]:
        return self._sandbox.state("foo")["cep"]["foo"]


@pytest.fixture
def cep(sandbox: SandboxProcess) -> CepCaller:
    return CepCaller(sandbox)


def test_clone__then_subscribe_and_delete__holds_the_member_until_then(cep: CepCaller) -> None:
    assert cep.call("GET", "system/getApiVersion").status_code == 200
    told = cep.call("POST", f"group/clone?groupId={GROUP}", CLONE)
    assert told.json() == {"id": 5001, "name": "Buyers", "description": "", "email": "buyers@example.com"}
    assert cep.call("GET", "group/get?groupId=5001").json() == told.json()
    joined = cep.call("POST", "membership/subscribe?userId=17&groupId=5001&subscriptionMode=OPT_IN")
    assert (joined.status_code, joined.content) == (204, b"")
    mail = "contact%2B18%40example.com"
    by_mail = cep.call("POST", f"membership/subscribeByEmail?email={mail}&groupId=5001&subscriptionMode=OPT_IN")
    assert by_mail.status_code == 204
    assert cep.held()["groups"]["5001"]["members"] == ["17", "18"]
    assert cep.call("DELETE", "membership/delete?userId=17&groupId=5001").status_code == 204
    held = cep.held()
    assert held["groups"]["5001"]["members"] == ["18"]
    assert held["groups"][str(GROUP)]["members"] == []
    assert (held["adds"], held["removes"], held["mails"], held["violations"]) == (2, 1, 0, [])


@pytest.mark.parametrize(
    "query", ["get?userId=17", "getByEmail?email=contact%2B17%40example.com", "getByIdentifier?identifier=contact-17"]
)
def test_user__found_by_any_name__is_told(cep: CepCaller, query: str) -> None:
    told = cep.call("GET", f"user/{query}").json()
    assert told == {
        "id": 17,
        "email": "contact+17@example.com",
        "mobileNumber": None,
        "identifier": "contact-17",
    }


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("GET group/get?groupId=1", "NO_SUCH_OBJECT"),
        ("GET group/get", "MISSING_PARAMETER"),
        ("GET group/get?groupId=x", "INVALID_PARAMETER"),
        ("GET user/get?userId=1234567890", "NO_SUCH_OBJECT"),
        ("GET user/getByEmail?email=contact+17@example.com", "INVALID_PARAMETER"),
        ("GET user/getByEmail?email=nobody%40example.com", "NO_SUCH_OBJECT"),
        ("POST membership/subscribe?userId=1&groupId=2&subscriptionMode=OPT_IN", "NO_SUCH_OBJECT"),
        ("POST membership/subscribe?userId=1&groupId=4711", "MISSING_PARAMETER"),
        ("POST membership/subscribe?userId=1&groupId=4711&subscriptionMode=DOUBLE_OPT_IN", "INVALID_PARAMETER"),
        ("DELETE membership/delete?userId=1&groupId=4711", "NO_SUCH_OBJECT"),
        ("DELETE membership/delete?userId=1&groupId=4711&silent=1", "INVALID_PARAMETER"),
    ],
)
def test_call__breaks_a_rule__is_400_in_the_documented_shape(cep: CepCaller, call: str, code: str) -> None:
    method, path = call.split()
    answer = cep.call(method, path)
    assert answer.status_code == 400
    assert (answer.json()["errorActor"], answer.json()["errorCode"]) == ("CLIENT", code)
    assert cep.held()["violations"] == [answer.json()["message"]]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "n" * 151}, "INVALID_PARAMETER"),
        ({"name": "DMP default"}, "OBJECT_ALREADY_EXISTS"),
        ({"email": "DMP-default@example.com"}, "OBJECT_ALREADY_EXISTS"),
        ({"email": "no address"}, "INVALID_PARAMETER"),
        ({"description": "d" * 3001}, "INVALID_PARAMETER"),
        ({"keepOwner": "true"}, "INVALID_PARAMETER"),
        ({"keepOwner": None}, "INVALID_PARAMETER"),
        ({"members": []}, "INVALID_PARAMETER"),
    ],
)
def test_clone__breaks_a_rule__makes_no_group(cep: CepCaller, change: dict[str, object], code: str) -> None:
    answer = cep.call("POST", f"group/clone?groupId={GROUP}", CLONE | change)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert cep.held()["groups"].keys() == {str(GROUP)}


@pytest.mark.parametrize("name", BOOLEANS)
def test_clone__without_one_of_the_booleans__is_missing_a_parameter(cep: CepCaller, name: str) -> None:
    body = {key: value for key, value in CLONE.items() if key != name}
    assert cep.call("POST", f"group/clone?groupId={GROUP}", body).json()["errorCode"] == "MISSING_PARAMETER"


def test_credentials__wrong__are_401_and_open_no_account(sandbox: SandboxProcess, cep: CepCaller) -> None:
    assert cep.call("GET", "system/getApiVersion", account="bar").status_code == 401
    assert sandbox.state()["cep"] == {}


def test_calls__beyond_ten_a_second__meet_the_500_of_the_platform(cep: CepCaller) -> None:
    before = time.monotonic()
    answers = [cep.call("GET", "system/getApiVersion") for _ in range(11)]
    while time.monotonic() - before < 1 and answers[-1].status_code == 200:
        answers.append(cep.call("GET", "system/getApiVersion"))
    late = [answer for answer in answers if answer.status_code != 200]
    assert len(answers) - len(late) >= 10
    assert all(answer.status_code == 500 for answer in late)
    assert all(answer.json()["message"] == "Database Access Limit Exceeded" for answer in late)
    assert not any("Retry-After" in answer.headers for answer in late)
    assert time.monotonic() - before > 1 or late


def test_unsubscribe__mails_the_contact__is_a_violation(cep: CepCaller) -> None:
    cep.call("POST", f"membership/subscribe?userId=17&groupId={GROUP}&subscriptionMode=OPT_IN")
    assert cep.call("POST", f"membership/unsubscribe?userId=17&groupId={GROUP}").status_code == 204
    held = cep.held()
    assert held["mails"] == 1
    assert held["violations"] == ["unsubscribe mailed contact 17: use membership/delete"]


def test_fault__for_one_contact__spoils_only_theirs(sandbox: SandboxProcess, cep: CepCaller) -> None:
    sandbox.faults(target="cep/foo", status=403, userid="17")
    join = "membership/subscribe?userId={}&groupId=4711&subscriptionMode=OPT_IN"
    assert [cep.call("POST", join.format(contact)).status_code for contact in (17, 18)] == [403, 204]
    assert cep.held()["groups"]["4711"]["members"] == ["18"]
