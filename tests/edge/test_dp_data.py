"""What `data` may hold: the parser alone, and one request for each kind of bad data."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.json_values import canonical
from profiles.events.data import INTEGERS, BadDataError, parse_data
from tests.support.edge_process import DP, RunningEdge

DEPTH = 32
USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"


def nested(levels: int, inner: bytes = b"1") -> bytes:
    """An object of `levels` levels, itself included."""
    return b'{"a":' * levels + inner + b"}" * levels


BAD = {
    "not JSON": b"a=1",
    "cut short": b'{"a":',
    "two": b"{} {}",
    "list": b"[]",
    "text": b'"a"',
    "number": b"1",
    "null": b"null",
    "blank": b" ",
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": Infinity}',
    "1e400": b'{"a": 1e400}',
    "1e-400": b'{"a": [1e-400]}',
    "above 64 bits": b'{"a": 18446744073709551616}',
    "below 64 bits": b'{"a": [-9223372036854775809]}',
    "5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "4,000 digits": b'{"a": ' + b"9" * 4000 + b"}",
    "33 levels": nested(33),
    "33 levels, lists": b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
    "20,000 levels": nested(20_000),
    "20,000 lists": b"[" * 20_000,
    "NUL": b'{"a": "x\\u0000"}',
    "NUL in a key": b'{"a": [{"\\u0000": 1}]}',
    "NUL at the last level": nested(32, b'"\\u0000"'),
    "raw NUL": b'{"a": "\x00"}',
    "lone surrogate": b'{"a": "\\ud800"}',
    "lone surrogate in a key": b'{"\\udc00": 1}',
    "lone surrogate before text": b'{"a": "\\ud800x"}',
    "lone surrogate, raw": b'{"a": "\xed\xa0\x80"}',
    "invalid UTF-8": b'{"a": "\xff"}',
    "invalid UTF-8 in a key": b'{"\xff": 1}',
    "byte-order mark": b"\xef\xbb\xbf{}",
}
GOOD = {
    "empty": b"{}",
    "32 levels": nested(32),
    "wide": json.dumps({"a": [{} for _ in range(100)]}).encode(),
    "largest integer": b'{"a": 18446744073709551615}',
    "smallest integer": b'{"a": -9223372036854775808}',
    "long float": b'{"a": 0.' + b"1" * 5000 + b"}",
    "digits in a text": b'{"a": "' + b"9" * 100 + b'"}',
    "backslash before u0000": b'{"a": "\\\\u0000"}',
    "surrogate pair": b'{"a": "\\ud83d\\ude00"}',
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_dp__bad_data__is_refused_and_stores_nothing(edge: RunningEdge, raw: bytes) -> None:
    reply = edge.client.post("/dp", DP, raw, cookie=USER)
    assert (reply.status, reply.name) == (400, "bad-data")
    assert reply.cookie is None
    assert edge.rows() == []


@pytest.mark.parametrize("raw", GOOD.values(), ids=GOOD.keys())
def test_dp__good_data__is_accepted(edge: RunningEdge, raw: bytes) -> None:
    assert edge.client.post("/dp", DP, raw, cookie=USER).name == "accepted"
    assert edge.only_row().body == raw


def test_parse__duplicate_keys__the_last_wins() -> None:
    assert parse_data(b'{"a": 1, "b": 2, "a": 3}', DEPTH) == {"a": 3, "b": 2}


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(["\0", "\\u0000", "0" * 19])
integers = st.integers() | st.sampled_from([2**64, 2**64 - 1, -(2**63), -(2**63) - 1])
scalars = st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=12
)


def _is_sound(value: Any, depth: int) -> bool:
    """The rule said slowly: what `parse` must agree with."""
    if isinstance(value, dict):
        inside = all("\0" not in key and _is_sound(item, depth - 1) for key, item in value.items())
        return depth > 0 and inside
    if isinstance(value, list):
        return depth > 0 and all(_is_sound(item, depth - 1) for item in value)
    if isinstance(value, str):
        return "\0" not in value
    return isinstance(value, bool) or not isinstance(value, int) or value in INTEGERS


@given(data=st.dictionaries(texts, values, max_size=3), ascii_only=st.booleans(), depth=st.integers(1, 6))
def test_parse__any_object__is_taken_exactly_when_it_is_sound(
    data: dict[str, Any], ascii_only: bool, depth: int
) -> None:
    raw = json.dumps(data, ensure_ascii=ascii_only).encode()
    if _is_sound(data, depth):
        assert parse_data(raw, depth) == canonical(json.loads(raw))
    else:
        with pytest.raises(BadDataError):
            parse_data(raw, depth)
