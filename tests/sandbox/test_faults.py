import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.sandbox_account import GenericAccount
from tests.support.sandbox_process import SandboxProcess


@pytest.fixture
def segment(foo: GenericAccount) -> int:
    return foo.create("s")


def row(segment: int, userid: str) -> list[dict[str, object]]:
    return [{"segment": segment, "userid": userid}]


def test_status__for_two_requests__applies_nothing_then_all_is_well(
    sandbox: SandboxProcess, foo: GenericAccount, segment: int
) -> None:
    sandbox.faults(target="generic/foo", status=503, times=2, retry_after=7)
    answers = [foo.batch(row(segment, userid)) for userid in "abc"]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert foo.members(segment) == ["c"]
    assert (foo.held()["faulted"], foo.held()["rejected"]) == (2, 0)


def test_target__one_account__leaves_the_others_alone(sandbox: SandboxProcess, foo: GenericAccount) -> None:
    sandbox.faults(target="generic/foo", status=500)
    assert foo.call("POST", "title=t").status_code == 500
    assert GenericAccount(sandbox, "bar").call("POST", "title=t").status_code == 200


def test_target__whole_third_party__hits_every_account_until_cleared(
    sandbox: SandboxProcess, foo: GenericAccount
) -> None:
    sandbox.faults(target="generic", status=500)
    bar = GenericAccount(sandbox, "bar")
    assert {foo.call("POST", "title=t").status_code, bar.call("POST", "title=t").status_code} == {500}
    assert sandbox.faults(clear=True) == []
    assert foo.call("POST", "title=t").status_code == 200


def test_clear__with_a_target__keeps_the_faults_of_others(sandbox: SandboxProcess) -> None:
    sandbox.faults(target="generic/foo", drop=True)
    sandbox.faults(target="sync", status=500)
    assert sandbox.faults(clear=True, target="generic/foo") == [{"target": "sync", "status": 500}]


@pytest.mark.parametrize(("applied", "members"), [(False, []), (True, ["a"])])
def test_drop__closes_without_an_answer(
    sandbox: SandboxProcess, foo: GenericAccount, segment: int, applied: bool, members: list[str]
) -> None:
    sandbox.faults(target="generic/foo", drop=True, applied=applied, times=1)
    with pytest.raises(requests.ConnectionError):
        foo.batch(row(segment, "a"))
    assert foo.members(segment) == members
    assert foo.batch(row(segment, "b")).status_code == 200


def test_drop__one_of_many_connections__leaves_the_others(sandbox: SandboxProcess, segment: int) -> None:
    sandbox.faults(target="generic/foo", drop=True, userid="bad")
    senders = [GenericAccount(sandbox, "foo") for _ in range(8)]

    def send(number: int) -> str:
        try:
            userid = "bad" if number == 3 else f"u{number}"
            return str(senders[number].batch(row(segment, userid)).status_code)
        except requests.ConnectionError:
            return "dropped"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(send, range(8)))
    assert outcomes == ["200"] * 3 + ["dropped"] + ["200"] * 4


def test_status__applied__is_held_although_the_answer_is_an_error(
    sandbox: SandboxProcess, foo: GenericAccount, segment: int
) -> None:
    sandbox.faults(target="generic/foo", status=500, applied=True, times=1)
    assert foo.batch(row(segment, "a")).status_code == 500
    assert foo.members(segment) == ["a"]


def test_delay__is_waited_for_and_holds_up_nobody_else(
    sandbox: SandboxProcess, foo: GenericAccount, segment: int
) -> None:
    sandbox.faults(target="generic/foo", delay=0.4, times=1)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(foo.batch, row(segment, "slow"))
        while sandbox.state("foo", members=False)["generic"]["foo"]["faulted"] == 0:
            time.sleep(0.01)
        GenericAccount(sandbox, "foo").add(segment, "quick")
        assert foo.members(segment) == ["quick"]
        assert slow.result().elapsed.total_seconds() >= 0.4
    assert foo.members(segment) == ["quick", "slow"]


@pytest.mark.parametrize(("applied", "members"), [(False, []), (True, ["late"])])
def test_delay__caller_hangs_up__is_held_only_when_applied_first(
    sandbox: SandboxProcess, foo: GenericAccount, segment: int, applied: bool, members: list[str]
) -> None:
    sandbox.faults(target="generic/foo", delay=0.3, applied=applied, times=1)
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            sandbox.segments_url,
            json=row(segment, "late"),
            auth=sandbox.credentials("foo"),
            timeout=0.1,
        )
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        assert foo.members(segment) == members
        time.sleep(0.05)


def test_rate__beyond_it__is_429_with_retry_after(sandbox: SandboxProcess, foo: GenericAccount, segment: int) -> None:
    sandbox.faults(target="generic/foo", rate=3)
    answers = [foo.batch(row(segment, f"u{number}")) for number in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].headers["Retry-After"] == "1"
    deadline = time.monotonic() + 5
    while foo.batch(row(segment, "later")).status_code == 429:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert foo.members(segment) == ["later", "u0", "u1", "u2"]


def test_userid__poison_row__fails_only_the_requests_that_contain_it(
    sandbox: SandboxProcess, foo: GenericAccount, segment: int
) -> None:
    sandbox.faults(target="generic/foo", status=400, userid="poison")
    assert foo.batch(row(segment, "a") + row(segment, "poison")).status_code == 400
    assert foo.call("POST", f"id={segment}&userid=poison").status_code == 400
    assert foo.batch(row(segment, "a")).status_code == 200
    assert foo.members(segment) == ["a"]


def test_sync__faulted__does_not_redirect(sandbox: SandboxProcess) -> None:
    sandbox.faults(target="sync", status=503)
    answer = requests.get(f"{sandbox.url}/sync?out=http://h/u?x=[[USERID]]", allow_redirects=False, timeout=5)
    assert (answer.status_code, answer.headers.get("Location")) == (503, None)


def test_body__given__is_answered_as_it_is(sandbox: SandboxProcess, foo: GenericAccount) -> None:
    sandbox.faults(target="generic/foo", status=200, body="<html>", times=1)
    answer = foo.call("POST", "title=t")
    assert (answer.status_code, answer.text) == (200, "<html>")
    assert foo.held()["segments"] == {}


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({}, "target"),
        ({"target": "nobody", "status": 500}, "unknown target"),
        ({"target": "generic/", "status": 500}, "unknown target"),
        ({"target": "generic"}, "needed"),
        ({"target": "generic", "times": 2}, "needed"),
        ({"target": "generic", "status": 500, "drop": True}, "at most one"),
        ({"target": "generic", "status": 100}, "status"),
        ({"target": "generic", "status": "500"}, "status"),
        ({"target": "generic", "delay": -1}, "delay"),
        ({"target": "generic", "rate": 0}, "rate"),
        ({"target": "generic", "rate": 5, "applied": True}, "rate goes with"),
        ({"target": "generic", "status": 500, "times": 0}, "times"),
        ({"target": "generic", "status": 500, "userid": ""}, "userid"),
        ({"target": "generic", "delay": 1, "body": "x"}, "body, media_type"),
        ({"target": "generic", "drop": True, "retry_after": 1}, "retry_after needs"),
        ({"target": "generic", "status": 500, "time": 1}, "time"),
        ({"clear": True, "status": 500}, "clear stands alone"),
        ([], "object"),
    ],
)
def test_order__makes_no_sense__is_400_and_says_why(sandbox: SandboxProcess, order: object, told: str) -> None:
    answer = requests.post(f"{sandbox.url}/faults", json=order, timeout=5)
    assert answer.status_code == 400
    assert told in answer.json()["error"]
    assert requests.get(f"{sandbox.url}/faults", timeout=5).json() == []
