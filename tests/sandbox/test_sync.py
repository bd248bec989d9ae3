"""The cookie domain of 001_6c0121e2456e8832.txt."""

from urllib.parse import quote

import pytest
import requests

from tests.support.sandbox_process import SandboxProcess

TEMPLATE = "https://hub.example/uid?userid=[[USERID]]&pl=99999&plsec=verysecure"
MACROS = ["[[USERID]]", "%5B%5BUSERID%5D%5D", "%5b%5bUSERID%5d%5d"]


def sync(sandbox: SandboxProcess, query: str, path: str = "/sync", **headers: str) -> requests.Response:
    return requests.get(f"{sandbox.url}{path}?{query}", headers=headers, allow_redirects=False, timeout=5)


def test_sync__template_as_in_the_document__replaces_the_macro_and_keeps_the_rest(
    sandbox: SandboxProcess,
) -> None:
    answer = sync(sandbox, f"out={TEMPLATE}")
    userid = answer.cookies["sbxid"]
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"https://hub.example/uid?userid={userid}&pl=99999&plsec=verysecure"
    assert sandbox.state()["sync"]["default"]["ids"] == [userid]


@pytest.mark.parametrize("macro", MACROS)
@pytest.mark.parametrize("encode", [str, lambda out: quote(out, safe="")])
def test_sync__macro_raw_or_encoded__is_replaced(sandbox: SandboxProcess, macro: str, encode: object) -> None:
    assert callable(encode)
    out = encode(f"http://hub.example/uid?userid={macro}&pl=1")
    answer = sync(sandbox, f"out={out}&as=a%20b")
    assert answer.headers["Location"] == "http://hub.example/uid?userid=a%20b&pl=1"


def test_sync__known_browser__keeps_its_id_and_gets_no_new_cookie(sandbox: SandboxProcess) -> None:
    answer = sync(sandbox, f"out={TEMPLATE}", Cookie="other=1; sbxid=known")
    assert "userid=known&" in answer.headers["Location"]
    assert "Set-Cookie" not in answer.headers


def test_sync__account_of_its_own__has_its_own_id(sandbox: SandboxProcess) -> None:
    with requests.Session() as browser:
        ids = {
            browser.get(f"{sandbox.url}{path}?out={TEMPLATE}", allow_redirects=False, timeout=5).headers["Location"]
            for path in ("/sync", "/sync/foo", "/sync/bar", "/sync/foo")
        }
    assert len(ids) == 3
    assert sandbox.state("foo")["sync"]["foo"]["requests"] == 2


@pytest.mark.parametrize("query", ["as=x&out={out}", "out={out}&as=x"])
def test_sync__forced_id__sets_no_cookie(sandbox: SandboxProcess, query: str) -> None:
    answer = sync(sandbox, query.format(out=TEMPLATE))
    assert answer.headers["Location"] == TEMPLATE.replace("[[USERID]]", "x")
    assert "Set-Cookie" not in answer.headers


def test_sync__consent_signals__are_let_through(sandbox: SandboxProcess) -> None:
    assert sync(sandbox, f"gdpr=1&gdpr_consent=CPx&out={TEMPLATE}").status_code == 302


@pytest.mark.parametrize(
    "query",
    [
        "",
        "out=",
        "out=%2Fuid%3Fuserid%3D[[USERID]]",
        "out=javascript%3Aalert([[USERID]])",
        "out=https%3A%2F%2Fhub.example%2Fuid%3Fuserid%3Dnobody",
        "out=https%3A%2F%2Fhub.example%2F%3Fu%3D[[USERID]]&pl=1",
        "as=x&as=y&out=https://hub.example/uid?userid=[[USERID]]",
    ],
)
def test_sync__breaks_a_rule__is_400_without_a_cookie(sandbox: SandboxProcess, query: str) -> None:
    answer = sync(sandbox, query)
    assert answer.status_code == 400
    assert not {"Location", "Set-Cookie"} & answer.headers.keys()


def test_sync__line_break_in_out__cannot_add_a_header(sandbox: SandboxProcess) -> None:
    out = quote("https://hub.example/uid?userid=[[USERID]]&x=\r\nX-Evil: 1", safe="")
    assert "X-Evil" not in sync(sandbox, f"out={out}&as=1").headers
