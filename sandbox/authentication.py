"""Who sends a request: account names with their secrets, basic authentication, and OAuth 2 tokens.

The secret of every account is `<account>-secret`. Secrets are compared in constant time.
"""

import base64
import binascii
import hmac
import secrets
import time
from urllib.parse import parse_qs

from sandbox.exchange import RejectedError, SandboxRequest, SandboxResponse, json_response, method_not_allowed
from sandbox.parties import ACCOUNT_NAME, Action

BASIC_CHALLENGE = ((b"www-authenticate", b'Basic realm="sandbox"'),)
BEARER_CHALLENGE = ((b"www-authenticate", b'Bearer error="invalid_token"'),)
TOKEN_LIFETIME_SECONDS = 3600
FORM = "application/x-www-form-urlencoded"


def secret_of(account: str) -> str:
    return f"{account}-secret"


def is_secret_of(account: str, given: str) -> bool:
    """Whether `account` is a valid name and `given` is its secret."""
    expected = secret_of(account).encode(errors="surrogateescape")
    matches = hmac.compare_digest(given.encode(errors="surrogateescape"), expected)
    return matches and ACCOUNT_NAME.fullmatch(account) is not None


def basic_account(header: str) -> str:
    """Return the account of a basic `Authorization` header. Raises `RejectedError` (401) if there is none."""
    account, password = basic_credentials(header)
    if not is_secret_of(account, password):
        raise RejectedError(401, "basic authentication with <account>:<account>-secret", headers=BASIC_CHALLENGE)
    return account


def basic_credentials(header: str) -> tuple[str, str]:
    """Return user name and password of a basic `Authorization` header; empty if it cannot be read."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


class IssuedTokens:
    """A token endpoint: OAuth 2 client credentials (RFC 6749 § 4.4), with basic authentication of the client."""

    def __init__(self) -> None:
        self._issued: dict[str, tuple[str, float]] = {}

    def account(self, token: str) -> str:
        """Return the account of a token. Raises `RejectedError` (401) if the token is unknown or has expired."""
        account, until = self._issued.get(token, ("", 0.0))
        if time.monotonic() >= until:
            raise RejectedError(401, "the token is not known, or has run out", headers=BEARER_CHALLENGE)
        return account

    def prepare(self, account: str, request: SandboxRequest) -> Action:
        """Check a request for a token."""
        if request.method != "POST":
            raise method_not_allowed("POST")
        if request.headers.get("content-type", "").partition(";")[0].strip() != FORM:
            raise RejectedError(400, f"Content-Type is not {FORM}")
        given = parse_qs(request.body.decode("utf-8", "replace"))
        if given.get("grant_type") != ["client_credentials"] or given.keys() - {"grant_type", "scope"}:
            raise RejectedError(400, "grant_type must be client_credentials, beside it only scope")
        return Action.without_users(lambda: self.issue(account))

    def issue(self, account: str) -> SandboxResponse:
        """Return the answer with a new token of the account."""
        token = secrets.token_urlsafe(24)
        self._issued[token] = account, time.monotonic() + TOKEN_LIFETIME_SECONDS
        return json_response({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_LIFETIME_SECONDS})
