"""Signed pixels: what a request needs, and what a stranger who knows a user's id can do: nothing."""

import hashlib
import json
import time
from urllib.parse import urlencode

import pytest

from tests.support.edge_client import target
from tests.support.edge_process import CUSTOMER, SIGNED_PIXEL, SIGNING_SECRETS, RunningEdge
from usersync.authentication import sign, string_to_sign

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
VICTIM = "7a7f1c1e-9d0b-4c7e-8a7e-0123456789ab"
DATA = json.dumps({"UserId": "anna"})


def signed(method: str = "GET", secret: str = SIGNING_SECRETS[0], age: int = 0, **more: str) -> dict[str, str]:
    return signed_with(more, method, secret, age)


def signed_with(
    more: dict[str, str], method: str = "GET", secret: str = SIGNING_SECRETS[0], age: int = 0
) -> dict[str, str]:
    fields = {"m": str(CUSTOMER), "id": str(SIGNED_PIXEL), "ts": str(int(time.time()) - age), **more}
    algorithm = more.get("alg", "sha1")
    return {**fields, "sig": sign(secret, string_to_sign(method, "/dp", fields.items()), algorithm)}


@pytest.mark.parametrize("secret", SIGNING_SECRETS)
@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_dp__signed__is_accepted(edge: RunningEdge, secret: str, algorithm: str) -> None:
    reply = edge.client.get("/dp", signed(secret=secret, uuid=USER, data=DATA, alg=algorithm))

    assert (reply.status, reply.name) == (200, "accepted")
    assert edge.rows()[0].message["user"] == USER


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"m": str(CUSTOMER), "id": str(SIGNED_PIXEL), "uuid": USER, "data": DATA}, "bad-signature"),
        (signed(secret="another-secret", uuid=USER), "bad-signature"),
        ({**signed(uuid=USER), "data": DATA}, "bad-signature"),
        ({**signed(uuid=USER), "sig": ""}, "bad-signature"),
        (signed(method="POST", uuid=USER), "bad-signature"),
        (signed(age=301, uuid=USER), "expired"),
        (signed(age=-3600, uuid=USER), "expired"),
        ({**signed(uuid=USER), "alg": "md5"}, "bad-alg"),
    ],
)
def test_dp__not_signed_as_it_must_be__is_refused(edge: RunningEdge, fields: dict[str, str], name: str) -> None:
    edge.check_refused(edge.client.get("/dp", fields), 400 if name == "bad-alg" else 403, name)


@pytest.mark.parametrize(("body", "name"), [(DATA, "accepted"), (DATA.replace("anna", "berta"), "bad-signature")])
def test_dp__body_of_a_signed_request__is_signed_too(edge: RunningEdge, body: str, name: str) -> None:
    digest = hashlib.sha256(DATA.encode()).hexdigest()
    reply = edge.client.send("POST", target("/dp", signed("POST", uuid=USER, body_sha256=digest)), body.encode())

    assert reply.name == name


def test_dp__body_that_the_query_does_not_name__is_refused(edge: RunningEdge) -> None:
    reply = edge.client.send("POST", target("/dp", signed("POST", uuid=USER)), DATA.encode())

    edge.check_refused(reply, 403, "bad-signature")


def test_dp__new_browser_at_a_signed_pixel__is_confirmed(edge: RunningEdge) -> None:
    first = edge.client.get("/dp", signed(t="gif"))
    assert (first.status, first.name) == (302, "cookie-check")
    cookie = first.headers["set-cookie"].partition(";")[0]
    second = edge.client.send("GET", first.headers["location"], headers={"Cookie": cookie})

    assert second.name == "confirmed"
    assert urlencode({"sig": ""}) not in first.headers["location"]


@pytest.mark.parametrize(
    ("named", "user", "ids"),
    [
        ({"uuid": USER}, USER, []),
        ({"data": DATA}, None, [["user", "anna"]]),
        ({"uuid": USER, "data": DATA}, USER, [["user", "anna"]]),
        ({"devid_g": VICTIM}, None, [["device:devid_g", VICTIM]]),
    ],
)
@pytest.mark.parametrize("kind", ["gif", "js"])
def test_dp__signed_request_sent_again_by_another_browser__counts_for_whom_it_names_only(
    edge: RunningEdge, named: dict[str, str], user: str | None, ids: list[list[str]], kind: str
) -> None:
    request = signed_with({"t": kind, **named})
    for cookie in (None, VICTIM):
        reply = edge.client.get("/dp", request, cookie=cookie)
        assert (reply.status, reply.name, reply.cookie) == (200, "accepted", None)

    rows = [row.message for row in edge.rows()]
    assert [(row.get("user"), row.get("ids", [])) for row in rows] == [(user, ids)] * 2


def test_dp__signed_request_that_names_nobody__is_of_the_browser_that_sends_it(edge: RunningEdge) -> None:
    assert edge.client.get("/dp", signed(), cookie=VICTIM).name == "accepted"

    message = edge.only_row().message
    assert (message["user"], message.get("ids", [])) == (VICTIM, [])
