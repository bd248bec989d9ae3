"""How a platform proves that a request to `/uid` is its own: by a token, or by a signature. Signed pixels use the same.

Nothing here may log or quote a secret, and nothing imports Django: the edge uses this module on every sync.
"""

import hashlib
import hmac
import logging
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from cryptography.fernet import InvalidToken

from core.errors import InputError, InvalidParameterError
from core.keys import KeyRing
from core.patterns import whole
from core.query import Parameters, QueryString, pairs

logger = logging.getLogger(__name__)

CLOCK_SECONDS = 300
"""How far `ts` may be from now."""

UNSIGNED = frozenset({"sig", "_ck"})
ALGORITHMS: Mapping[str | None, str] = {"sha1": "sha1", "sha256": "sha256"}
"""The hash for each value of the parameter `alg`."""

_TIMESTAMP = whole(r"[0-9]{1,12}+")


class WrongTokenError(InputError):
    """The platform's token is wrong or missing."""

    def __init__(self) -> None:
        super().__init__("plsec is wrong or missing")


class WrongSignatureError(InputError):
    """The signature is wrong or missing."""

    def __init__(self) -> None:
        super().__init__("sig or ts is wrong or missing")


class ExpiredSignatureError(InputError):
    """The signature is genuine, but was made too long ago or too far ahead."""

    def __init__(self) -> None:
        super().__init__("ts is too far from now")


def check_token(values: Parameters, secrets: Sequence[str]) -> None:
    """Check `plsec` or `plcsec`. Raises WrongTokenError, or InvalidParameterError if both are given."""
    if "plsec" in values and "plcsec" in values:
        raise InvalidParameterError("plsec")
    given = (values.get("plsec") or values.get("plcsec") or "").encode()
    verdicts = [hmac.compare_digest(given, secret.encode()) for secret in secrets]
    if not any(verdicts):
        raise WrongTokenError


def check_signature(method: str, path: str, query: QueryString, secrets: Sequence[str], now: int) -> None:
    """Check `sig`, `ts` and `alg`; `now` is in unix seconds.

    Raises WrongSignatureError, ExpiredSignatureError, or InvalidParameterError for an unknown `alg`.
    """
    values = query.values
    moment, signature = values.get("ts") or "", values.get("sig") or ""
    algorithm = ALGORITHMS.get(values.get("alg", "sha1"))
    if algorithm is None:
        raise InvalidParameterError("alg")
    if not _TIMESTAMP(moment) or not is_genuine(method, path, query.raw, signature, algorithm, secrets):
        raise WrongSignatureError
    if abs(now - int(moment)) > CLOCK_SECONDS:
        raise ExpiredSignatureError


def string_to_sign(method: str, path: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Returns the signed string: every parameter but `sig` and `_ck`, encoded by RFC 3986, sorted by bytes."""
    encoded = sorted(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters if name not in UNSIGNED
    )
    return f"v1\n{method}\n{path}\n{'&'.join(encoded)}"


def sign(secret: str, text: str, algorithm: str = "sha1") -> str:
    """Returns the HMAC of a string to sign, in lower-case hex."""
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
    text = string_to_sign(method, path, parameters)
    given = signature.encode()
    verdicts = [hmac.compare_digest(given, sign(secret, text, algorithm).encode()) for secret in secrets]
    return any(verdicts)


def check_body(values: Parameters, body: bytes) -> None:
    """Check that the signed query names the body: its SHA-256 in hex, as `body_sha256`. Raises WrongSignatureError."""
    given = (values.get("body_sha256") or "").encode()
    if not hmac.compare_digest(given, hashlib.sha256(body).hexdigest().encode()):
        raise WrongSignatureError


class SyncSecrets:
    """Decrypts the stored sync secrets; each sealed value once, however often the configuration is loaded."""

    def __init__(self, keys: KeyRing, of: str = "platform") -> None:
        """`of`: whose secrets these are, for the log."""
        self._keys = keys
        self._of = of
        self._opened: dict[bytes, tuple[str, ...]] = {}

    def open_all(self, sealed: Mapping[int, bytes]) -> dict[int, tuple[str, ...]]:
        """Returns the secrets by `pl`, newest first; none for a platform whose secrets cannot be read."""
        self._opened |= {value: self._open(pl, value) for pl, value in sealed.items()}  # often of some customers only
        return {pl: self._opened[value] for pl, value in sealed.items()}

    def _open(self, pl: int, sealed: bytes) -> tuple[str, ...]:
        known = self._opened.get(sealed)
        if known is not None:
            return known
        try:
            return tuple(str(secret) for secret in self._keys.open(sealed) or () if secret)
        except (InvalidToken, ValueError, TypeError):
            logger.exception("the secrets of %s %s cannot be read: its requests are refused", self._of, pl)
            return ()
