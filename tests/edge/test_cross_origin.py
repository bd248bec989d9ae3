"""Scripts of other sites' pages that send to `/dp` and `/dp/batch`: a pixel lists the origins that may read answers."""

from collections.abc import Mapping

import pytest

from tests.support.edge_client import Reply, target
from tests.support.edge_process import (
    CUSTOMER,
    DP,
    NESTED_PIXEL,
    ORIGINS,
    OTHER_CUSTOMER,
    OTHER_PIXEL,
    SIGNED_PIXEL,
    RunningEdge,
    api_key,
)

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
SHOP = "https://shop.example"
LISTED = [SHOP, "https://a.brands.example:8443", "https://b.a.brands.example:8443", "http://localhost:3000"]
UNLISTED = [
    *("https://evil.example", "http://shop.example", "https://shop.example:444", "https://shop.example.evil.example"),
    *("https://brands.example:8443", "https://a.brands.example", "https://evilbrands.example:8443", "null", "*", ""),
    *("https://evil.example/.brands.example:8443", "https://*.brands.example:8443", "HTTPS://SHOP.EXAMPLE"),
]
OPEN = {"m": CUSTOMER, "id": NESTED_PIXEL}
"""A pixel that lists `*`."""
NONE = {"m": OTHER_CUSTOMER, "id": OTHER_PIXEL}
ANSWERING = ("access-control-allow-origin", "access-control-allow-credentials")


def asked(edge: RunningEdge, origin: str, path: str = "/dp", fields: Mapping[str, object] = DP) -> Reply:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    headers["Access-Control-Request-Headers"] = "content-type"
    return edge.client.send("OPTIONS", target(path, fields), None, headers)


def shared(reply: Reply) -> tuple[str | None, ...]:
    return tuple(reply.headers.get(name) for name in ANSWERING)


def test_origins_of_the_tests__are_those_of_the_pixel() -> None:
    assert ORIGINS == [SHOP, "https://*.brands.example:8443", "http://localhost:3000"]


@pytest.mark.parametrize(("path", "methods"), [("/dp", "GET, HEAD, POST"), ("/dp/batch", "POST")])
@pytest.mark.parametrize("origin", LISTED)
def test_preflight__listed_origin__may_send_with_cookies(
    edge: RunningEdge, path: str, methods: str, origin: str
) -> None:
    reply = asked(edge, origin, path)

    assert (reply.status, reply.name, reply.body) == (200, "preflight", b"")
    assert shared(reply) == (origin, "true")
    assert reply.headers["access-control-allow-methods"] == methods
    assert "content-type" in reply.headers["access-control-allow-headers"]
    assert ("authorization" in reply.headers["access-control-allow-headers"]) is (path == "/dp/batch")
    assert reply.headers["access-control-max-age"] == "600"
    assert "Origin" in reply.headers["vary"]
    assert edge.rows() == []


@pytest.mark.parametrize("origin", UNLISTED)
def test_preflight__other_origin__is_refused_and_never_named(edge: RunningEdge, origin: str) -> None:
    reply = asked(edge, origin)

    edge.check_refused(reply, 403, "bad-origin")
    assert shared(reply) == (None, None)
    assert "Origin" in reply.headers["vary"]
    assert not origin or origin == "*" or origin not in str(reply.headers)


def test_preflight__pixel_that_lists_any__goes_without_cookies(edge: RunningEdge) -> None:
    for origin in ("https://anybody.example", "null"):
        assert shared(asked(edge, origin, fields=OPEN)) == ("*", None)


@pytest.mark.parametrize(
    ("fields", "name"), [({}, "bad-m"), ({"m": CUSTOMER, "id": 1}, "bad-id"), (NONE, "bad-origin")]
)
def test_preflight__pixel_that_is_not_there_or_lists_none__is_refused(
    edge: RunningEdge, fields: dict[str, object], name: str
) -> None:
    reply = asked(edge, SHOP, fields=fields)

    assert (reply.name, shared(reply)) == (name, (None, None))


def test_options__that_is_no_preflight__is_another_method(edge: RunningEdge) -> None:
    for headers in ({}, {"Origin": SHOP}, {"Access-Control-Request-Method": "POST"}):
        edge.check_refused(edge.client.send("OPTIONS", target("/dp", DP), None, headers), 405, "bad-method")
    headers = {"Origin": SHOP, "Access-Control-Request-Method": "GET"}
    edge.check_refused(edge.client.send("OPTIONS", target("/uid", DP), None, headers), 405, "bad-method")


def test_answers__to_listed_origins__are_read_by_the_page_whatever_they_say(edge: RunningEdge) -> None:
    requests = [
        ("accepted", target("/dp", DP), b'{"a": 1}'),
        ("bad-data", target("/dp", DP), b"[]"),
        ("bad-t", target("/dp", {**DP, "t": "png"}), b"{}"),
        ("bad-key", target("/dp/batch", DP), b"{}"),
    ]
    for name, address, body in requests:
        reply = edge.client.send("POST", address, body, {"Origin": SHOP}, cookie=USER)

        assert (reply.name, shared(reply)) == (name, (SHOP, "true"))
        assert reply.headers["vary"] == "Origin"
        assert "X-DMP-Status" in reply.headers["access-control-expose-headers"]


def test_answer__to_a_new_browser__redirects_and_is_read_with_its_cookie(edge: RunningEdge) -> None:
    first = edge.client.send("GET", target("/dp", DP), None, {"Origin": SHOP})
    assert (first.name, shared(first)) == ("cookie-check", (SHOP, "true"))

    back = edge.client.send("GET", first.headers["location"], None, {"Origin": SHOP}, cookie=first.cookie)
    assert (back.name, shared(back)) == ("confirmed", (SHOP, "true"))


def test_answers__to_other_origins__are_kept_and_not_read(edge: RunningEdge) -> None:
    for origin in UNLISTED:
        reply = edge.client.send("POST", target("/dp", DP), b"{}", {"Origin": origin}, cookie=USER)
        assert (reply.name, shared(reply), reply.headers["vary"]) == ("accepted", (None, None), "Origin")
    assert len(edge.rows()) == len(UNLISTED)


def test_answers__of_pixels_that_list_none_and_without_origin__are_as_ever(edge: RunningEdge) -> None:
    without = edge.client.send("POST", target("/dp", DP), b"{}", cookie=USER)
    none = edge.client.send("POST", target("/dp", NONE), b"{}", {"Origin": SHOP}, cookie=USER)
    elsewhere = edge.client.send("GET", target("/sync.js", DP), None, {"Origin": SHOP})

    for reply in (without, none, elsewhere):
        assert shared(reply) == (None, None)
        assert "vary" not in reply.headers


def test_batch__by_a_key__is_read_by_the_page(edge: RunningEdge) -> None:
    headers = {"Origin": SHOP, "Authorization": f"Bearer {api_key('marketer')}"}
    reply = edge.client.send("POST", target("/dp/batch", DP), b'{"user": "u-1"}\n', headers)

    assert (reply.name, shared(reply)) == ("accepted", (SHOP, "true"))


def test_signed_pixel__without_origins__refuses_the_question(edge: RunningEdge) -> None:
    assert asked(edge, SHOP, fields={"m": CUSTOMER, "id": SIGNED_PIXEL}).name == "bad-origin"
