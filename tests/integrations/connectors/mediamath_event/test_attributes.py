"""MediaMath's attributes: what is sent, what goes out empty, what is refused."""

import hashlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors.mediamath_event import attributes
from integrations.connectors.mediamath_event.attributes import Rule
from integrations.errors import RefusedError

HASH = hashlib.sha256(b"salt:somebody").hexdigest()
GUID = "5f11538c-fcb6-4600-88e0-6e51bff72bbc"

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.emails()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)


def sent(value: Any, to: str = "page_name", type_: str = "string") -> Any:
    return attributes.mapped([Rule("x", to, type_)], {"x": value}).get(to)


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        ("A-7", "string", "A-7"),
        (7, "String", "7"),
        (7.5, "STRING", "7.5"),
        (True, "string", "true"),
        ("7", "integer", 7),
        (7.0, "Integer", 7),
        (7.5, "integer", ""),
        ("seven", "integer", ""),
        (True, "integer", ""),
        ("12.50", "numeric", 12.5),
        (12, "Numeric", 12),
        ("€12", "numeric", ""),
        ("1e3", "numeric", 1000),
        ("9007199254740993.0", "Integer", 9007199254740993),
        ("9" * 50, "numeric", ""),
        ("1e999", "numeric", ""),
        (None, "string", ""),
        ([1], "string", ""),
        ({"a": 1}, "numeric", ""),
    ],
)
def test_value__takes_the_mapped_type_or_is_empty(value: Any, type_: str, expected: Any) -> None:
    found = sent(value, type_=type_)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("type_", ["string", "numeric"])
def test_revenue__has_no_currency_sign(type_: str) -> None:
    assert sent("€12", "v1", type_) == sent("12 EUR", "v1", type_) == ""
    assert str(sent("12.5", "v1", type_)) == "12.5"
    assert str(sent("+5", "v1", type_)) == "5"


def test_path__leads_into_objects() -> None:
    rules = [Rule("basket.sku", "product_id"), Rule("basket.sku.deeper", "order_id")]
    assert attributes.mapped(rules, {"basket": {"sku": "A"}}) == {"product_id": "A", "order_id": ""}
    assert attributes.top_level(rules) == {"basket"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("8.8.8.8", "8.8.8.8"),
        ("172.32.0.1", "172.32.0.1"),
        ("10.0.0.1", None),
        ("172.16.0.1", None),
        ("172.31.255.255", None),
        ("192.168.1.1", None),
        ("127.0.0.1", None),
        ("169.254.1.1", None),
        ("224.0.0.1", None),
        ("0.1.2.3", None),
        ("2001:db8::1", None),
        ("1.2.3", None),
        ("256.1.1.1", None),
        ("", None),
        ("somewhere", None),
    ],
)
def test_address__is_public_or_left_out(address: str, expected: str | None) -> None:
    assert sent(address, "mt_ip") == expected


@pytest.mark.parametrize("to", ["mt_excl", "mt_exem"])
def test_personal_ids__are_hashed_or_empty(to: str) -> None:
    assert sent(HASH.upper(), to) == HASH
    for value in ("C-4711", "jane@example.com", HASH[:-1], HASH + "0", 4711):
        assert sent(value, to) == ""


def test_moment__has_ten_digits() -> None:
    assert sent(1456213019, "mt_ts", "integer") == 1456213019
    assert sent("1456213019000", "mt_ts") == ""


@given(st.emails(), st.text(max_size=10), st.sampled_from(["page_name", "v1", "mt_exem", "mt_excl", "anything"]))
def test_e_mail_address__never_goes_out(address: str, around: str, to: str) -> None:
    assert sent(f"{around} {address} {around}", to) == ""


@given(
    json_values,
    st.sampled_from(["v1", "mt_ip", "mt_exem", "page_name"]),
    st.sampled_from(["string", "numeric", "integer"]),
)
def test_any_value__becomes_text_or_a_finite_number(value: Any, to: str, type_: str) -> None:
    found = sent(value, to, type_)
    assert found is None or isinstance(found, str | int) or math.isfinite(found)


@pytest.mark.parametrize(
    "wrong", ["", "abc", GUID[:-1], GUID + "0", GUID.replace("-", ""), "g" + GUID[1:], GUID + "\n"]
)
def test_id__must_be_a_guid_unless_any_will_do(wrong: str) -> None:
    with pytest.raises(RefusedError, match="GUID"):
        attributes.check_id(wrong, "guid")
    attributes.check_id(wrong, "any")
    attributes.check_id(GUID, "guid")
    attributes.check_id(GUID.upper(), "guid")


def test_mapping__faults_are_told() -> None:
    custom = [Rule("x", f"custom_{number}") for number in range(41)]
    assert attributes.faults([*custom[:40], Rule("x", "v1")]) == []
    assert "at most 40" in attributes.faults(custom)[0]
    assert attributes.faults([Rule("a", "v1"), Rule("b", "v1")]) == ["mapping: “v1” is mapped to twice"]
    assert attributes.faults([Rule("a", "mt_uuid")]) == ["mapping: “mt_uuid” is filled in by the hub"]


def test_both_hashes__are_warned_of() -> None:
    both = [Rule("a", "mt_excl"), Rule("b", "mt_exem")]
    assert attributes.warnings(both)
    assert not attributes.warnings(both[:1])
