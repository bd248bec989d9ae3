"""A customer's policy for personal data in clear, applied to what comes in before it is kept anywhere.

Policy `hash` replaces what is found by SHA-256 of the customer's salt and the normal form, so that the same mail
address becomes the same text wherever it comes from. Policy `refuse` refuses the whole input. The edge uses this
module on every request, so it must not import Django.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar
from uuid import UUID

import msgspec

from core.errors import InputError
from core.patterns import scan, whole
from profiles.personal import check_digits, patterns
from profiles.personal.folding import folded, may_fold
from profiles.personal.patterns import CARD, LEAST_PHONE, PHONE, Finding
from profiles.personal.phones import normal_form

Value = TypeVar("Value")

# shapes of the raw bytes: every digit is written as 0, every letter as A
_LONG_NUMBER = "0" * 12
_BANK = "AA00AAAA0"  # the beginning of an IBAN that holds no long number
_SHAPES = bytes(
    ord("0") if chr(byte).isdigit() and byte < 0x80 else ord("A") if chr(byte).isalpha() and byte < 0x80 else byte
    for byte in range(256)
)
_SEPARATORS = b" -"
_DIGITS = b"0123456789"
# A byte as a number is found in a fifth of the time that `bytes` of one byte take, and text in two thirds.
# `@`: a mail address; `+`: a phone number with a country; `%40`: a mail address in a page's address; `\\u`: any sign
_AT, _PLUS, _PERCENT, _BACKSLASH, _BRACKET = b"@+%\\("
# an attribute whose name says that it holds a phone number
_PHONE_NAMES = ("phone", "tel", "fax", "mobil", "cell", "msisdn")
# a phone number without a country: postal codes begin alike, but hold no separator
_NATIONAL_PHONE = scan(rb'"(?:\(|0[0-9]{1,5}+[ /.-])')
_GROUPED = ("0000.0000", '"000.000.0000', '"000-000-0000', '"000 000 0000')
"""Shapes, with separators, of cards and accounts in groups, and of phone numbers in North America."""

# hashes and GUIDs: their digits are chance
_OPAQUE = whole(
    r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}"
    r"|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
)
_LEAST_CARD = 13
"""Letters and digits of the shortest card number or IBAN. Mail addresses and phone numbers hold other signs."""

Look = Callable[[str], list[Finding]]
_encode = msgspec.json.Encoder().encode


class Policy(StrEnum):
    HASH = "hash"
    REFUSE = "refuse"


class PersonalDataError(InputError):
    """Personal data in clear that the customer refuses. The message names the kind of data, never the data."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"holds what looks like {kind} in clear: leave it out, or hash it")


class PersonalDataSettings(Protocol):
    """What `core.models.Customer` says about personal data."""

    personal_data: str
    salt: UUID
    phone_region: str


@dataclass(frozen=True, slots=True)
class Protection:
    """Protects one customer's data by the customer's policy and salt.

    `region`: the country of telephone numbers that name none; empty where the customer has not said it.
    """

    policy: Policy
    salt: UUID
    region: str = ""

    @classmethod
    def of_customer(cls, customer: PersonalDataSettings) -> "Protection":
        return cls(Policy(customer.personal_data), customer.salt, customer.phone_region)

    def data(self, raw: bytes, data: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        """Returns the JSON, and what it says, without personal data in clear. Raises PersonalDataError."""
        if not is_suspicious(raw):
            return raw, data
        protected = _Walk(self).object(data)
        return (raw, data) if protected is data else (_encode(protected), protected)

    def text(self, text: str) -> str:
        """Returns a single text, such as the customer's own user id, without personal data in clear."""
        return self.replace(text, patterns.find) if _is_suspicious_text(text) else text

    def id(self, value: str) -> str:
        """Returns an id by which a request names its user, without personal data in clear.

        A hash names the user as well as the id did. Raises PersonalDataError.
        """
        return value if _is_opaque(value) else self.text(value)

    def dimensions(self, values: dict[str, Value]) -> dict[str, Value]:
        """Returns the dimensions without mail addresses: pages put what somebody typed into their own address.

        Nothing else is looked for.
        """
        changed: dict[str, Any] = {
            name: self.text(value) for name, value in values.items() if isinstance(value, str) and "@" in folded(value)
        }
        return {**values, **changed} if changed else values

    def replace(self, text: str, look: Look) -> str:
        """Replaces what is found. Only then the whole text is in plain form, for that is where it was found."""
        found = look(text)
        if not found:
            return text
        if self.policy is Policy.REFUSE:
            raise PersonalDataError(found[0].kind)
        plain, end, parts = folded(text), 0, []
        for one in found:
            parts += [plain[end : one.start], self._hash(self._normal(one))]
            end = one.end
        return "".join([*parts, plain[end:]])

    def _normal(self, one: Finding) -> str:
        """Returns the form that platforms demand before hashing."""
        return normal_form(one.plain, self.region) if one.kind == PHONE else one.plain

    def _hash(self, plain: str) -> str:
        return hashlib.sha256(self.salt.bytes + plain.encode()).hexdigest()


class _Walk:
    """Goes through the data of one event. A text that is repeated in it is looked at once."""

    __slots__ = ("_known", "_known_names", "_protection")

    def __init__(self, protection: Protection) -> None:
        self._protection = protection
        self._known: dict[str, str] = {}
        self._known_names: dict[str, tuple[str, bool]] = {}

    def object(self, value: Mapping[str, Any]) -> Any:
        found = {}
        for name, inner in value.items():
            kept, is_phone = self._name(name)
            found[kept] = self._phone(inner) if is_phone else self._value(inner)
        return _same_if_unchanged(value, found)

    def _name(self, name: str) -> tuple[str, bool]:
        """Returns the name as it is kept, and whether it says that the value is a phone number."""
        known = self._known_names.get(name)
        if known is None:
            known = self._known_names[name] = self._kept_name(name), patterns.names_phone(name)
        return known

    def _kept_name(self, name: str) -> str:
        """Returns the name without personal data in clear: looked for in the whole, and in its parts between dots."""
        if name.isascii() and not any(map(str.isdigit, name)) and "@" not in name and "%40" not in name:
            return name
        whole_name = self._text(name)
        if whole_name is not name or "." not in name:
            return whole_name
        return ".".join([self._text(part) for part in name.split(".")])

    def _phone(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._protection.replace(value, patterns.find_named)
        if isinstance(value, int) and not isinstance(value, bool):
            return self._number(value, patterns.find_named)
        return self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return _same_if_unchanged(value, [self._value(item) for item in value])
        if isinstance(value, dict):
            return self.object(value)
        if isinstance(value, int | float) and 10**12 < value < 10**19 and value == int(value):
            return self._number(value, _cards)
        return value

    def _text(self, text: str) -> str:
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._protection.replace(text, patterns.find)
        return known

    def _number(self, value: float, look: Look) -> Any:
        digits = str(int(value))
        if any(one.kind in {CARD, PHONE} for one in look(digits)):
            return self._protection.replace(digits, look)
        return value


def is_suspicious(raw: bytes) -> bool:
    """Whether JSON can hold personal data at all. This look at the bytes is cheap, and most data ends here."""
    lower = raw.decode("latin-1").lower()
    for name in _PHONE_NAMES:  # not `any(…)`: it costs twice as much, and the edge does this for every request
        if name in lower:
            return True
    return has_suspicious_values(raw)


def has_suspicious_values(raw: bytes) -> bool:
    """As `is_suspicious`, but for values only, without the names of attributes. Every text begins with a quote."""
    if _AT in raw or _PLUS in raw or (_PERCENT in raw and b"%40" in raw) or (_BACKSLASH in raw and b"\\u" in raw):
        return True
    return _may_hold_number(raw) or may_fold(raw)


def _may_hold_number(raw: bytes) -> bool:
    """Whether there can be the number of a phone, a card or an account: none of them has few digits."""
    digits = len(raw) - len(raw.translate(None, _DIGITS))
    if digits < _BANK.count("0"):
        return False
    grouped = raw.translate(_SHAPES)
    joined = grouped.translate(None, _SEPARATORS).decode("latin-1")
    if digits < LEAST_PHONE:
        return _BANK in joined
    if (b'"0' in raw or (_BRACKET in raw and b'"(' in raw)) and next(_NATIONAL_PHONE(raw), None):
        return True
    text = grouped.decode("latin-1")
    for shape in _GROUPED:
        if shape in text:
            return True
    return _LONG_NUMBER in joined or _BANK in joined


def check_platform_id(value: str) -> None:
    """Raises PersonalDataError for an id of a platform that is personal data in clear, whatever the policy.

    A hash in its place would be an id that the platform does not know. Digits in a row are let pass, alone too:
    platforms number their users, and one number in a hundred looks like a card's. A card in groups is found.
    """
    if value.isdecimal() or _is_opaque(value) or not _is_suspicious_text(value):
        return
    for found in patterns.find(value):
        if found.kind != CARD or found.end - found.start > len(found.plain):
            raise PersonalDataError(found.kind)


def is_personal_id(value: str) -> bool:
    """Whether an id of a platform is personal data in clear (`check_platform_id`)."""
    try:
        check_platform_id(value)
    except PersonalDataError:
        return True
    return False


def _is_suspicious_text(text: str) -> bool:
    return not patterns.is_free(text) and has_suspicious_values(b'"%s"' % text.encode())


def _is_opaque(value: str) -> bool:
    """Whether an id is too short to be personal data, or a hash or GUID, whose digits are chance."""
    if len(value) < _LEAST_CARD and value.isascii() and value.isalnum():
        return True
    return len(value) in {32, 36, 40, 64} and _OPAQUE(value) is not None


def _cards(digits: str) -> list[Finding]:
    return [Finding(0, len(digits), CARD, digits)] if check_digits.is_card(digits) else []


def _same_if_unchanged(old: Any, new: Any) -> Any:
    """Returns `old` itself if nothing in it was replaced, so that callers can compare by identity."""
    if isinstance(old, dict):
        same = old.keys() == new.keys() and all(old[name] is new[name] for name in old)
    else:
        same = all(one is other for one, other in zip(old, new, strict=True))
    return old if same else new
