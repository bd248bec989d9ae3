"""The address that a browser is sent to, filled in."""

from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersync.consent import CONSENT_PARAMETERS, passed_on
from usersync.sync_urls import SyncUrl

EDGE = "https://hub.example"
USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
SEED = (
    "https://api.third-party.com/sync?out=https://go.flx1.com/uid?userid=[[USERID]]"
    "&pl=<platformId:integer>&plsec=<secureToken:string>"
)


TOKEN = "verysecure"


def _of(template: str, token: str | None = TOKEN, **signals: str) -> str:
    return SyncUrl(template, EDGE, 99999, token).of(USER, signals).decode()


def _callback(address: str, parameter: str = "r") -> dict[str, str]:
    """What our callback says, read as a platform reads its parameter; no parameter comes twice."""
    inside = dict(parse_qsl(urlsplit(address).query))[parameter]
    pairs = parse_qsl(urlsplit(inside).query)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_address__as_the_document_writes_it__is_filled_in() -> None:
    assert _of(SEED) == (
        "https://api.third-party.com/sync?out=https://go.flx1.com/uid?userid=[[USERID]]&pl=99999&plsec=verysecure"
    )


def test_address__callback__is_percent_encoded_once() -> None:
    address = _of("https://a.example/s?r={{callback}}&x=1")
    callback = f"{EDGE}/uid?userid=[[USERID]]&pl=99999&plsec=verysecure"
    assert address == f"https://a.example/s?r={quote(callback, safe='')}&x=1"
    assert _of("https://a.example/s?r={{callback_raw}}") == f"https://a.example/s?r={callback}"


def test_address__sync_tag_with_data_centre__matches_the_document() -> None:
    address = _of("//sub.example/sync/js?exsync={{callback:[MM_UUID]&dc=[MT_DC]}}")
    assert address.startswith("//sub.example/sync/js?exsync=https%3A%2F%2Fhub.example%2Fuid%3Fuserid%3D%5BMM_UUID%5D")
    assert _callback(address, "exsync") == {
        "userid": "[MM_UUID]",
        "dc": "[MT_DC]",
        "pl": "99999",
        "plsec": "verysecure",
    }


def test_address__of_a_platform_that_signs__carries_no_secret() -> None:
    assert _callback(_of("https://a.example/s?r={{callback:$UID}}", None)) == {"userid": "$UID", "pl": "99999"}


def test_address__token_with_reserved_signs__arrives_as_it_is() -> None:
    token = "a&b=c%d+/é"
    assert _callback(_of("https://a.example/s?r={{callback}}", token))["plsec"] == token
    written = "https%3A%2F%2Fhub.example%2Fuid%3Fpl%3D<platformId:integer>%26plsec%3D<secureToken:string>"
    assert _callback(_of(f"https://a.example/s?r={written}", token))["plsec"] == token


@pytest.mark.parametrize("macro", ["[[USERID]]", "[UID]", "$UID", "${UID}", "${USER_ID}", "{UID}", "[MM_UUID]"])
def test_address__macros_of_platforms__go_out_untouched(macro: str) -> None:
    for spelling in (macro, quote(macro, safe="")):
        assert f"&u={spelling}&" in _of(f"https://a.example/s?a=1&u={spelling}&r={{{{callback}}}}")


def test_address__user_id_and_cachebuster__are_ours_and_new() -> None:
    template = "https://a.example/s?u={{user_id}}&cb={{cachebuster}}&r={{callback}}"
    assert f"?u={USER}&cb=" in _of(template)
    assert _of(template) != _of(template)


SIGNALS = {"gdpr": "1", "gdpr_consent": "CPx-_.Y", "us_privacy": "1YNN", "gpp": "DBAA~x", "gpp_sid": "2,6"}


@pytest.mark.parametrize("token", ["verysecure", None])
def test_address__consent_signals__reach_platform_and_callback_unmodified(token: str | None) -> None:
    template = (
        "https://a.example/s?gdpr=${GDPR}&gdpr_consent=${GDPR_CONSENT_32}&us_privacy=${US_PRIVACY}"
        "&gpp=${GPP_STRING_32}&gpp_sid=${GPP_SID}&r={{callback}}"
    )
    address = _of(template, token, **SIGNALS)
    assert SIGNALS.items() <= dict(parse_qsl(urlsplit(address).query)).items()
    assert SIGNALS.items() <= _callback(address).items()


def test_address__no_consent_signals__leaves_them_empty_and_out_of_the_callback() -> None:
    address = _of("https://a.example/s?gdpr=${GDPR}&c=${GDPR_CONSENT_32}&r={{callback}}")
    assert "?gdpr=&c=&" in address
    assert _callback(address).keys() == {"userid", "pl", "plsec"}


def test_address__callback_written_out__carries_the_signals_too() -> None:
    assert _of(SEED, gdpr="1").endswith("&plsec=verysecure&gdpr=1")
    encoded = "https%3A%2F%2Fh.example%2Fuid%3Fpl%3D<platformId:integer>%26plsec%3D<secureToken:string>%26userid%3D$UID"
    assert _callback(_of(f"https://a.example/s?r={encoded}", gdpr="1", gpp="a&b")) == {
        "pl": "99999",
        "plsec": "verysecure",
        "gdpr": "1",
        "gpp": "a&b",
        "userid": "$UID",
    }


@given(
    st.dictionaries(
        st.sampled_from(sorted(CONSENT_PARAMETERS)), st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
    )
)
def test_address__whatever_the_signals_say__stays_one_address(signals: dict[str, str]) -> None:
    address = _of("https://a.example/s?g=${GPP_STRING_1}&r={{callback}}", **signals)
    assert address.isascii()
    assert not set('\r\n "<>\\') & set(address)
    assert signals.items() <= _callback(address).items()


def test_signals__unreadable_or_too_long__cannot_be_passed_on() -> None:
    assert passed_on({"gdpr": "1", "m": "2"}) == {"gdpr": "1"}
    assert passed_on({"gdpr_consent": None}) is None
    assert passed_on({"gdpr_consent": "x" * 4001}) is None
