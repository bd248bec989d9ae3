"""What a sync template may say, and that every fault is told at once."""

import pytest

from integrations.sync_templates import find_errors

SEED = (
    "https://api.third-party.com/sync?out=https://go.flx1.com/uid?userid=[[USERID]]"
    "&pl=<platformId:integer>&plsec=<secureToken:string>"
)
WRITTEN_ENCODED = (
    "https://a.example/s?out=https%3A%2F%2Fhub.example%2Fuid%3Fuserid%3D%24UID"
    "%26pl%3D<platformId:integer>%26plsec%3D<secureToken:string>"
)
WRITTEN_SIGNED = "https://a.example/sync?out=https://go.flx1.com/uid?userid=[[USERID]]&pl=<platformId:integer>"


@pytest.mark.parametrize(
    "template",
    [
        SEED,
        WRITTEN_ENCODED,
        "https://a.example/s?out={{callback}}",
        "http://127.0.0.1:8090/sync?out={{callback_raw}}",
        "//sync.example/sync/js?exsync={{callback:[MM_UUID]&dc=[MT_DC]}}",
        "https://a.example/s?r={{ callback:${UID} }}&gdpr=${GDPR}&c=${GDPR_CONSENT_32}&us_privacy=${US_PRIVACY}",
        "https://a.example/s?r={{callback:{UID}}}&gpp=${GPP_STRING_7}&sid=${GPP_SID}",
        "https://a.example/uid?u={{user_id}}&r={{callback:${USER_ID}}}&cb={{cachebuster}}",
        "https://a.example/%%CACHEBUSTER%%?partner=<platformId:integer>&r={{callback:[UID]}}",
        "https://[::1]:8090/s?out={{callback}}",
    ],
)
def test_template__sound__has_no_faults(template: str) -> None:
    assert find_errors(template, "token") == []


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("ftp://a.example/?r={{callback}}", "begins with https://"),
        ("javascript:alert(1)//{{callback}}", "begins with https://"),
        ("https://user:pass@a.example/?r={{callback}}", "begins with https://"),
        ("https://{{user_id}}.example/?r={{callback}}", "begins with https://"),
        ("https://a.example{{callback}}", "begins with https://"),
        ("https:///s?r={{callback}}", "begins with https://"),
        ("https://a.example:99999/?r={{callback}}", "begins with https://"),
        ("https://a.example/?r={{callbak}}", "unknown macro {{callbak}}"),
        ("https://a.example/?r={{callback}}&x={{user_id:1}}", "unknown macro {{user_id:1}}"),
        ("https://a.example/?r={{callback}}&x=${GDPR_CONSENT}", "unknown macro ${GDPR_CONSENT}"),
        ("https://a.example/?r={{callback}}&x=<token>", "unknown macro <token>"),
        ("https://a.example/?u=[UID]", "must hold {{callback}}"),
        ("https://a.example/?r={{callback}}&s={{callback_raw}}", "one callback"),
        ("https://a.example/?r={{callback:nobody}}", "user id"),
        ("https://a.example/?r={{callback:[UID]&pl=3}}", "has already"),
        ("https://a.example/?r={{callback:[UID]&dc}}", "&name=value"),
        ("https://a.example/?r={{callback}}#x", "must not hold #"),
        ("https://a.example/?r={{callback}}\r\nSet-Cookie: a=b", "line breaks"),
        ("https://a.example/?r={{callback}}&x=a b", "percent-encoded"),
        ("https://a.example/?r={{callback}}&x=ü", "percent-encoded"),
        ("https://a.example\\@evil.example/?r={{callback}}", "begins with https://"),
        ("https://a.example/?r={{callback}}&x=" + "y" * 2000, "longer than 2000"),
        ("https://a.example/?r={{callback}}&x=<secureToken:string>", "outside the callback"),
        (WRITTEN_SIGNED, "plsec=<secureToken:string>"),
        (SEED.replace("<platformId:integer>", "7"), "pl=<platformId:integer>"),
        (SEED.replace("[[USERID]]", "me"), "user id"),
    ],
)
def test_template__with_a_fault__tells_it(template: str, told: str) -> None:
    found = find_errors(template, "token")
    assert any(told in fault for fault in found), found


def test_template__many_faults__are_told_at_once() -> None:
    assert len(find_errors("ftp://a.example/ ?x={{foo}}&y=${BAR}", "token")) == 6


def test_template__of_a_platform_that_signs__holds_no_token() -> None:
    assert find_errors(WRITTEN_SIGNED, "signed") == []
    assert find_errors("https://a.example/?r={{callback}}", "signed") == []
    assert "signs" in find_errors(SEED, "signed")[0]
