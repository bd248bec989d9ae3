"""Following a mailing's link: the reader reaches the page, and is matched where that is right."""

import uuid

import pytest

from core import buckets
from core.consent_mode import ConsentMode
from core.inbox import InboxKind
from core.keys import TokenSigner
from tests.support.consent_modes import USER, customer_wants
from tests.support.consent_strings import tcf
from tests.support.edge_client import COMMON, Reply
from tests.support.edge_process import CUSTOMER, DISABLED_PLATFORM, TOKEN_PLATFORM, RunningEdge
from usersync.links import PURPOSE, LinkKind, make_link

TARGET = "https://shop.example/spring?a=1"
CONTACT = "4694200"


@pytest.fixture
def click(edge: RunningEdge) -> str:
    del edge
    return link()


def link(kind: LinkKind = LinkKind.CLICK, platform: int = TOKEN_PLATFORM, mailing: str = "spring") -> str:
    """The path of a link that the edge of the tests has signed."""
    from django.conf import settings

    tokens = TokenSigner(settings.ENVIRONMENT.derived_secrets(PURPOSE))
    return make_link(tokens, "", platform, kind, TARGET, mailing)


def _check_led(reply: Reply, name: str) -> None:
    assert (reply.status, reply.name, reply.headers["location"]) == (302, name, TARGET)
    assert COMMON.items() <= reply.headers.items()


def _check_only_led(edge: RunningEdge, reply: Reply, name: str) -> None:
    _check_led(reply, name)
    assert "set-cookie" not in reply.headers
    assert edge.rows() == []


@pytest.mark.parametrize(("kind", "name"), [(LinkKind.CLICK, "clicked"), (LinkKind.VIEW, "viewed")])
def test_link__browser_that_is_known__is_matched(edge: RunningEdge, kind: LinkKind, name: str) -> None:
    reply = edge.client.get(link(kind), {"u": CONTACT}, cookie=USER)
    _check_led(reply, name)
    assert "set-cookie" not in reply.headers
    row = edge.only_row()
    assert (row.kind, row.bucket) == (InboxKind.SYNC, buckets.of_value(CONTACT))
    del row.message["at"]
    assert row.message == {
        "customer": CUSTOMER,
        "platform": TOKEN_PLATFORM,
        "user": USER,
        "platform_user_id": CONTACT,
        "extra": {"mailing": "spring"},
    }


def test_link__new_browser__gets_a_cookie_and_is_matched_in_one_pass(edge: RunningEdge, click: str) -> None:
    reply = edge.client.get(click, {"u": CONTACT})
    _check_led(reply, "clicked")
    assert reply.cookie is not None
    assert uuid.UUID(reply.cookie).version == 4
    assert edge.only_row().message["user"] == reply.cookie


def test_link__contact_appended_with_an_ampersand__is_matched(edge: RunningEdge, click: str) -> None:
    _check_led(edge.client.get(f"{click}&u=a%2Bb&x=y", cookie=USER), "clicked")
    assert edge.only_row().message["platform_user_id"] == "a+b"


def test_link__no_mailing__stores_no_extra(edge: RunningEdge) -> None:
    edge.client.get(link(mailing=""), {"u": CONTACT}, cookie=USER)
    assert "extra" not in edge.only_row().message


@pytest.mark.parametrize(
    "query",
    [
        *("", "u=", "u=0", "u=-1", "u=null", "u=%ff", "u=a%00b", "u=1&u=2", "U=1", f"u={'1' * 257}"),
        *("u=%5B%5BUSERID%5D%5D", "u=%3C%25$%7Buser.id%7D%25%3E", "u=$UID", "u=%7B%7Bid%7D%7D"),
    ],
)
def test_link__contact_missing_or_left_as_placeholder__only_leads_on(edge: RunningEdge, click: str, query: str) -> None:
    _check_only_led(edge, edge.client.get(click, query), "no-id")


def test_link__opted_out__only_leads_on(edge: RunningEdge, click: str) -> None:
    headers = {"Cookie": f"dmpopt=1; dmpuid={USER}"}
    _check_only_led(edge, edge.client.send("GET", f"{click}?u={CONTACT}", None, headers), "opted-out")


@pytest.mark.parametrize("denial", ["gdpr=1", f"gdpr_consent={tcf([2])}", "us_privacy=1YYN", "gdpr=0&gdpr=0"])
def test_link__consent_denied__only_leads_on(edge: RunningEdge, click: str, denial: str) -> None:
    _check_only_led(edge, edge.client.get(click, f"u={CONTACT}&{denial}"), "consent-denied")


def test_link__consent_required__matches_only_with_it(edge: RunningEdge, click: str) -> None:
    with customer_wants(edge, ConsentMode.REQUIRED):
        for signals in ("", "&gdpr=1&gdpr_consent=rubbish"):
            _check_only_led(edge, edge.client.get(click, f"u={CONTACT}{signals}"), "consent-denied")
        _check_led(edge.client.get(click, f"u={CONTACT}&gdpr=1&gdpr_consent={tcf([1])}"), "clicked")


@pytest.mark.parametrize("platform", [1, DISABLED_PLATFORM], ids=["unknown", "disabled"])
def test_link__platform_that_is_gone__only_leads_on(edge: RunningEdge, platform: int) -> None:
    _check_only_led(edge, edge.client.get(link(platform=platform), {"u": CONTACT}), "no-platform")


def test_link__forged__leads_nowhere(edge: RunningEdge, click: str) -> None:
    forged = [click[:-1], click + "A", "/c/", "/c/x", "/v/" + click[3:], "/c/%ff", "/c/\\\\evil.example", click + "%20"]
    forged += [
        click.replace("/c/", "/c//"),
        click + "/",
        make_link(TokenSigner(["another"]), "", 1, LinkKind.CLICK, TARGET, ""),
    ]
    for path in forged:
        reply = edge.client.get(path, {"u": CONTACT}, cookie=USER)
        assert reply.name in {"bad-token", "not-found"}
        edge.check_refused(reply, 404, reply.name)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_link__other_method__is_refused(edge: RunningEdge, click: str, method: str) -> None:
    edge.check_refused(edge.client.send(method, f"{click}?u={CONTACT}", cookie=USER), 405, "bad-method")


def test_link__in_the_metrics__has_one_route_whatever_the_token(edge: RunningEdge, click: str) -> None:
    edge.client.get(click, {"u": CONTACT}, cookie=USER)
    shown = edge.client.send("GET", "/metrics", None, {"Authorization": "Bearer metrics-token"}).body.decode()
    assert 'route="/c/",status="clicked"' in shown
    assert click[3:] not in shown
