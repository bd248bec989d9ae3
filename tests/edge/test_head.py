"""HEAD: what programs ask before they follow a link. It is answered as GET is, and counts nothing."""

import pytest

from tests.edge.test_matrix import EVENT, Request, link, signature, table
from tests.support.edge_client import target
from tests.support.edge_process import CUSTOMER, DP, METRICS_TOKEN, SIGNED_PLATFORM, SIGNING_SECRETS, RunningEdge
from usersync.links import LinkKind

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"


def of_get() -> list[Request]:
    return [one for one in table() if one.method == "GET"]


def test_head__of_every_route__is_answered_as_get_and_keeps_nothing(edge: RunningEdge) -> None:
    for one in of_get():
        address = target(one.path, one.fields)

        head = edge.client.send("HEAD", address, None, one.headers, cookie=USER)

        assert (head.status, head.name, head.body) == (one.status, one.name, b""), one
        assert "set-cookie" not in head.headers
        assert edge.rows() == [], one


@pytest.mark.parametrize("path", ["/c/", "/v/"])
def test_head__mail_link__shows_where_it_leads(edge: RunningEdge, path: str) -> None:
    kind = LinkKind.CLICK if path == "/c/" else LinkKind.VIEW
    address = f"{link(kind, 7201)}?u=4694200"
    head = edge.client.send("HEAD", address)
    got = edge.client.send("GET", address)

    assert head.headers["location"] == got.headers["location"] == "https://shop.example/"
    assert head.headers.keys() | {"set-cookie"} == got.headers.keys() | {"set-cookie"}
    assert len(edge.rows()) == 1


def test_head__new_browser__is_given_no_id(edge: RunningEdge) -> None:
    """Else a gateway that keeps cookies would bring back, and confirm, what it was given for looking."""
    head = edge.client.send("HEAD", target("/dp", {**DP, "data": '{"a": 1}'}))

    assert (head.status, head.name) == (302, "cookie-check")
    assert "set-cookie" not in head.headers
    assert edge.rows() == []


def test_head__length_of_the_content__is_that_of_get(edge: RunningEdge) -> None:
    for path in ("/sync.js", "/dp"):
        address = target(path, DP)
        head, got = (edge.client.send(method, address, cookie=USER) for method in ("HEAD", "GET"))
        assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.body))


def test_head__signed_for_get__is_good(edge: RunningEdge) -> None:
    fields = signature("/uid", {"userid": "abc", "pl": SIGNED_PLATFORM}, SIGNING_SECRETS[0])
    assert edge.client.send("HEAD", target("/uid", fields), cookie=USER).name == "stored"
    assert edge.rows() == []


def test_head__where_there_is_no_get__is_refused_as_get_is(edge: RunningEdge) -> None:
    for method in ("HEAD", "GET"):
        reply = edge.client.send(method, target("/dp/batch", DP), EVENT if method == "GET" else None)
        edge.check_refused(reply, 405, "bad-method")
        assert reply.headers["allow"] == "POST"


def test_head__in_the_metrics__is_counted_apart(edge: RunningEdge) -> None:
    edge.client.send("HEAD", target("/dp", {"m": CUSTOMER, "id": 1}))
    shown = edge.client.send("GET", "/metrics", None, {"Authorization": f"Bearer {METRICS_TOKEN}"}).body.decode()
    assert 'dmphub_edge_answers_total{route="/dp",status="head"}' in shown
