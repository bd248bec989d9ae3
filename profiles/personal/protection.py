"""A customer's policy for personal data in clear, applied to what comes in before it is kept anywhere.

What is found is hashed: SHA-256 of the customer's salt and the normal form, so that the same mail address is the same
text wherever it comes from. Or the whole is refused, where the customer wants that.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from core.errors import InputError
from profiles.personal import numbers, patterns
from profiles.personal.patterns import CARD, PHONE, Find

Value = TypeVar("Value")

_LONG_NUMBER = b"0" * 12
_BANK = b"AA00AAAA0"  # how accounts begin that hold no long number
_SHAPES = bytes(
    ord("0") if chr(byte).isdigit() and byte < 0x80 else ord("A") if chr(byte).isalpha() and byte < 0x80 else byte
    for byte in range(256)
)
_SEPARATORS = b" -"
# a mail address, a phone number that says so by its sign
_SIGNS = (b"@", b"+")
# … a mail address in an address, any sign written as an escape: one byte is found much sooner than several
_TRACES = ((b"%", b"%40"), (b"\\", b"\\u"))
# … a phone number by its name
_NAMES = (b"phone", b"tel", b"fax", b"mobil", b"cell", b"msisdn")
# … or that is written as at home: postal codes begin alike, but hold no separator
_AT_HOME = re.compile(rb'"(?:\(|0\d{0,5}[ /-])')
_encode = msgspec.json.Encoder().encode


class Policy(StrEnum):
    HASH = "hash"
    REFUSE = "refuse"


class PersonalDataError(InputError):
    """Personal data in clear that the customer does not want: the message says what kind, never the thing itself."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"holds what looks like {kind} in clear: leave it out, or hash it")


@dataclass(frozen=True, slots=True)
class Protection:
    """One customer's."""

    policy: Policy
    salt: UUID

    def data(self, raw: bytes, data: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        """The data without personal data in clear, and its JSON. Raises PersonalDataError."""
        if not is_suspicious(raw):
            return raw, data
        protected = self._object(data)
        return (raw, data) if protected is data else (_encode(protected), protected)

    def text(self, text: str) -> str:
        """A text by itself, such as the customer's own user id."""
        return self._replace(text, patterns.find(text)) if is_suspicious(b'"%s"' % text.encode()) else text

    def dimensions(self, values: dict[str, Value]) -> dict[str, Value]:
        """Addresses of pages hold the mail address that somebody typed; nothing else is looked for."""
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
        if isinstance(value, int) and value > 10**12 and numbers.is_card(str(value)):
            return self._number(value, [Find(0, len(str(value)), CARD, str(value))])
        return value

    def _number(self, value: int, found: list[Find]) -> Any:
        return self._replace(str(value), found) if any(one.kind in {CARD, PHONE} for one in found) else value

    def _replace(self, text: str, found: Iterable[Find]) -> str:
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
    """A cheap look: whether JSON can hold anything that has to be looked for. Most data cannot."""
    lower = raw.lower()
    for name in _NAMES:  # a loop: the edge looks at every request, and `any` would double the price
        if name in lower:
            return True
    return has_suspicious_values(raw)


def has_suspicious_values(raw: bytes) -> bool:
    """The same, where no name of an attribute says that its value is a phone number. A value has a quote before it."""
    for sign in _SIGNS:
        if sign in raw:
            return True
    for first, trace in _TRACES:
        if first in raw and trace in raw:
            return True
    if (b'"0' in raw or (b"(" in raw and b'"(' in raw)) and _AT_HOME.search(raw):
        return True
    shape = raw.translate(_SHAPES, _SEPARATORS)
    return _LONG_NUMBER in shape or _BANK in shape


def _same_if_unchanged(old: Any, new: Any) -> Any:
    """`old` itself where nothing in it was replaced: what was replaced is another object."""
    if isinstance(old, dict):
        same = old.keys() == new.keys() and all(old[name] is new[name] for name in old)
    else:
        same = all(one is other for one, other in zip(old, new, strict=True))
    return old if same else new
