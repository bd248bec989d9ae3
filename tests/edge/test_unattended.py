"""Requests that no person made: pages loaded ahead, and programs that look at links. Counted apart, kept nowhere."""

import itertools

import pytest
from django.conf import settings

from core.keys import TokenSigner
from edge.responses import GIF
from edge.unattended import is_unattended
from tests.support.edge_client import Reply, target
from tests.support.edge_process import CUSTOMER, DP, METRICS_TOKEN, TOKEN_PLATFORM, TOKENS, RunningEdge
from usersync.links import PURPOSE, LinkKind, make_link

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
TARGET = "https://shop.example/"
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
SIGNS = [
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"Sec-Purpose": "Prefetch; anonymous-client-ip"},
    {"Purpose": "prefetch"},
    {"X-Purpose": "preview"},
    {"X-Moz": "prefetch"},
    {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
    {"User-Agent": "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"},
    {"User-Agent": "WhatsApp/2.23.20.0 A"},
    {"User-Agent": f"{BROWSER} BarracudaCentral"},
    {"User-Agent": "Mozilla/5.0 (compatible; SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com)"},
    {"User-Agent": "Microsoft Office Existence Discovery"},
]
PEOPLE = [
    {"User-Agent": BROWSER},
    {"User-Agent": "Mozilla/5.0 (Linux; Android 6.0; CUBOT_X18 Build/MRA58K) AppleWebKit/537.36 Chrome/44.0 Mobile"},
    {"User-Agent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"},
    {"User-Agent": "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"},
    {"User-Agent": f"{BROWSER} [FBAN/FBIOS;FBAV/450.0]"},
    {"User-Agent": "python-requests/2.32"},
    {"Sec-Purpose": "", "Purpose": "navigate"},
    {},
]


def path_of_link() -> str:
    tokens = TokenSigner(settings.ENVIRONMENT.derived_secrets(PURPOSE))
    return make_link(tokens, "", TOKEN_PLATFORM, LinkKind.CLICK, TARGET, "spring")


def sent(edge: RunningEdge, address: str, headers: dict[str, str], cookie: str | None = USER) -> Reply:
    return edge.client.send("GET", address, None, headers, cookie=cookie)


@pytest.mark.parametrize("headers", SIGNS, ids=str)
def test_unattended__collecting_and_syncs__are_answered_and_kept_nowhere(
    edge: RunningEdge, headers: dict[str, str]
) -> None:
    sync = {"userid": "abc", "pl": TOKEN_PLATFORM, "plsec": TOKENS[0]}
    for address, content in (
        (target("/dp", {**DP, "t": "gif", "data": '{"a": 1}'}), GIF),
        (target("/uid", sync), GIF),
        (target("/sync", DP), b"dmpsync([])"),
    ):
        for cookie in (USER, None):
            reply = sent(edge, address, headers, cookie)

            assert (reply.status, reply.name, reply.body) == (200, "prefetch", content), address
            assert "set-cookie" not in reply.headers
    assert edge.rows() == []


@pytest.mark.parametrize("headers", SIGNS[:2] + SIGNS[6:8], ids=str)
def test_unattended__mail_link__leads_on_and_matches_nobody(edge: RunningEdge, headers: dict[str, str]) -> None:
    for cookie in (USER, None):
        reply = sent(edge, f"{path_of_link()}?u=4694200", headers, cookie)

        assert (reply.status, reply.name, reply.headers["location"]) == (302, "prefetch", TARGET)
        assert "set-cookie" not in reply.headers
    assert edge.rows() == []


def test_unattended__page_that_somebody_opens_later__asks_again(edge: RunningEdge) -> None:
    """A page that is rendered ahead does not load its scripts a second time: the script does it."""
    ahead = sent(edge, target("/dp", DP), {"Sec-Purpose": "prefetch;prerender"})

    assert b"prerenderingchange" in ahead.body
    assert b"prerenderingchange" in edge.client.get("/sync.js", DP).body
    assert sent(edge, target("/dp", DP), {}).name == "accepted"
    assert edge.only_row().message["user"] == USER


@pytest.mark.parametrize("headers", PEOPLE, ids=str)
def test_attended__is_counted(edge: RunningEdge, headers: dict[str, str]) -> None:
    assert sent(edge, target("/dp", DP), headers).name == "accepted"
    assert edge.only_row().message["user"] == USER


def test_unattended__refusals__are_the_same(edge: RunningEdge) -> None:
    headers = {"Sec-Purpose": "prefetch"}
    refused = [
        ("/dp", "bad-m"),
        (target("/dp", {"m": CUSTOMER, "id": 1}), "bad-id"),
        (target("/uid", {"userid": "abc", "pl": TOKEN_PLATFORM, "plsec": "wrong"}), "bad-secret"),
        ("/c/forged?u=1", "bad-token"),
    ]
    assert [(address, sent(edge, address, headers).name) for address, _ in refused] == refused


def test_unattended__in_the_metrics__has_a_status_of_its_own(edge: RunningEdge) -> None:
    sent(edge, target("/dp", DP), {"Sec-Purpose": "prefetch"})
    shown = edge.client.send("GET", "/metrics", None, {"Authorization": f"Bearer {METRICS_TOKEN}"}).body.decode()
    assert 'dmphub_edge_answers_total{route="/dp",status="prefetch"}' in shown


def test_user_agents__many_and_long__are_judged_each_and_not_kept_without_end() -> None:
    from edge import unattended

    for number in range(unattended._MOST_KNOWN + 10):
        assert is_unattended({b"user-agent": b"Slackbot %d" % number})
        assert not is_unattended({b"user-agent": b"Firefox/%d " % number + b"x" * 600 * (number % 2)})
    assert len(unattended._known) <= unattended._MOST_KNOWN
    sizes = itertools.chain.from_iterable((agent, b"") for agent in unattended._known)
    assert max(map(len, sizes)) <= 512
