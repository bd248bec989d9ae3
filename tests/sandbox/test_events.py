"""MediaMath's Event API: 002_f4257f686831c057.txt."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.support.sandbox_process import SandboxProcess

ONE = "2c3753c5-9a67-4600-f044-a5d7e0c5f6d7"
EVENT = {"mt_id": "7", "mt_adid": "123", "mt_uuid": ONE, "source": "s2s"}
ATTRIBUTES = {"mt_id": 7, "mt_uuid": ONE, "order_id": "A-1"}
RECORD = {"version": 4.0, "type": "event", "mapping_id": "123-7", "advertiser_id": 123, "attributes": [ATTRIBUTES]}


def fire(sandbox: SandboxProcess, **event: str) -> requests.Response:
    return requests.post(f"{sandbox.url}/mediamath/event/img", params=event, timeout=5)


def send(
    sandbox: SandboxProcess, document: object, path: str = "events", key: str = "foo-secret", **more: Any
) -> requests.Response:
    address = f"{sandbox.url}/mediamath/v1/{path}"
    return requests.post(address, json=document, headers={"x-api-key": key, **more}, timeout=3)


def test_event__as_in_the_document__is_held_by_pixel(sandbox: SandboxProcess) -> None:
    answer = fire(sandbox, **EVENT, v1="19.90", page_name="", custom="x")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/gif")
    fire(sandbox, **EVENT)
    pixel = sandbox.held("mediamath-event", "123")["pixels"]["7"]
    assert (pixel["events"], pixel["members"]) == (2, [ONE])
    assert pixel["last"][ONE] == EVENT


@pytest.mark.parametrize(
    "change",
    [
        {"mt_id": "x"},
        {"mt_uuid": "2c3753c59a674600f044a5d7e0c5f6d7"},
        {"mt_uuid": ""},
        {"source": "web"},
        {"mt_ts": "1456213019000"},
        {"mt_ip": "10.1.2.3"},
        {"mt_ip": "172.31.0.1"},
        {"mt_ip": "127.0.0.1"},
        {"mt_ip": "::1"},
        {"v1": "€19"},
        {"mt_exem": "someone@example.com"},
        {"mt_excl": "4711"},
        {"note": "write to someone@example.com"},
        {f"c{number}": "" for number in range(41)},
    ],
)
def test_event__breaks_a_rule__is_400(sandbox: SandboxProcess, change: dict[str, str]) -> None:
    assert fire(sandbox, **EVENT | change).status_code == 400
    held = sandbox.held("mediamath-event", "123")
    assert held["pixels"] == {}
    assert len(held["violations"]) == 1


@pytest.mark.parametrize("name", ["mt_id", "mt_uuid", "source", "mt_adid"])
def test_event__without_a_required_parameter__is_400(sandbox: SandboxProcess, name: str) -> None:
    assert fire(sandbox, **{key: value for key, value in EVENT.items() if key != name}).status_code == 400


def test_event__by_address_alone__is_counted_for_nobody(sandbox: SandboxProcess) -> None:
    assert fire(sandbox, mt_id="7", mt_aid="123", mt_ip="203.0.113.1", source="s2s").status_code == 200
    pixel = sandbox.held("mediamath-event", "123")["pixels"]["7"]
    assert (pixel["events"], pixel["members"]) == (1, [])


def test_custom_attributes__forty_of_a_pixel__one_more_later_is_refused(sandbox: SandboxProcess) -> None:
    assert fire(sandbox, **EVENT | {f"c{number}": "1" for number in range(40)}).status_code == 200
    assert fire(sandbox, **EVENT, c0="1").status_code == 200
    assert fire(sandbox, **EVENT, c40="1").status_code == 400


def test_both_hashes__are_taken_but_told(sandbox: SandboxProcess) -> None:
    assert fire(sandbox, **EVENT, mt_excl="a" * 64, mt_exem="b" * 64).status_code == 200
    assert "only one of" in sandbox.held("mediamath-event", "123")["violations"][0]


def test_batch__one_and_many__are_held(sandbox: SandboxProcess) -> None:
    assert send(sandbox, RECORD, "event").status_code == 200
    other = RECORD | {"attributes": [ATTRIBUTES | {"mt_uuid": "a-first-party-id"}]}
    assert send(sandbox, {"events": [RECORD] * 99 + [other]}).status_code == 200
    pixel = sandbox.held("mediamath-batch", "foo")["pixels"]["7"]
    assert (pixel["events"], pixel["members"]) == (101, [ONE, "a-first-party-id"])
    assert pixel["last"][ONE] == ATTRIBUTES | {"mt_adid": 123}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"events": []},
        {"events": [RECORD] * 101},
        RECORD,
        {"events": [RECORD | {"version": 3}]},
        {"events": [RECORD | {"version": "4.0"}]},
        {"events": [RECORD | {"type": "click"}]},
        {"events": [RECORD | {"advertiser_id": "123"}]},
        {"events": [RECORD | {"attributes": []}]},
        {"events": [RECORD | {"attributes": ATTRIBUTES}]},
        {"events": [RECORD | {"attributes": [{"mt_id": 7}]}]},
        {"events": [RECORD | {"attributes": [ATTRIBUTES | {"mt_id": 8}]}]},
        {"events": [RECORD | {"attributes": [ATTRIBUTES | {"v1": "EUR 3"}]}]},
        {"events": [RECORD | {"attributes": [ATTRIBUTES | {"v1": [3]}]}]},
    ],
)
def test_batch__breaks_a_rule__is_400_and_applies_nothing(sandbox: SandboxProcess, document: object) -> None:
    answer = send(sandbox, document)
    assert (answer.status_code, answer.json()["message"]) == (400, "Invalid request body")
    assert sandbox.held("mediamath-batch", "foo")["pixels"] == {}


@pytest.mark.parametrize("mapping", ["unknown", "124-7", ""])
def test_batch__mapping_of_nobody__is_not_found(sandbox: SandboxProcess, mapping: str) -> None:
    answer = send(sandbox, {"events": [RECORD | {"mapping_id": mapping}]})
    assert (answer.status_code, answer.json()["message"]) == (400, "Mapping not found")


def test_batch__wrong_key_or_type__is_403_or_415(sandbox: SandboxProcess) -> None:
    assert send(sandbox, RECORD, "event", key="wrong").status_code == 403
    assert send(sandbox, RECORD, "event", **{"Content-Type": "text/plain"}).status_code == 415


def test_batch__beyond_ten_a_second__is_429(sandbox: SandboxProcess) -> None:
    began = time.monotonic()
    statuses = [send(sandbox, RECORD, "event").status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429] or time.monotonic() - began > 1


def test_batch__a_sixth_at_once__is_429(sandbox: SandboxProcess) -> None:
    sandbox.faults(target="mediamath-batch/foo", delay=60, times=5)
    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(send, sandbox, RECORD, "event") for _ in range(5)]
        while sandbox.held("mediamath-batch", "foo")["faulted"] < 5:
            time.sleep(0.01)
        assert send(sandbox, RECORD, "event").status_code == 429
        assert send(sandbox, RECORD, "event", key="bar-secret").status_code == 200
        assert all(isinstance(call.exception(20), requests.ReadTimeout) for call in waiting)
