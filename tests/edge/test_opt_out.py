"""Opting out and in again, as a browser does it: over HTTP, with a cookie jar."""

import time
import uuid
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest

from core import buckets
from core.inbox import InboxKind
from tests.support.consent_modes import SYNC, USER
from tests.support.edge_client import COMMON
from tests.support.edge_process import DP, EdgeProcess, RunningEdge, until

SECURE = "Secure; HttpOnly; SameSite=None"


class Browser:
    """Follows redirects and keeps cookies, unless it refuses them."""

    def __init__(self, process: EdgeProcess, *, refuses_cookies: bool = False) -> None:
        self._address = f"http://127.0.0.1:{process.port}"
        self.jar = CookieJar()
        handlers = [] if refuses_cookies else [HTTPCookieProcessor(self.jar)]
        self._opener: OpenerDirector = build_opener(*handlers)

    def open(self, path: str) -> tuple[str, str]:
        """Status name and text of the page that a visit ends on."""
        with self._opener.open(Request(self._address + path), timeout=10) as response:
            return response.headers["X-DMP-Status"], response.read().decode("latin-1")

    @property
    def cookies(self) -> dict[str, str | None]:
        return {cookie.name: cookie.value for cookie in self.jar}


@pytest.fixture
def plain_process(edge: RunningEdge, database_url: str) -> EdgeProcess:
    """An edge whose cookies travel over plain HTTP."""
    del edge
    return EdgeProcess(database_url, environment={"DMPHUB_INSECURE_COOKIES": "1"})


def test_opt_out__browser_that_is_known__is_forgotten_everywhere_until_it_opts_in(
    edge: RunningEdge, plain_process: EdgeProcess
) -> None:
    with plain_process as process:
        until(process.ready)
        browser = Browser(process)
        page_view = f"/dp?m={DP['m']}&id={DP['id']}"
        assert browser.open(page_view)[0] == "confirmed"
        user = browser.cookies["dmpuid"]
        edge.database.execute("DELETE FROM inbox")

        name, page = browser.open("/opt-out")
        assert (name, browser.cookies) == ("opted-out", {"dmpopt": "1"})
        assert "You have opted out" in page
        row = edge.only_row()
        assert (row.kind, row.bucket, row.message["user"]) == (
            InboxKind.OPT_OUT,
            buckets.of_user(uuid.UUID(user)),
            user,
        )
        assert abs(row.message["at"] / 1000 - time.time()) < 60

        for again in ("/opt-out", page_view, f"/uid?userid=a&pl={SYNC['pl']}&plsec={SYNC['plsec']}"):
            assert (browser.open(again)[0], browser.cookies) == ("opted-out", {"dmpopt": "1"})
        assert len(edge.rows()) == 1

        name, page = browser.open("/opt-in")
        assert (name, browser.cookies) == ("opted-in", {})
        assert "opted in again" in page
        assert browser.open(page_view)[0] == "confirmed"
        assert browser.cookies["dmpuid"] not in {None, user}


def test_opt_out__browser_that_refuses_cookies__is_told_so(edge: RunningEdge, plain_process: EdgeProcess) -> None:
    with plain_process as process:
        until(process.ready)
        name, page = Browser(process, refuses_cookies=True).open("/opt-out")
    assert name == "no-cookie"
    assert "did not keep the cookie" in page
    assert edge.rows() == []


def test_opt_out__first_answer__sets_one_cookie_and_deletes_the_others(edge: RunningEdge) -> None:
    edge.client._connection.request("GET", "/opt-out", headers={"Cookie": f"dmpuid={USER}"})
    response = edge.client._connection.getresponse()
    response.read()
    assert (response.status, response.headers["location"]) == (302, "/opt-out?_ck=1")
    assert response.headers.get_all("set-cookie") == [
        f"dmpopt=1; Path=/; Max-Age=157680000; {SECURE}",
        f"dmpuid=; Path=/; Max-Age=0; {SECURE}",
        f"dmpsync=; Path=/; Max-Age=0; {SECURE}",
    ]


def test_opt_out__with_both_cookies__is_stored_again(edge: RunningEdge) -> None:
    reply = edge.client.send("GET", "/opt-out", None, {"Cookie": f"dmpopt=1; dmpuid={USER}"})
    assert (reply.status, reply.name) == (200, "opted-out")
    assert edge.only_row().message["user"] == USER


def test_opt_in__known_browser__is_stored_before_the_answer(edge: RunningEdge) -> None:
    reply = edge.client.get("/opt-in", cookie=USER)
    assert (reply.status, reply.name) == (200, "opted-in")
    assert reply.headers["set-cookie"] == f"dmpopt=; Path=/; Max-Age=0; {SECURE}"
    row = edge.only_row()
    assert (row.kind, row.bucket, row.message["user"]) == (InboxKind.OPT_IN, buckets.of_user(uuid.UUID(USER)), USER)


@pytest.mark.parametrize(
    "header",
    [
        {"Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch"},
    ],
    ids=["image", "frame", "fetch", "prefetch"],
)
def test_opt_in__not_opened_by_a_person__changes_nothing(edge: RunningEdge, header: dict[str, str]) -> None:
    reply = edge.client.send("GET", "/opt-in", None, {"Cookie": f"dmpopt=1; dmpuid={USER}", **header})
    edge.check_refused(reply, 403, "not-opened")


@pytest.mark.parametrize("path", ["/opt-out", "/opt-in"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_choice__other_method__is_refused(edge: RunningEdge, path: str, method: str) -> None:
    reply = edge.client.send(method, path, cookie=USER)
    edge.check_refused(reply, 405, "bad-method")


class _Outline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize(
    ("path", "cookie", "undo"),
    [("/opt-out", "dmpopt=1", "/opt-in"), ("/opt-in", "", "/opt-out"), ("/opt-out?_ck=1", "", "/opt-out")],
)
def test_choice__every_page__is_whole_in_itself_and_says_how_to_go_on(
    edge: RunningEdge, path: str, cookie: str, undo: str
) -> None:
    reply = edge.client.send("GET", path, None, {"Cookie": cookie} if cookie else {})
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert COMMON.items() <= reply.headers.items()
    outline = _Outline()
    outline.feed(reply.body.decode())
    tags = [tag for tag, _ in outline.tags]
    assert ("html", {"lang": "en"}) in outline.tags
    assert [tags.count(tag) for tag in ("title", "main", "h1")] == [1, 1, 1]
    assert {"script", "img", "link", "iframe", "form"}.isdisjoint(tags)
    assert undo in [attributes.get("href") for tag, attributes in outline.tags if tag == "a"]
