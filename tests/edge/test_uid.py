"""`/uid`, row by row of the contract's table."""

import uuid
from urllib.parse import quote, urlsplit

import pytest

from core import buckets
from core.inbox import InboxKind
from edge.responses import GIF
from tests.support.edge_client import COMMON
from tests.support.edge_process import CUSTOMER, DISABLED_PLATFORM, TOKEN_PLATFORM, TOKENS, RunningEdge

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
SYNC: dict[str, object] = {"userid": "abcdef123", "pl": TOKEN_PLATFORM, "plsec": TOKENS[0]}


def _refused(edge: RunningEdge, fields: dict[str, object] | str, status: int, name: str) -> None:
    reply = edge.client.get("/uid", fields, cookie=USER)
    edge.check_refused(reply, status, name)


@pytest.mark.parametrize("parameter", ["plsec", "plcsec"])
@pytest.mark.parametrize("token", TOKENS)
def test_uid__token_right__is_stored(edge: RunningEdge, parameter: str, token: str) -> None:
    fields = {"userid": "abcdef123", "pl": TOKEN_PLATFORM, parameter: token}
    reply = edge.client.get("/uid", fields, cookie=USER)
    assert (reply.status, reply.name, reply.body) == (200, "stored", GIF)
    assert len(reply.body) == 43
    assert reply.headers["content-type"] == "image/gif"
    assert COMMON.items() <= reply.headers.items()
    row = edge.only_row()
    assert (row.bucket, row.kind, row.body) == (buckets.of_value("abcdef123"), InboxKind.SYNC, None)
    at = row.message.pop("at")
    assert abs(at / 1000 - _received_at(edge)) < 1
    assert row.message == {
        "customer": CUSTOMER,
        "platform": TOKEN_PLATFORM,
        "user": USER,
        "platform_user_id": "abcdef123",
    }


def _received_at(edge: RunningEdge) -> float:
    row = edge.database.execute("SELECT extract(epoch FROM received_at) FROM inbox").fetchone()
    assert row is not None
    return float(row[0])


def test_uid__data_centre_and_ttl__are_kept(edge: RunningEdge) -> None:
    edge.client.get("/uid", {**SYNC, "dc": "ewr", "ttl": 30}, cookie=USER)
    message = edge.only_row().message
    assert (message["extra"], message["ttl_days"]) == ({"dc": "ewr"}, 30)


def test_uid__data_centre_left_as_macro__is_stored_without(edge: RunningEdge) -> None:
    assert edge.client.get("/uid", {**SYNC, "dc": "[MT_DC]"}, cookie=USER).name == "stored"
    assert "extra" not in edge.only_row().message


@pytest.mark.parametrize("ttl", ["0", "3651", "x", "", "-1", "1.5", "٣"])
def test_uid__ttl_out_of_bounds__is_refused(edge: RunningEdge, ttl: str) -> None:
    _refused(edge, {**SYNC, "ttl": ttl}, 400, "bad-ttl")


def test_uid__userid_empty__removes_the_mapping(edge: RunningEdge) -> None:
    reply = edge.client.get("/uid", {**SYNC, "userid": ""}, cookie=USER)
    assert (reply.status, reply.name, reply.body) == (200, "cleared", GIF)
    row = edge.only_row()
    assert (row.bucket, row.message["platform_user_id"]) == (buckets.of_user(uuid.UUID(USER)), "")


@pytest.mark.parametrize("nobody", ["0", "-1", "null"])
def test_uid__userid_of_nobody__stores_nothing(edge: RunningEdge, nobody: str) -> None:
    reply = edge.client.get("/uid", {**SYNC, "userid": nobody}, cookie=USER)
    assert (reply.status, reply.name, reply.body) == (200, "no-id", GIF)
    assert edge.rows() == []


def test_uid__no_cookie__sets_one_and_comes_back_once(edge: RunningEdge) -> None:
    reply = edge.client.get("/uid", SYNC)
    assert (reply.status, reply.name) == (302, "cookie-check")
    assert reply.headers["set-cookie"] == (
        f"dmpuid={reply.cookie}; Path=/; Max-Age=33696000; Secure; HttpOnly; SameSite=None"
    )
    assert uuid.UUID(reply.cookie).version == 4
    assert edge.rows() == []
    back = urlsplit(reply.headers["location"])
    assert back.path == "/uid"

    stubborn = edge.client.get("/uid", back.query)
    assert (stubborn.status, stubborn.name, stubborn.body) == (200, "no-cookie", GIF)
    assert "set-cookie" not in stubborn.headers
    assert edge.rows() == []

    assert edge.client.get("/uid", back.query, cookie=reply.cookie).name == "stored"
    assert edge.only_row().message["user"] == reply.cookie


@pytest.mark.parametrize("cookie", ["", "abc", "6f6f1c1e-9d0b-1c7e-8a7e-0123456789ab", USER[:-1]])
def test_uid__cookie_that_is_no_uuid4__counts_as_none(edge: RunningEdge, cookie: str) -> None:
    assert edge.client.get("/uid", SYNC, cookie=cookie).name == "cookie-check"


@pytest.mark.parametrize(
    "macro",
    ["[[USERID]]", "[UID]", "$UID", "${UID}", "${USER_ID}", "{UID}", "[MM_UUID]", "[[userid]]", "{{UID}}", "%%UID%%"],
)
def test_uid__macro_left_unexpanded__is_refused(edge: RunningEdge, macro: str) -> None:
    for spelling in (macro, quote(macro, safe=""), quote(quote(macro, safe=""), safe="")):
        query = f"userid={spelling}&pl={TOKEN_PLATFORM}&plsec={TOKENS[0]}"
        _refused(edge, query, 400, "bad-userid")


@pytest.mark.parametrize(
    "userid",
    ["x" * 257, "é" * 129, "a\x00b", "a\nb", "\x85"],
    ids=["257 bytes", "258 bytes of 129 letters", "NUL", "line feed", "C1 control"],
)
def test_uid__userid_that_cannot_be_kept__is_refused(edge: RunningEdge, userid: str) -> None:
    _refused(edge, {**SYNC, "userid": userid}, 400, "bad-userid")


def test_uid__userid_of_256_bytes__is_stored(edge: RunningEdge) -> None:
    assert edge.client.get("/uid", {**SYNC, "userid": "é" * 128}, cookie=USER).name == "stored"


@pytest.mark.parametrize("raw", ["%ff", "%ed%a0%80", "%c3"], ids=["not UTF-8", "lone surrogate", "cut short"])
def test_uid__userid_not_utf8__is_refused(edge: RunningEdge, raw: str) -> None:
    _refused(edge, f"userid={raw}&pl={TOKEN_PLATFORM}&plsec={TOKENS[0]}", 400, "bad-userid")


@pytest.mark.parametrize("parameter", ["userid", "pl", "plsec", "ts", "sig", "dc", "ttl", "uuid", "_ck"])
def test_uid__repeated_parameter__is_refused(edge: RunningEdge, parameter: str) -> None:
    query = f"userid=abc&pl={TOKEN_PLATFORM}&plsec={TOKENS[0]}&{parameter}=a&{parameter}=a"
    _refused(edge, query, 400, f"bad-{parameter}")


def test_uid__token_and_its_alias_at_once__is_refused(edge: RunningEdge) -> None:
    _refused(edge, {**SYNC, "plcsec": TOKENS[0]}, 400, "bad-plsec")


@pytest.mark.parametrize("missing", ["userid", "pl"])
def test_uid__missing_parameter__is_refused_by_name(edge: RunningEdge, missing: str) -> None:
    fields = {name: value for name, value in SYNC.items() if name != missing}
    _refused(edge, fields, 400, f"bad-{missing}")


@pytest.mark.parametrize("platform", [1, "x", "", DISABLED_PLATFORM, f"0{TOKEN_PLATFORM}", -1])
def test_uid__platform_unknown_or_disabled__is_refused(edge: RunningEdge, platform: object) -> None:
    _refused(edge, {**SYNC, "pl": platform}, 400, "bad-pl")


@pytest.mark.parametrize("token", ["", "wrong", TOKENS[0].upper(), TOKENS[0] + "x", "é"])
def test_uid__token_wrong__is_refused(edge: RunningEdge, token: str) -> None:
    _refused(edge, {**SYNC, "plsec": token}, 403, "bad-secret")


def test_uid__token_missing__is_refused(edge: RunningEdge) -> None:
    _refused(edge, {"userid": "abc", "pl": TOKEN_PLATFORM}, 403, "bad-secret")


def test_uid__signature_at_a_token_platform__is_refused(edge: RunningEdge) -> None:
    _refused(edge, {"userid": "abc", "pl": TOKEN_PLATFORM, "ts": 1, "sig": "00"}, 403, "bad-secret")


def test_uid__uuid_without_signature__is_refused(edge: RunningEdge) -> None:
    _refused(edge, {**SYNC, "uuid": USER}, 400, "bad-uuid")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_uid__other_method__is_refused(edge: RunningEdge, method: str) -> None:
    reply = edge.client.send(method, f"/uid?userid=abc&pl={TOKEN_PLATFORM}&plsec={TOKENS[0]}", cookie=USER)
    assert (reply.status, reply.name, reply.headers["allow"]) == (405, "bad-method", "GET, HEAD")
    assert edge.rows() == []


def test_uid__refusal__tells_the_parameter_in_one_line(edge: RunningEdge) -> None:
    reply = edge.client.get("/uid", {**SYNC, "pl": 1}, cookie=USER)
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.body.decode().count("\n") == 1
    assert "pl" in reply.body.decode().split()
