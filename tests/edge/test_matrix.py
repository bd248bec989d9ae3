"""Every route of the edge, by everybody: who has nothing to show, who shows what is right, and what is another
customer's, revoked or expired.

A route that is not in the table fails the test: whoever adds one says whom it serves.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from core.keys import TokenSigner
from dmphub.asgi import make_edge
from tests.support.edge_client import Reply, target
from tests.support.edge_process import (
    CUSTOMER,
    DISABLED_PLATFORM,
    DP,
    METRICS_TOKEN,
    OTHER_CUSTOMER,
    OTHER_PIXEL,
    SIGNED_PIXEL,
    SIGNED_PLATFORM,
    SIGNING_SECRETS,
    TOKEN_PLATFORM,
    TOKENS,
    RunningEdge,
    api_key,
)
from usersync.authentication import sign, string_to_sign
from usersync.links import PURPOSE, LinkKind, make_link

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
NOBODYS = 4242  # no pixel, platform or customer has this number
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
EVENT = b'{"user": "u-1"}\n'
SIGNED = {"m": CUSTOMER, "id": SIGNED_PIXEL, "uuid": USER}
OTHERS = {"m": CUSTOMER, "id": OTHER_PIXEL}
SYNC = {"userid": "abc", "pl": TOKEN_PLATFORM}
SIGNED_SYNC = {"userid": "abc", "pl": SIGNED_PLATFORM}


@dataclass(frozen=True, slots=True)
class Request:
    """`who` sends it; `status` and `name` are what they are answered. `route`: where it differs from the path."""

    who: str
    path: str
    status: int
    name: str
    fields: Mapping[str, object] = field(default_factory=dict)
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    route: str = ""


def table() -> Iterator[Request]:
    yield from collecting()
    yield from batches()
    yield from syncs()
    yield from tags()
    yield from links()
    yield from for_all()


def collecting() -> Iterator[Request]:
    for method, body in (("GET", None), ("POST", b'{"a": 1}')):
        yield Request("nobody", "/dp", 400, "bad-m", method=method, body=body)
        yield Request("anybody", "/dp", 200, "accepted", DP, method=method, body=body)
        yield Request("with another's pixel", "/dp", 400, "bad-id", OTHERS, method=method, body=body)
        yield Request(
            "with nobody's pixel", "/dp", 400, "bad-id", {"m": CUSTOMER, "id": NOBODYS}, method=method, body=body
        )
        yield Request("without a signature", "/dp", 403, "bad-signature", SIGNED, method=method, body=body)
    signed = [("accepted", 200, SIGNING_SECRETS[0], 0), ("accepted", 200, SIGNING_SECRETS[1], 0)]
    refused = [("bad-signature", 403, "another's secret", 0), ("expired", 403, SIGNING_SECRETS[0], 301)]
    for name, status, secret, age in signed + refused:
        yield Request(f"{secret}, {age} s old", "/dp", status, name, signature("/dp", SIGNED, secret, age))


def batches() -> Iterator[Request]:
    answers = {
        **dict.fromkeys(("admin", "marketer", "rotated"), (200, "accepted")),
        **dict.fromkeys(("unknown", "revoked", "expired"), (401, "bad-key")),
        "elsewhere": (403, "bad-address"),
        "analyst": (403, "read-only"),
        "other": (403, "other-customer"),
    }
    for key, (status, name) in answers.items():
        yield batch(key, status, name)
    yield Request("nobody", "/dp/batch", 401, "bad-key", DP, "POST", EVENT)
    yield batch("marketer", 400, "bad-id", OTHERS)
    yield batch("marketer", 400, "bad-id", {"m": CUSTOMER, "id": NOBODYS})
    yield batch("marketer", 403, "other-customer", {"m": OTHER_CUSTOMER, "id": OTHER_PIXEL})
    yield batch("marketer", 403, "other-customer", {"m": NOBODYS, "id": OTHER_PIXEL})


def batch(key: str, status: int, name: str, fields: Mapping[str, object] = DP) -> Request:
    authorization = {"Authorization": f"Bearer {api_key(key)}"}
    return Request(key, "/dp/batch", status, name, fields, "POST", EVENT, authorization)


def syncs() -> Iterator[Request]:
    yield Request("nobody", "/uid", 403, "bad-secret", SYNC)
    for token in TOKENS:
        yield Request(f"with {token}", "/uid", 200, "stored", {**SYNC, "plsec": token})
    yield Request("with another's token", "/uid", 403, "bad-secret", {**SYNC, "plsec": "another's"})
    for platform in (DISABLED_PLATFORM, NOBODYS):
        yield Request("a platform that is not there", "/uid", 400, "bad-pl", {**SYNC, "pl": platform})
    yield Request("nobody", "/uid", 403, "bad-signature", SIGNED_SYNC)
    yield Request("a token instead", "/uid", 403, "bad-signature", {**SIGNED_SYNC, "plsec": TOKENS[0]})
    for secret in SIGNING_SECRETS:
        yield Request(f"signed by {secret}", "/uid", 200, "stored", signature("/uid", SIGNED_SYNC, secret))
    yield Request("signed by another", "/uid", 403, "bad-signature", signature("/uid", SIGNED_SYNC, "another's"))
    old = signature("/uid", SIGNED_SYNC, SIGNING_SECRETS[0], 301)
    yield Request("signed long ago", "/uid", 403, "expired", old)


def tags() -> Iterator[Request]:
    for path, name in (("/sync.js", "script"), ("/sync", "none-due")):
        yield Request("nobody", path, 400, "bad-m")
        yield Request("anybody", path, 200, name, DP)
        yield Request("with another's pixel", path, 400, "bad-id", OTHERS)
        yield Request("with nobody's pixel", path, 400, "bad-id", {"m": CUSTOMER, "id": NOBODYS})
    yield Request("for a platform of no pixel", "/sync", 200, "none-due", {**DP, "pl": TOKEN_PLATFORM})


def links() -> Iterator[Request]:
    reader = {"u": "4694200"}
    for kind, route, name in ((LinkKind.CLICK, "/c/", "clicked"), (LinkKind.VIEW, "/v/", "viewed")):
        good = link(kind, TOKEN_PLATFORM)
        yield Request("anybody", good, 302, name, reader, route=route)
        yield Request("of a platform that is gone", link(kind, NOBODYS), 302, "no-platform", reader, route=route)
        yield Request("altered", f"{good[:-2]}AA", 404, "bad-token", reader, route=route)
        yield Request("nobody", route, 404, "bad-token", route=route)
        other = LinkKind.VIEW if kind is LinkKind.CLICK else LinkKind.CLICK
        moved = route + link(other, TOKEN_PLATFORM)[3:]
        yield Request("of the other kind", moved, 404, "bad-token", reader, route=route)


def for_all() -> Iterator[Request]:
    yield Request("anybody", "/opt-out", 302, "cookie-check")
    yield Request("anybody", "/opt-in", 200, "opted-in")
    yield Request("anybody", "/healthz", 200, "ok")
    yield Request("anybody", "/readyz", 200, "ready")
    shown = {"nobody": "", "with a key": api_key("admin"), "with the token": METRICS_TOKEN}
    for who, token in shown.items():
        answer = (200, "ok") if token == METRICS_TOKEN else (404, "not-found")
        yield Request(who, "/metrics", *answer, headers={"Authorization": f"Bearer {token}"})


def signature(path: str, fields: Mapping[str, object], secret: str, age: int = 0) -> dict[str, object]:
    named = {**{name: str(value) for name, value in fields.items()}, "ts": str(int(time.time()) - age)}
    return {**named, "sig": sign(secret, string_to_sign("GET", path, named.items()), "sha1")}


def link(kind: LinkKind, platform: int) -> str:
    tokens = TokenSigner(settings.ENVIRONMENT.derived_secrets(PURPOSE))
    return make_link(tokens, "", platform, kind, "https://shop.example/", "spring")


def accepted(route: str) -> set[str]:
    """OPTIONS is in no set: only what browsers ask with it is answered (`test_cross_origin`)."""
    return {"/dp": {"GET", "HEAD", "POST"}, "/dp/batch": {"POST"}}.get(route, {"GET", "HEAD"})


def test_request__by_everybody__is_answered_as_the_table_says(edge: RunningEdge) -> None:
    answers = [(one, sent(edge, one)) for one in table()]

    wrong = [(one, reply) for one, reply in answers if (reply.status, reply.name) != (one.status, one.name)]
    assert wrong == []


def sent(edge: RunningEdge, one: Request) -> Reply:
    """Send it. What is refused leaves no row and no cookie."""
    before = len(edge.rows())
    reply = edge.client.send(one.method, target(one.path, one.fields), one.body, one.headers, cookie=USER)
    if reply.status >= 400:
        assert "set-cookie" not in reply.headers, one
        assert len(edge.rows()) == before, one
    return reply


def test_other_methods__of_every_route__are_refused(edge: RunningEdge) -> None:
    tried = [(route, method) for route in routes() for method in METHODS if method not in accepted(route)]

    answers = {(route, method): edge.client.send(method, route).name for route, method in tried}

    assert {one: name for one, name in answers.items() if name != "bad-method"} == {}
    assert edge.rows() == []


def test_cookie_check__of_one_customer__confirms_nothing_at_another(edge: RunningEdge) -> None:
    begun = edge.client.get("/dp", DP)
    check = begun.headers["location"].partition("_ck=")[2]
    there: dict[str, Any] = {"m": OTHER_CUSTOMER, "id": OTHER_PIXEL, "_ck": check}

    assert edge.client.get("/dp", there, cookie=begun.cookie).name == "bad-_ck"


def test_every_route_of_the_edge__is_in_the_table() -> None:
    assert routes() == {one.route or one.path for one in table()}


def routes() -> frozenset[str]:
    return make_edge(settings.ENVIRONMENT, on_commit=lambda _: None).routes
