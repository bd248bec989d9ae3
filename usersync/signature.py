"""Signed sync: what is signed, and whether a signature is right."""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from core.query import pairs

UNSIGNED = frozenset({"sig", "_ck"})
ALGORITHMS: Mapping[str | None, str] = {"sha1": "sha1", "sha256": "sha256"}
"""The hash for each value of the parameter `alg`."""


def canonical(method: str, path: str, parameters: Iterable[tuple[str, str]]) -> str:
    """The signed string: every parameter but `sig` and `_ck`, by RFC 3986, sorted by bytes."""
    encoded = sorted(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters if name not in UNSIGNED
    )
    return f"v1\n{method}\n{path}\n{'&'.join(encoded)}"


def sign(secret: str, text: str, algorithm: str = "sha1") -> str:
    """Lower-case hex HMAC of a canonical string."""
    return hmac.digest(secret.encode(), text.encode(), algorithm).hex()


def is_genuine(
    method: str, path: str, raw_query: bytes, signature: str, algorithm: str, secrets: Sequence[str]
) -> bool:
    """Whether any of the secrets made `signature` for this request; in constant time."""
    parameters: list[tuple[str, str]] = []
    for name, value in pairs(raw_query):
        if name is None or value is None:
            return False
        parameters.append((name, value))
    text = canonical(method, path, parameters)
    given = signature.encode()
    verdicts = [hmac.compare_digest(given, sign(secret, text, algorithm).encode()) for secret in secrets]
    return any(verdicts)
