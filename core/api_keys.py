"""API keys: a prefix finds the key, its SHA-256 proves it. The edge checks keys on requests, so no Django here."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest

from core.access import RIGHTS, Right, Role
from core.errors import InvalidKeyError, OtherCustomerError, ReadOnlyKeyError

WRITERS = frozenset(role.value for role in Role if Right.CHANGE in RIGHTS[role])
"""The roles that may change a customer's data."""


@dataclass(frozen=True, slots=True)
class Key:
    """`customer`: the only one whose data it may write; None: every customer's."""

    digest: str
    role: str
    customer: int | None


def digest(key: str) -> str:
    """Returns what is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


NOBODY = Key(digest(""), "", None)


def check_writer(authorization: bytes, keys: Mapping[str, Key], customer: int | None) -> None:
    """Raises InvalidKeyError, OtherCustomerError or ReadOnlyKeyError unless the header's key may write the data."""
    key = _holder(authorization, keys)
    if key is None:
        raise InvalidKeyError
    if key.customer is not None and key.customer != customer:
        raise OtherCustomerError
    if key.role not in WRITERS:
        raise ReadOnlyKeyError


def _holder(authorization: bytes, keys: Mapping[str, Key]) -> Key | None:
    scheme, _, rest = authorization.decode("latin-1").partition(" ")
    text = rest.strip()
    known = keys.get(text.partition(".")[0], NOBODY)
    proven = compare_digest(digest(text), known.digest)
    return known if scheme.lower() == "bearer" and proven and known is not NOBODY else None
