"""The sync tag of 004_61881f248519e6eb.txt."""

import re
from urllib.parse import quote

import pytest
import requests

from tests.support.sandbox_process import SandboxProcess

OUT = "https://hub.example/uid?pl=1&userid=[MM_UUID]&dc=[MT_DC]"
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def _tag(sandbox: SandboxProcess, kind: str, query: str, **headers: str) -> requests.Response:
    address = f"{sandbox.url}/mathtag/sync/{kind}?{query}"
    return requests.get(address, headers=headers, allow_redirects=False, timeout=5)


@pytest.mark.parametrize("out", [OUT, OUT.replace("[", "%5B").replace("]", "%5D")], ids=["raw", "encoded"])
def test_sync_img__macros__are_replaced_and_redirected_to(sandbox: SandboxProcess, out: str) -> None:
    answer = _tag(sandbox, "img", f"redir={quote(out, safe='')}")
    guid = answer.cookies["mt-uuid"]
    assert GUID.fullmatch(guid)
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"https://hub.example/uid?pl=1&userid={guid}&dc=ewr"
    assert sandbox.state()["mathtag"]["default"]["ids"] == [guid]


def test_sync_js__macros__are_replaced_and_loaded_by_a_script(sandbox: SandboxProcess) -> None:
    answer = _tag(sandbox, "js", f"exsync={quote(OUT, safe='')}", Cookie="mt-uuid=known")
    assert answer.headers["Content-Type"] == "text/javascript"
    assert answer.text == '(new Image()).src="https://hub.example/uid?pl=1&userid=known&dc=ewr";'
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("js", f"redir={quote(OUT, safe='')}"),
        ("img", f"exsync={quote(OUT, safe='')}"),
        ("js", f"exsync={OUT}"),
        ("js", f"exsync={quote(quote(OUT, safe=''), safe='')}"),
        ("js", "exsync=https%3A%2F%2Fhub.example%2Fuid%3Fuserid%3Dnobody"),
        ("js", ""),
    ],
    ids=["wrong name", "wrong name of the image", "not encoded", "encoded twice", "no macro", "nothing"],
)
def test_sync__breaks_a_rule__is_refused(sandbox: SandboxProcess, kind: str, query: str) -> None:
    answer = _tag(sandbox, kind, query)
    assert answer.status_code == 400
    assert not {"Location", "Set-Cookie"} & answer.headers.keys()
