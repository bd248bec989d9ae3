"""A platform that signs: the sandbox's own signatures against the published ones."""

import time
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
import requests

from sandbox.signed_sync import canonical
from tests.support.sandbox_process import SandboxProcess
from usersync.authentication import sign
from usersync.authentication import string_to_sign as ours

OUT = "https://hub.example/uid?userid=[[USERID]]&pl=99999&gpp=a%26b"


def _sync(sandbox: SandboxProcess, out: str) -> requests.Response:
    address = f"{sandbox.url}/signed-sync/foo?out={quote(out, safe='')}&as=abc%20d"
    return requests.get(address, allow_redirects=False, timeout=5)


def test_signed_sync__out__is_completed_with_time_and_signature(sandbox: SandboxProcess) -> None:
    location = urlsplit(_sync(sandbox, OUT).headers["Location"])
    told = dict(parse_qsl(location.query))
    assert told.items() >= {"userid": "abc d", "pl": "99999", "gpp": "a&b"}.items()
    assert abs(int(told["ts"]) - time.time()) < 10
    assert told["sig"] == sign("foo-secret", ours("GET", "/uid", told.items()))
    assert sandbox.state("foo")["signed-sync"]["foo"]["ids"] == ["abc d"]


def test_canonical__vector__is_as_published() -> None:
    parameters = [("userid", "a b+c/é"), ("pl", "99999"), ("ts", "1456213019"), ("dc", "ewr")]
    assert canonical("/uid", parameters) == ("v1\nGET\n/uid\ndc=ewr&pl=99999&ts=1456213019&userid=a%20b%2Bc%2F%C3%A9")


@pytest.mark.parametrize("extra", ["plsec=x", "plcsec=x", "ts=1", "sig=x"])
def test_signed_sync__token_or_signature_in_out__is_refused(sandbox: SandboxProcess, extra: str) -> None:
    assert _sync(sandbox, f"{OUT}&{extra}").status_code == 400
