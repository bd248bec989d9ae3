"""Mapp CEP: a group cloned per audience, contacts subscribed and deleted silently, its own ways to say no."""

import re
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors.base import Member, Operation, Segment
from integrations.connectors.conformance import Conformance, Example
from integrations.connectors.mapp_cep.connector import LONGEST_NAME, MappCep
from integrations.errors import RateLimitedError, RefusedError, RetriableError, UnauthorizedError
from integrations.http import Response
from tests.integrations.connectors.payloads import answer, payload

URL = "https://cep.example/api/rest/v6"
READY = MappCep({"api_url": URL + "/", "default_group_id": 4711}, {"username": "dmp", "password": "s3cret"})
NEW = Segment(1, None, 9, "Big spenders", {}, 123, 7)
MADE = Segment(1, 900100, 9, "Big spenders", {}, 123, 7)
CONTACT = Member(MADE, "815 +[]", UUID("00000000-0000-4000-8000-000000000042"))


def test_group__is_cloned_from_the_default_one() -> None:
    request = READY.creation_request(NEW, 1_700_000_000)
    assert (request.method, request.url) == ("POST", f"{URL}/group/clone?groupId=4711")
    assert request.body == payload("mapp_cep", "clone.json")
    assert request.basic == ("dmp", "s3cret")
    assert READY.segment_id(NEW, answer("mapp_cep", "cloned.json")) == 900100


@given(st.text(max_size=300) | st.sampled_from(["...", "- Käufer", "x" * 149]), st.integers(1, 10**9))
def test_group_name__is_short_safe_and_its_own(name: str, activation: int) -> None:
    def named(moment: int) -> str:
        body = READY.creation_request(Segment(activation, None, 9, name, {}, 1, 7), moment).body or b""
        found = re.search(rb'"name":"([^"]*)"', body)
        assert found is not None
        return found[1].decode()

    assert re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9 _.-]{{0,{LONGEST_NAME - 1}}}", named(1))
    assert named(1) != named(2)


def test_contacts__are_subscribed_and_deleted_silently() -> None:
    add, remove = (READY.push(operation, [CONTACT], 0) for operation in Operation)
    ids = "userId=815%20%2B%5B%5D&groupId=900100"
    assert (add.method, add.url) == ("POST", f"{URL}/membership/subscribe?{ids}&subscriptionMode=OPT_IN")
    assert (remove.method, remove.url) == ("DELETE", f"{URL}/membership/delete?{ids}")
    assert add.body is None
    assert remove.body is None


def test_what_is_so_already__is_a_success() -> None:
    there, missing = answer("mapp_cep", "already_exists.json", 400), answer("mapp_cep", "no_such_object.json", 400)
    assert READY.succeeded(Response(204, {}, b""))
    assert READY.succeeded(there)
    assert READY.outcomes(Operation.ADD, [CONTACT], there) == [None]
    assert READY.succeeded(missing)
    assert READY.outcomes(Operation.REMOVE, [CONTACT], missing) == [None]


def test_unknown_contact__cannot_be_added() -> None:
    (outcome,) = READY.outcomes(Operation.ADD, [CONTACT], answer("mapp_cep", "no_such_object.json", 400))
    assert isinstance(outcome, RefusedError)
    assert "NO_SUCH_OBJECT" in str(outcome)


def test_overload__is_a_rate_limit() -> None:
    failure = READY.failure(answer("mapp_cep", "overloaded.html", 500))
    assert isinstance(failure, RateLimitedError)
    assert (failure.retry_after, failure.again_after) == (30, 900)
    assert not isinstance(READY.failure(Response(500, {}, b"Oops")), RateLimitedError)
    assert isinstance(READY.failure(Response(500, {}, b"Oops")), RetriableError)


@pytest.mark.parametrize(
    "response",
    [
        Response(401, {}, b""),
        Response(403, {}, b"{}"),
        Response(417, {}, b'{"message": "expired"}'),
        answer("mapp_cep", "permission_denied.json", 400),
    ],
)
def test_credentials__that_are_not_accepted_need_a_person(response: Response) -> None:
    assert not READY.succeeded(response)
    assert isinstance(READY.failure(response), UnauthorizedError)


def test_check__asks_for_version_and_default_group() -> None:
    version, group = READY.check_requests()
    assert (version.method, version.url) == ("GET", f"{URL}/system/getApiVersion")
    assert (group.method, group.url) == ("GET", f"{URL}/group/get?groupId=4711")
    told = READY.read_checks([Response(200, {}, b'"6.40"'), answer("mapp_cep", "group.json")])
    assert told == {"api_version": "6.40", "default_group": "DMP default"}
    with pytest.raises(RefusedError, match="no default group 4711"):
        READY.read_checks([Response(200, {}, b'"6.40"'), answer("mapp_cep", "no_such_object.json", 400)])


def test_malformed_answer__is_a_clear_error() -> None:
    for body in (b"", b"<html>", b"[1]", b'{"id": {}}'):
        with pytest.raises(RefusedError, match="no id of the new group"):
            READY.segment_id(NEW, Response(200, {}, body))


def test_settings__need_a_group_and_an_address() -> None:
    for wrong in ({"api_url": URL}, {"api_url": "cep.example", "default_group_id": 1}, {"default_group_id": 1}):
        with pytest.raises(ValidationError):
            MappCep.validate_settings(wrong)


class TestConformance(Conformance):
    example = Example(
        connector=MappCep,
        settings={"api_url": URL, "default_group_id": 4711},
        credentials={"username": "dmp", "password": "s3cret"},
        ids=("815", "816"),
        created=answer("mapp_cep", "cloned.json"),
    )
