"""`/dp` and `/uid` for people who denied consent, or who opted out."""

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import pytest

from core.consent_mode import ConsentMode
from core.inbox import InboxKind
from edge.responses import GIF
from tests.support.consent_modes import SYNC, USER, customer_wants
from tests.support.consent_strings import tcf
from tests.support.edge_client import COMMON, Reply
from tests.support.edge_process import DP, RunningEdge

Fields = Mapping[str, object]
REQUESTS = [("/dp", {**DP, "t": "gif", "data": '{"a": 1}'}), ("/uid", SYNC)]
YES, NO = tcf([1]), tcf([2])
ON_BOTH = pytest.mark.parametrize(("path", "fields"), REQUESTS, ids=["dp", "uid"])


def _send(edge: RunningEdge, path: str, fields: Fields, cookie: str | None = None, **headers: str) -> Reply:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if cookie:
        sent["Cookie"] = cookie
    return edge.client.send("GET", f"{path}?{urlencode({k: str(v) for k, v in fields.items()})}", None, sent)


def _check_nothing_kept(edge: RunningEdge, reply: Reply, name: str) -> None:
    assert (reply.status, reply.name, reply.body) == (200, name, GIF)
    assert COMMON.items() <= reply.headers.items()
    assert "set-cookie" not in reply.headers
    assert edge.rows() == []


@ON_BOTH
@pytest.mark.parametrize("cookie", [None, f"dmpuid={USER}"], ids=["new browser", "known browser"])
@pytest.mark.parametrize("denial", [{"gdpr": 1}, {"gdpr_consent": NO}, {"us_privacy": "1YYN"}])
def test_edge__consent_denied__keeps_nothing_and_sets_no_cookie(
    edge: RunningEdge, path: str, fields: Fields, cookie: str | None, denial: Fields
) -> None:
    _check_nothing_kept(edge, _send(edge, path, {**fields, **denial}, cookie), "consent-denied")


@ON_BOTH
def test_edge__global_privacy_control__is_a_denial(edge: RunningEdge, path: str, fields: Fields) -> None:
    _check_nothing_kept(edge, _send(edge, path, fields, f"dmpuid={USER}", Sec_GPC="1"), "consent-denied")
    assert _send(edge, path, fields, f"dmpuid={USER}", Sec_GPC="0").name in {"accepted", "stored"}


@ON_BOTH
def test_edge__consent_given__is_kept(edge: RunningEdge, path: str, fields: Fields) -> None:
    reply = _send(edge, path, {**fields, "gdpr": 1, "gdpr_consent": YES}, f"dmpuid={USER}")
    assert reply.name in {"accepted", "stored"}
    assert len(edge.rows()) == 1


@ON_BOTH
@pytest.mark.parametrize("cookies", ["dmpopt=1", f"dmpopt=1; dmpuid={USER}", f"dmpuid={USER};dmpopt=1; a=b"])
def test_edge__opted_out__keeps_nothing_and_sets_no_cookie(
    edge: RunningEdge, path: str, fields: Fields, cookies: str
) -> None:
    _check_nothing_kept(edge, _send(edge, path, fields, cookies), "opted-out")


@ON_BOTH
@pytest.mark.parametrize("cookie", ["dmpopt=0", "dmpopt=", "xdmpopt=1", "dmpopt=11", "a=dmpopt=1"])
def test_edge__another_cookie__is_no_opt_out(edge: RunningEdge, path: str, fields: Fields, cookie: str) -> None:
    assert _send(edge, path, fields, f"{cookie}; dmpuid={USER}").name in {"accepted", "stored"}


def test_dp__opted_out__is_also_answered_so_in_the_second_half_of_a_cookie_check(edge: RunningEdge) -> None:
    first = _send(edge, "/dp", {**DP, "t": "gif"})
    edge.database.execute("DELETE FROM inbox")
    headers = {"Cookie": f"dmpopt=1; dmpuid={first.cookie}"}
    reply = edge.client.send("GET", first.headers["location"], None, headers)
    _check_nothing_kept(edge, reply, "opted-out")


@ON_BOTH
@pytest.mark.parametrize("name", ["gdpr", "gdpr_consent", "us_privacy", "gpp", "gpp_sid"])
def test_edge__signal_repeated__is_refused_by_name(edge: RunningEdge, path: str, fields: Fields, name: str) -> None:
    query = urlencode({k: str(v) for k, v in fields.items()}) + f"&{name}=0&{name}=0"
    edge.check_refused(edge.client.get(path, query, cookie=USER), 400, f"bad-{name}")


def test_edge__consent_required__keeps_nothing_without_and_refuses_what_cannot_be_read(edge: RunningEdge) -> None:
    with customer_wants(edge, ConsentMode.REQUIRED):
        for path, fields in REQUESTS:
            _check_nothing_kept(edge, _send(edge, path, fields, f"dmpuid={USER}"), "consent-denied")
            reply = _send(edge, path, {**fields, "gdpr": 1, "gdpr_consent": "rubbish"}, f"dmpuid={USER}")
            edge.check_refused(reply, 400, "bad-gdpr_consent")
        _check_consent_travels(edge)


def _check_consent_travels(edge: RunningEdge) -> None:
    """Signals are passed on unmodified, so that the second half of a cookie check is permitted too."""
    consent = {"gdpr": 1, "gdpr_consent": YES}
    first = _send(edge, "/dp", {**DP, "t": "gif", "data": "{}", **consent})
    back = urlsplit(first.headers["location"])
    assert back.query.startswith(f"m={DP['m']}&id={DP['id']}&t=gif&{urlencode(consent)}&_ck=")
    assert edge.client.get("/dp", back.query, cookie=first.cookie).name == "confirmed"
    first = _send(edge, "/uid", {**SYNC, **consent})
    assert edge.client.get("/uid", urlsplit(first.headers["location"]).query, cookie=first.cookie).name == "stored"
    assert [row.kind for row in edge.rows()] == [InboxKind.EVENT, InboxKind.CONFIRM, InboxKind.SYNC]


def test_edge__consent_off__judges_nothing(edge: RunningEdge) -> None:
    with customer_wants(edge, ConsentMode.OFF):
        for path, fields in REQUESTS:
            denial = {"gdpr": 1, "gdpr_consent": "rubbish", "us_privacy": "1YYN"}
            assert _send(edge, path, {**fields, **denial}, f"dmpuid={USER}", Sec_GPC="1").name in {"accepted", "stored"}
