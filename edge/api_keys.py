"""API keys at the edge: a prefix finds the key, its SHA-256 proves it; the database is not asked."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from psycopg import AsyncConnection

from edge import answers
from edge.answers import Refused
from edge.snapshot import Section

WRITERS = frozenset({"admin", "marketer"})
"""The roles that may change a customer's data."""


@dataclass(frozen=True, slots=True)
class Key:
    """`customer`: the only one whose data it may write; None: every customer's."""

    digest: str
    role: str
    customer: int | None


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


NOBODY = Key(digest(""), "", None)


def check_writer(authorization: bytes, keys: Mapping[str, Key], customer: int | None) -> None:
    """Raises Refused where the header holds no key that may write this customer's data."""
    key = _holder(authorization, keys)
    if key is None:
        raise Refused(answers.BAD_KEY)
    if key.customer is not None and key.customer != customer:
        raise answers.forbidden("other-customer", "this API key belongs to another customer")
    if key.role not in WRITERS:
        raise answers.forbidden("read-only", "this API key may not write")


def _holder(authorization: bytes, keys: Mapping[str, Key]) -> Key | None:
    scheme, _, rest = authorization.decode("latin-1").partition(" ")
    text = rest.strip()
    known = keys.get(text.partition(".")[0], NOBODY)
    proven = compare_digest(digest(text), known.digest)
    return known if scheme.lower() == "bearer" and proven and known is not NOBODY else None


async def _load(connection: AsyncConnection[Any]) -> Mapping[str, Key]:
    cursor = await connection.execute("SELECT prefix, digest, role, customer_id FROM api_key WHERE revoked_at IS NULL")
    return {prefix: Key(*rest) for prefix, *rest in await cursor.fetchall()}


API_KEYS = Section("API keys", _load)
