"""A token endpoint: OAuth 2 client credentials (RFC 6749 § 4.4), the client named by basic authentication."""

import secrets
import time
from urllib.parse import parse_qs

from sandbox.exchange import Answer, RefusedError, Request, json_answer, method_refused
from sandbox.parties import Action

LIFETIME_SECONDS = 3600
FORM = "application/x-www-form-urlencoded"
CHALLENGE = ((b"www-authenticate", b'Bearer error="invalid_token"'),)


class Tokens:
    """Tokens that were given out, and to whom."""

    def __init__(self) -> None:
        self._given: dict[str, tuple[str, float]] = {}

    def account(self, token: str) -> str:
        """Whose it is; Refused (401) where it is nobody's, or has run out."""
        account, until = self._given.get(token, ("", 0.0))
        if time.monotonic() >= until:
            raise RefusedError(401, "the token is not known, or has run out", headers=CHALLENGE)
        return account

    def prepare(self, account: str, request: Request) -> Action:
        if request.method != "POST":
            raise method_refused("POST")
        if request.headers.get("content-type", "").partition(";")[0].strip() != FORM:
            raise RefusedError(400, f"Content-Type is not {FORM}")
        given = parse_qs(request.body.decode("utf-8", "replace"))
        if given.get("grant_type") != ["client_credentials"] or given.keys() - {"grant_type", "scope"}:
            raise RefusedError(400, "grant_type must be client_credentials, beside it only scope")
        return Action(lambda _: False, lambda: self._give(account))

    def _give(self, account: str) -> Answer:
        token = secrets.token_urlsafe(24)
        self._given[token] = account, time.monotonic() + LIFETIME_SECONDS
        return json_answer({"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_SECONDS})
