"""`/sync.js` and `/sync`: the tag for pages, without a browser."""

import json
import re
from urllib.parse import urlsplit

import pytest

from core.inbox import InboxKind
from tests.support.edge_client import COMMON, Reply
from tests.support.sync_sites import CUSTOMER, Sites, Visitor

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
MATHTAG = "{sandbox}/mathtag/{account}/sync/js?exsync={{{{callback:[MM_UUID]&dc=[MT_DC]}}}}"


def _due(reply: Reply) -> list[tuple[int, str]]:
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("application/javascript")
    call = re.fullmatch(rb"dmpsync\((.*)\)", reply.body)
    assert call
    return [(pl, kind) for pl, kind in json.loads(call[1])]


def test_sync_js__tag__is_small_and_never_cached(sites: Sites) -> None:
    pixel = sites.pixel()
    reply = sites.edge.client.get("/sync.js", {"m": CUSTOMER, "id": pixel})
    assert (reply.status, reply.name) == (200, "script")
    assert reply.headers["content-type"] == "application/javascript; charset=utf-8"
    assert COMMON.items() <= reply.headers.items()
    assert 0 < len(reply.body) < 2048
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("path", ["/sync.js", "/sync"])
@pytest.mark.parametrize(
    ("query", "name"),
    [
        (f"m={CUSTOMER}", "bad-id"),
        (f"m={CUSTOMER}&id=1", "bad-id"),
        (f"m=1&id={CUSTOMER}", "bad-m"),
        (f"m={CUSTOMER}&m={CUSTOMER}&id=1", "bad-m"),
        ("", "bad-m"),
    ],
)
def test_sync__unknown_pixel__is_refused(sites: Sites, path: str, query: str, name: str) -> None:
    reply = sites.edge.client.get(path, query, cookie=USER)
    assert (reply.status, reply.name) == (400, name)
    assert "set-cookie" not in reply.headers


def test_sync__other_method__is_refused(sites: Sites) -> None:
    for path in ("/sync.js", "/sync"):
        assert sites.edge.client.send("POST", f"{path}?m={CUSTOMER}&id=1", b"").name == "bad-method"


def test_sync__with_our_cookie__names_five_due_platforms_by_kind(sites: Sites) -> None:
    script = sites.platform(MATHTAG, sync_tag="js")
    images = [sites.platform() for _ in range(6)]
    pixel = sites.pixel(script, *images, priorities=(7, 6, 5, 4, 3, 2, 1))
    reply = sites.edge.client.get("/sync", {"m": CUSTOMER, "id": pixel}, cookie=USER)
    assert reply.name == "due"
    assert _due(reply) == [(script, "script"), *((pl, "img") for pl in images[:4])]
    assert "set-cookie" not in reply.headers
    off = sites.edge.client.get("/sync", {"m": CUSTOMER, "id": pixel, "_check": 1}, cookie=USER)
    assert (off.name, _due(off)) == ("none-due", [])


def test_sync__without_our_cookie__starts_nothing(sites: Sites) -> None:
    pl = sites.platform()
    pixel = sites.pixel(pl)
    reply = sites.edge.client.get("/sync", {"m": CUSTOMER, "id": pixel})
    assert (reply.name, _due(reply)) == ("no-cookie", [])
    step = sites.edge.client.get("/sync", {"m": CUSTOMER, "id": pixel, "pl": pl})
    assert (step.status, step.name) == (200, "no-cookie")
    assert not {"location", "set-cookie"} & (reply.headers.keys() | step.headers.keys())


@pytest.mark.parametrize(
    ("headers", "query", "name"),
    [
        ({"Cookie": f"dmpuid={USER}; dmpopt=1"}, "", "opted-out"),
        ({"Cookie": f"dmpuid={USER}", "Sec-GPC": "1"}, "", "consent-denied"),
        ({"Cookie": f"dmpuid={USER}"}, "&us_privacy=1YYN", "consent-denied"),
    ],
)
def test_sync__user_does_not_want_it__starts_nothing(
    sites: Sites, headers: dict[str, str], query: str, name: str
) -> None:
    pl = sites.platform()
    address = f"/sync?m={CUSTOMER}&id={sites.pixel(pl)}{query}"
    for step in ("", f"&pl={pl}"):
        reply = sites.edge.client.send("GET", address + step, headers=headers)
        assert (reply.status, reply.name) == (200, name)
        assert not {"location", "set-cookie"} & reply.headers.keys()


def test_sync__one_platform__is_matched_and_no_further(sites: Sites) -> None:
    first, second = sites.platform(), sites.platform()
    pixel = sites.pixel(first, second)
    visitor = Visitor()
    visitor.cookies[urlsplit(sites.edge_url).netloc]["dmpuid"] = USER
    hops = visitor.open(sites.address("/sync", pixel, f"&pl={first}&gdpr=0"))
    assert [hop.name for hop in hops if hop.name] == ["sync", "stored"]
    assert "gdpr=0" in urlsplit(hops[-1].url).query
    assert sites.mapped().keys() == {first}

    assert [hop.name for hop in visitor.open(sites.address("/sync", pixel, f"&pl={first}"))] == ["none-due"]
    left = visitor.open(sites.address("/sync", pixel))[0]
    assert left.body == f'dmpsync([[{second},"img"]])'.encode()


@pytest.mark.parametrize("pl", ["", "1", "x", "{other}"])
def test_sync__platform_that_the_pixel_does_not_have__leads_nowhere(sites: Sites, pl: str) -> None:
    pixel, other = sites.pixel(sites.platform()), sites.platform()
    fields = {"m": CUSTOMER, "id": pixel, "pl": pl.format(other=other)}
    reply = sites.edge.client.get("/sync", fields, cookie=USER)
    assert (reply.status, reply.name) == (200, "none-due")
    assert not {"location", "set-cookie"} & reply.headers.keys()


def test_sync__disabled_or_without_template__is_not_due(sites: Sites) -> None:
    pixel = sites.pixel(sites.platform(enabled=False), sites.platform(""), sites.platform("https://x.example/?u=old"))
    assert _due(sites.edge.client.get("/sync", {"m": CUSTOMER, "id": pixel}, cookie=USER)) == []
    assert sites.stored(InboxKind.SYNC) == []
