"""API keys: a prefix finds the key, its SHA-256 proves it. The edge checks keys on requests, so no Django here."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest

from core.access import RIGHTS, Right, Role
from core.client_address import Network, is_within
from core.errors import InvalidKeyError, OtherCustomerError, ReadOnlyKeyError, RefusedAddressError

WRITERS = frozenset(role.value for role in Role if Right.CHANGE in RIGHTS[role])
"""The roles that may change a customer's data."""


def digest(key: str) -> str:
    """Returns what is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_secret(prefix: str) -> str:
    """Returns a new key with this prefix: 256 random bits."""
    return f"{prefix}.{secrets.token_urlsafe(32)}"


_NONE = digest("")


@dataclass(frozen=True, slots=True)
class Key:
    """`customer`: the only one whose data it may write; None: every customer's. `allowed`: empty means everywhere.

    `previous`: the digest of the secret before, valid until `previous_until`.
    """

    digest: str
    role: str
    customer: int | None
    expires_at: datetime | None = None
    allowed: tuple[Network, ...] = ()
    previous: str = ""
    previous_until: datetime | None = None

    def is_proven_by(self, text: str, now: datetime) -> bool:
        """Tell whether this is the key as it was shown, and still valid. Takes the same time whatever is wrong."""
        given = digest(text)
        is_present = compare_digest(given, self.digest)
        is_previous = compare_digest(given, self.previous or _NONE)
        is_known = is_present or (is_previous and self.previous_until is not None and now < self.previous_until)
        return is_known and (self.expires_at is None or now < self.expires_at)

    def allows(self, address: str) -> bool:
        return not self.allowed or is_within(address, self.allowed)


NOBODY = Key(_NONE, "", None)


def prefix_of(text: str) -> str:
    """Returns the part of a key that finds it."""
    return text.partition(".")[0]


def prefix_in(authorization: bytes) -> str:
    """Returns the prefix of the key in a header."""
    return prefix_of(authorization.decode("latin-1").partition(" ")[2].strip())


def check_writer(
    authorization: bytes, keys: Mapping[str, Key], customer: int | None, address: str, now: datetime
) -> None:
    """Raises an InputError unless the header's key may write the customer's data, from this address and now."""
    key = _holder(authorization, keys, now)
    if key is None:
        raise InvalidKeyError
    if not key.allows(address):
        raise RefusedAddressError
    if key.customer is not None and key.customer != customer:
        raise OtherCustomerError
    if key.role not in WRITERS:
        raise ReadOnlyKeyError


def _holder(authorization: bytes, keys: Mapping[str, Key], now: datetime) -> Key | None:
    scheme, _, rest = authorization.decode("latin-1").partition(" ")
    text = rest.strip()
    known = keys.get(prefix_of(text), NOBODY)
    proven = known.is_proven_by(text, now)
    return known if scheme.lower() == "bearer" and proven and known is not NOBODY else None
