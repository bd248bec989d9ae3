"""A customer's policy for personal data in clear, applied to what comes in before it is kept anywhere.

Policy `hash` replaces what is found by SHA-256 of the customer's salt and the normal form, so that the same mail
address becomes the same text wherever it comes from. Policy `refuse` refuses the whole input. The edge uses this
module on every request, so it must not import Django.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar
from uuid import UUID

import msgspec

from core.errors import InputError
from profiles.personal import check_digits, patterns
from profiles.personal.patterns import CARD, PHONE, Finding

Value = TypeVar("Value")

# shapes of the raw bytes: every digit is written as 0, every letter as A
_LONG_NUMBER = b"0" * 12
_BANK = b"AA00AAAA0"  # the beginning of an IBAN that holds no long number
_SHAPES = bytes(
    ord("0") if chr(byte).isdigit() and byte < 0x80 else ord("A") if chr(byte).isalpha() and byte < 0x80 else byte
    for byte in range(256)
)
_SEPARATORS = b" -"
# a mail address; a phone number with a country
_SIGNS = (b"@", b"+")
# a mail address in a page's address; any sign as a JSON escape. A search for one byte is much faster than for several
_ESCAPES = ((b"%", b"%40"), (b"\\", b"\\u"))
# an attribute whose name says that it holds a phone number
_PHONE_NAMES = (b"phone", b"tel", b"fax", b"mobil", b"cell", b"msisdn")
# a phone number without a country: postal codes begin alike, but hold no separator
_NATIONAL_PHONE = re.compile(rb'"(?:\(|0\d{0,5}[ /-])')
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


@dataclass(frozen=True, slots=True)
class Protection:
    """Protects one customer's data by the customer's policy and salt."""

    policy: Policy
    salt: UUID

    @classmethod
    def of_customer(cls, customer: PersonalDataSettings) -> "Protection":
        return cls(Policy(customer.personal_data), customer.salt)

    def data(self, raw: bytes, data: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        """Returns the JSON, and what it says, without personal data in clear. Raises PersonalDataError."""
        if not is_suspicious(raw):
            return raw, data
        protected = self._object(data)
        return (raw, data) if protected is data else (_encode(protected), protected)

    def text(self, text: str) -> str:
        """Returns a single text, such as the customer's own user id, without personal data in clear."""
        return self._replace(text, patterns.find(text)) if is_suspicious(b'"%s"' % text.encode()) else text

    def dimensions(self, values: dict[str, Value]) -> dict[str, Value]:
        """Returns the dimensions without mail addresses: pages put what somebody typed into their own address.

        Nothing else is looked for.
        """
        changed: dict[str, Any] = {
            name: self.text(value)
            for name, value in values.items()
            if isinstance(value, str) and ("@" in value or "%40" in value)
        }
        return {**values, **changed} if changed else values

    def _object(self, value: Mapping[str, Any]) -> Any:
        return _same_if_unchanged(value, {self._name(name): self._named(name, inner) for name, inner in value.items()})

    def _name(self, name: str) -> str:
        return self._replace(name, patterns.find(name)) if "@" in name else name

    def _named(self, name: str, value: Any) -> Any:
        if patterns.names_phone(name):
            if isinstance(value, str):
                return self._replace(value, patterns.find_named(value))
            if isinstance(value, int) and not isinstance(value, bool):
                return self._number(value, patterns.find_named(str(value)))
        return self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._replace(value, patterns.find(value))
        if isinstance(value, list):
            return _same_if_unchanged(value, [self._value(item) for item in value])
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, int) and value > 10**12 and check_digits.is_card(str(value)):
            return self._number(value, [Finding(0, len(str(value)), CARD, str(value))])
        return value

    def _number(self, value: int, found: list[Finding]) -> Any:
        return self._replace(str(value), found) if any(one.kind in {CARD, PHONE} for one in found) else value

    def _replace(self, text: str, found: Iterable[Finding]) -> str:
        end, parts = 0, []
        for one in found:
            if self.policy is Policy.REFUSE:
                raise PersonalDataError(one.kind)
            parts += [text[end : one.start], self._hash(one.plain)]
            end = one.end
        return "".join([*parts, text[end:]]) if parts else text

    def _hash(self, plain: str) -> str:
        return hashlib.sha256(self.salt.bytes + plain.encode()).hexdigest()


def is_suspicious(raw: bytes) -> bool:
    """Whether JSON can hold personal data at all. This look at the bytes is cheap, and most data ends here."""
    lower = raw.lower()
    for name in _PHONE_NAMES:  # not `any(…)`: it costs twice as much, and the edge does this for every request
        if name in lower:
            return True
    return has_suspicious_values(raw)


def has_suspicious_values(raw: bytes) -> bool:
    """As `is_suspicious`, but for values only, without the names of attributes. Every text begins with a quote."""
    for sign in _SIGNS:
        if sign in raw:
            return True
    for first, escape in _ESCAPES:
        if first in raw and escape in raw:
            return True
    if (b'"0' in raw or (b"(" in raw and b'"(' in raw)) and _NATIONAL_PHONE.search(raw):
        return True
    shape = raw.translate(_SHAPES, _SEPARATORS)
    return _LONG_NUMBER in shape or _BANK in shape


def _same_if_unchanged(old: Any, new: Any) -> Any:
    """Returns `old` itself if nothing in it was replaced, so that callers can compare by identity."""
    if isinstance(old, dict):
        same = old.keys() == new.keys() and all(old[name] is new[name] for name in old)
    else:
        same = all(one is other for one, other in zip(old, new, strict=True))
    return old if same else new
