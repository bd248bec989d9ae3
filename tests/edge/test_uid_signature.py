"""The two vectors of the contract, and what a signature is worth."""

import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from core.query import pairs
from tests.support.edge_process import SIGNED_PLATFORM, RunningEdge
from usersync.authentication import is_genuine, sign, string_to_sign

VECTORS = [
    (
        {"userid": "abcdef123", "pl": "99999", "ts": "1456213019"},
        "v1\nGET\n/uid\npl=99999&ts=1456213019&userid=abcdef123",
        "90982cb45c0deec2eee38e2d872fbb51f3795f95",
    ),
    (
        {"userid": "a b+c/é", "pl": "99999", "ts": "1456213019", "dc": "ewr"},
        "v1\nGET\n/uid\ndc=ewr&pl=99999&ts=1456213019&userid=a%20b%2Bc%2F%C3%A9",
        "4bc3e577591e861fe6008efb3add22a28dd08393",
    ),
]
USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"

values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@pytest.mark.parametrize(("parameters", "text", "signature"), VECTORS)
def test_vector__signed__is_the_contract_s(parameters: dict[str, str], text: str, signature: str) -> None:
    assert string_to_sign("GET", "/uid", parameters.items()) == text
    assert sign("verysecure", text) == signature


@pytest.mark.parametrize(("parameters", "signature"), [(fields, signature) for fields, _, signature in VECTORS])
@pytest.mark.parametrize("escape", [quote, quote_plus])
def test_vector__however_encoded__is_genuine(
    parameters: dict[str, str], signature: str, escape: Callable[..., str]
) -> None:
    raw = urlencode({**parameters, "sig": signature, "_ck": "1"}, quote_via=escape).encode()
    assert is_genuine("GET", "/uid", raw, signature, "sha1", ["other", "verysecure"])
    assert not is_genuine("GET", "/uid", raw, signature, "sha256", ["verysecure"])
    assert not is_genuine("GET", "/uid", raw, signature, "sha1", ["other"])


def _signed_query(secret: str, parameters: dict[str, str], algorithm: str = "sha1") -> str:
    signature = sign(secret, string_to_sign("GET", "/uid", parameters.items()), algorithm)
    return urlencode({**parameters, "sig": signature})


def _now() -> str:
    return str(int(time.time()))


@given(
    userid=values,
    extra=st.dictionaries(st.sampled_from(["dc", "ttl", "x", "é"]), values, max_size=2),
    where=st.integers(min_value=0),
    byte=st.integers(min_value=0x21, max_value=0x7E),
)
def test_signed_request__any_byte_changed__is_not_genuine(
    userid: str, extra: dict[str, str], where: int, byte: int
) -> None:
    raw = _signed_query("verysecure", {"userid": userid, "pl": "99999", "ts": "1456213019"} | extra).encode()
    changed = bytearray(raw)
    changed[where % len(raw)] = byte
    # Another spelling of the same request (%c3 for %C3) is the same request.
    assume(sorted(pairs(bytes(changed)), key=repr) != sorted(pairs(raw), key=repr))
    named = dict(pairs(bytes(changed)))
    signature = named.get("sig") or ""
    assert not is_genuine("GET", "/uid", bytes(changed), signature, "sha1", ["verysecure"])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(where=st.integers(min_value=0), byte=st.integers(min_value=0x21, max_value=0x7E))
def test_uid__any_byte_of_a_signed_request_changed__is_refused_and_stores_nothing(
    edge: RunningEdge, where: int, byte: int
) -> None:
    fields = {"userid": "abcdef123", "pl": str(SIGNED_PLATFORM), "ts": _now(), "uuid": USER}
    raw = _signed_query("verysecure", fields)
    at = where % len(raw)
    changed = raw[:at] + chr(byte) + raw[at + 1 :]
    assume(sorted(pairs(changed.encode()), key=repr) != sorted(pairs(raw.encode()), key=repr))
    assume("#" not in changed)  # begins a fragment, which is not sent
    edge.database.execute("DELETE FROM inbox")
    reply = edge.client.get("/uid", changed)
    assert reply.status in {400, 403}
    assert reply.cookie is None
    assert edge.rows() == []


@pytest.mark.parametrize("secret", ["verysecure", "older-secret"])
def test_uid__signed_by_either_secret__is_stored(edge: RunningEdge, secret: str) -> None:
    fields = {"userid": "a b+c/é", "pl": str(SIGNED_PLATFORM), "ts": _now()}
    assert edge.client.get("/uid", _signed_query(secret, fields), cookie=USER).name == "stored"
    assert edge.only_row().message["platform_user_id"] == "a b+c/é"


def test_uid__signed_by_sha256_and_saying_so__is_stored(edge: RunningEdge) -> None:
    fields = {"userid": "abc", "pl": str(SIGNED_PLATFORM), "ts": _now(), "alg": "sha256"}
    assert edge.client.get("/uid", _signed_query("verysecure", fields, "sha256"), cookie=USER).name == "stored"


def test_uid__signed_by_sha256_without_saying_so__is_refused(edge: RunningEdge) -> None:
    fields = {"userid": "abc", "pl": str(SIGNED_PLATFORM), "ts": _now()}
    reply = edge.client.get("/uid", _signed_query("verysecure", fields, "sha256"), cookie=USER)
    assert (reply.status, reply.name) == (403, "bad-signature")


def test_uid__unknown_algorithm__is_refused(edge: RunningEdge) -> None:
    fields = {"userid": "abc", "pl": str(SIGNED_PLATFORM), "ts": _now(), "alg": "md5"}
    reply = edge.client.get("/uid", _signed_query("verysecure", fields, "md5"), cookie=USER)
    assert (reply.status, reply.name) == (400, "bad-alg")


@pytest.mark.parametrize("off", [-301, 302, -(10**9)])
def test_uid__signed_too_long_ago_or_ahead__is_expired(edge: RunningEdge, off: int) -> None:
    fields = {"userid": "abc", "pl": str(SIGNED_PLATFORM), "ts": str(int(time.time()) + off)}
    reply = edge.client.get("/uid", _signed_query("verysecure", fields), cookie=USER)
    assert (reply.status, reply.name) == (403, "expired")


@pytest.mark.parametrize("ts", ["", "now", "1e9", "-1", "٣"])
def test_uid__signed_with_a_ts_that_is_no_time__is_refused(edge: RunningEdge, ts: str) -> None:
    fields = {"userid": "abc", "pl": str(SIGNED_PLATFORM), "ts": ts}
    reply = edge.client.get("/uid", _signed_query("verysecure", fields), cookie=USER)
    assert (reply.status, reply.name) == (403, "bad-signature")


@pytest.mark.parametrize("missing", ["ts", "sig"])
def test_uid__signature_incomplete__is_refused(edge: RunningEdge, missing: str) -> None:
    fields = {"userid": "abc", "pl": str(SIGNED_PLATFORM), "ts": _now()}
    if missing == "ts":
        del fields["ts"]
        query = _signed_query("verysecure", fields)
    else:
        query = urlencode(fields)
    reply = edge.client.get("/uid", query, cookie=USER)
    assert (reply.status, reply.name) == (403, "bad-signature")


def test_uid__token_at_a_signed_platform__is_refused(edge: RunningEdge) -> None:
    fields = {"userid": "abc", "pl": SIGNED_PLATFORM, "plsec": "verysecure"}
    reply = edge.client.get("/uid", fields, cookie=USER)
    assert (reply.status, reply.name) == (403, "bad-signature")


def test_uid__uuid_signed__names_the_user_without_a_cookie(edge: RunningEdge) -> None:
    fields = {"userid": "abc", "pl": str(SIGNED_PLATFORM), "ts": _now(), "uuid": USER}
    assert edge.client.get("/uid", _signed_query("verysecure", fields)).name == "stored"
    assert edge.only_row().message["user"] == USER
