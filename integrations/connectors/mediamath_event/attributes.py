"""The attributes of a MediaMath event (002_f4257f686831c057.txt), for single events and batches.

A mapping template {from, to, type} turns the attributes of a profile into those of MediaMath. A value that is missing
or must not be sent is sent empty, as the document asks. An invalid MediaMath id is refused.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec

from core.patterns import whole
from core.values.errors import UnreadableValueError
from core.values.numbers import read_float
from integrations.errors import RefusedError
from integrations.templates import value_at

MOST_CUSTOM = 40
# attributes that the hub fills in
OURS = frozenset({"mt_id", "mt_aid", "mt_adid", "mt_uuid", "source"})
HASHED = frozenset({"mt_excl", "mt_exem"})
STANDARD = HASHED | {
    "mt_ip",
    "mt_ts",
    "v1",
    "v2",
    "order_id",
    "product_id",
    "product_name",
    "product_catgory",
    "client_status",
    "page_name",
}
REVENUE = "v1"  # a number without a currency sign, whatever type it is mapped with
ONE_HASH = "mt_excl and mt_exem are both mapped: MediaMath recommends to pass only one of the two hashes."

is_guid = whole(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_SHA256 = whole(r"[0-9A-Fa-f]{64}")
_NUMBER = whole(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+")
_INTEGER = whole(r"[+-]?[0-9]++")
_MOMENT = whole(r"[1-9][0-9]{9}")
# 203.0.113.0/24 is the document's own example of a public address, so `is_global` would refuse too much
_NOT_PUBLIC = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
    )
]
_LONGEST_NUMBER = 40  # characters; longer ones are no amounts


def _any_case(*words: str) -> str:
    """A pattern of these words in any case, which JSON Schema knows no flag for."""
    return "^(" + "|".join("".join(f"[{c.lower()}{c.upper()}]" for c in word) for word in words) + ")$"


class Rule(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """One line of the mapping template: our attribute's dotted path, their parameter, its data type."""

    from_: Annotated[str, msgspec.Meta(min_length=1, description="Our attribute's dotted path, e.g. basket.sku")]
    to: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="MediaMath's name for it")]
    type: Annotated[
        str,
        msgspec.Meta(
            pattern=_any_case("string", "numeric", "integer"),
            description="string, numeric or integer; case does not matter",
        ),
    ] = "string"


IdType = Literal["guid", "any"]


def faults(rules: Sequence[Rule], filled_in: frozenset[str] = OURS) -> list[str]:
    """Return every error of a mapping template. `filled_in` names the attributes that the hub fills in."""
    targets = [rule.to for rule in rules]
    twice = sorted({name for name in targets if targets.count(name) > 1})
    found = [f"mapping: “{name}” is mapped to twice" for name in twice]
    found += [f"mapping: “{name}” is filled in by the hub" for name in sorted(filled_in.intersection(targets))]
    custom = set(targets) - STANDARD - OURS
    if len(custom) > MOST_CUSTOM:
        found.append(f"mapping: {len(custom)} custom attributes; MediaMath takes at most {MOST_CUSTOM} a pixel")
    return found


def warnings(rules: Sequence[Rule]) -> list[str]:
    """Return warnings about a mapping that works but is not recommended."""
    return [ONE_HASH] if HASHED.issubset(rule.to for rule in rules) else []


def top_level(rules: Iterable[Rule]) -> frozenset[str]:
    """Return the top-level attributes of the profile that a template reads."""
    return frozenset(rule.from_.partition(".")[0] for rule in rules)


def check_id(platform_user_id: str, id_type: IdType) -> None:
    """Raise `RefusedError` if the id is not a MediaMath id."""
    if id_type == "guid" and not is_guid(platform_user_id):
        raise RefusedError("the id is no GUID (8-4-4-4-12), as mt_uuid must be")


Value = str | int | float


def mapped(rules: Sequence[Rule], attributes: Mapping[str, Any]) -> dict[str, Value]:
    """Return the attributes of one event. A value is empty if the profile has nothing that may be sent.

    An IP address that is not public is left out, because an empty one has no meaning.
    """
    values: dict[str, Value] = {}
    for rule in rules:
        value = _value(rule, value_at(attributes, rule.from_))
        if rule.to != "mt_ip" or value != "":
            values[rule.to] = value
    return values


def as_text(value: Value) -> str:
    """Return a value as text. Numbers are written as people do: 7, not 7.0; 0.1, not 1e-1."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def _value(rule: Rule, value: Any) -> Value:
    if value is None or isinstance(value, dict | list):
        return ""
    if rule.to == REVENUE:
        value = _numeric(value)
    check = _CHECKS.get(rule.to)
    if check is not None:
        return check(as_text(value))
    return _TYPES[rule.type.lower()](value)


def _string(value: Any) -> Value:
    """Return text, but never an e-mail address: personal data is sent hashed or not at all."""
    text = str(value).lower() if isinstance(value, bool) else as_text(value)
    return "" if _holds_mail(text) else text


def _holds_mail(text: str) -> bool:
    """Whether something like a mail address stands in the text: an @ between signs, and later a dot between signs."""
    words = text.split() if "@" in text else []
    return any(before and "." in after[1:-1] for word in words for before, after in pairwise(word.split("@")))


def _numeric(value: Any) -> Value:
    if isinstance(value, bool):
        return ""
    if isinstance(value, int | float):
        return value
    text = str(value).strip()
    if len(text) > _LONGEST_NUMBER or not _NUMBER(text):
        return ""
    return int(text) if _INTEGER(text) else _float(text)


def _float(text: str) -> Value:
    """Returns a number with a point or an exponent, exact where it is whole; nothing where no float is so large."""
    try:
        return read_float(text)
    except UnreadableValueError:
        return ""


def _integer(value: Any) -> Value:
    number = _numeric(value)
    if isinstance(number, float):
        return int(number) if number.is_integer() else ""
    return number


def _hash(text: str) -> Value:
    return text.lower() if _SHA256(text) else ""


def _public_address(text: str) -> Value:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return ""
    return "" if any(address in network for network in _NOT_PUBLIC) else str(address)


def _moment(text: str) -> Value:
    return int(text) if _MOMENT(text) else ""


_TYPES: dict[str, Callable[[Any], Value]] = {"string": _string, "numeric": _numeric, "integer": _integer}
_CHECKS: dict[str, Callable[[str], Value]] = {
    "mt_excl": _hash,
    "mt_exem": _hash,
    "mt_ip": _public_address,
    "mt_ts": _moment,
}
