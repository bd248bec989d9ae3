"""OAuth 2 client credentials. A token is fetched when it is needed and kept in memory; a 401 fetches a new one."""

import hashlib
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode

import msgspec

from integrations import http
from integrations.answers import meaning
from integrations.answers.meaning import Meaning
from integrations.errors import IntegrationError, RateLimitedError, RefusedError, RetriableError, UnauthorizedError
from integrations.http import Request, Response

# a token is not used any more this long before its end, because a request has to arrive in time
EARLY_SECONDS = 30.0
# the lifetime of a token if the response does not say it
ASSUMED_SECONDS = 300.0
LONGEST_SECONDS = 86_400.0
AUTO, BODY = "auto", "body"
# what a token endpoint refuses although it knows the client (RFC 6749 § 5.2)
NOT_THE_CLIENT = frozenset({"invalid_scope", "invalid_grant", "unsupported_grant_type"})

Exchange = Callable[[Request, float], Response]


class TokenSource(Protocol):
    """A platform that issues tokens: how to ask for one, read it, and put it on a request."""

    @property
    def key(self) -> str:
        """The key of the token in a cache. It changes with the credentials and holds no secret."""

    def request(self) -> Request:
        """Return the request for a token."""

    def token(self, response: Response) -> tuple[str, float]:
        """Return the token and its lifetime (s). Raises `UnauthorizedError` or `RefusedError` if there is none."""

    def sign(self, request: Request, token: str) -> Request:
        """Return the request with the token on it."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A token endpoint of RFC 6749 § 4.4, which knows the client by basic authentication or by the body (§ 2.3.1).

    `client_auth`: `basic`, `body`, or `auto`: the first of the two that the endpoint takes.
    """

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""
    client_auth: str = AUTO

    @property
    def key(self) -> str:
        parts = msgspec.json.encode([self.token_url, self.client_id, self.client_secret, self.scope])
        return hashlib.sha256(parts).hexdigest()

    def request(self) -> Request:
        given = {"grant_type": "client_credentials"} | ({"scope": self.scope} if self.scope else {})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if self.client_auth == BODY:
            given |= {"client_id": self.client_id, "client_secret": self.client_secret}
            return Request("POST", self.token_url, headers, urlencode(given).encode())
        basic = (quote_plus(self.client_id), quote_plus(self.client_secret))
        return Request("POST", self.token_url, headers, urlencode(given).encode(), basic)

    def token(self, response: Response) -> tuple[str, float]:
        """Return the token and its lifetime (s). Errors do not quote the response, which may hold a token."""
        meant, document = meaning.meaning_of(response), response.json_object()
        if response.status in {400, 401, 403} and meant not in {Meaning.LIMITED, Meaning.WAIT}:
            raise _refusal(document.get("error") or response.status)
        if meant is not Meaning.ACCEPTED or not document:
            failure = meaning.failure(response, Meaning.UNCLEAR if meant is Meaning.ACCEPTED else meant)
            failure.args = (f"the token endpoint answers {response.status}, and no token",)
            raise failure
        token = document.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise RefusedError("the token endpoint's answer has no access_token")
        if str(document.get("token_type", "bearer")).lower() != "bearer":
            raise RefusedError("the token endpoint gives tokens of another type than bearer")
        return token, _lifetime(document.get("expires_in"))

    def otherwise(self) -> "ClientCredentials":
        """Return the same credentials, sent in the other way."""
        return replace(self, client_auth="basic" if self.client_auth == BODY else BODY)

    def sign(self, request: Request, token: str) -> Request:
        return replace(request, secret_headers={**request.secret_headers, "Authorization": f"Bearer {token}"})


class ClientRefusedError(UnauthorizedError):
    """The token endpoint does not know the client as it was told of it."""


def _refusal(reason: Any) -> UnauthorizedError:
    words = f"the token endpoint refuses us: {str(reason)[:100]}"
    return UnauthorizedError(words) if reason in NOT_THE_CLIENT else ClientRefusedError(words)


class TokenCache:
    """Keeps valid tokens, by source. If several threads need the same token, one fetches it and the others wait."""

    def __init__(self, exchange: Exchange, clock: Callable[[], float] = time.monotonic) -> None:
        self._exchange = exchange
        self._clock = clock
        self._kept: dict[str, tuple[str, float]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._ways: dict[str, TokenSource] = {}
        self._guard = threading.Lock()

    def get(self, source: TokenSource, timeout: float, *, instead_of: str | None = None) -> str:
        """Return a valid token, but never `instead_of`, which the platform did not accept.

        Blocks for `timeout` seconds at most, waiting for another thread's token included. Raises `integrations.errors`.
        """
        end = time.monotonic() + timeout
        lock = self._lock(source.key)
        if not lock.acquire(timeout=timeout):
            raise RetriableError("no token came in time")
        try:
            token, until = self._kept.get(source.key, ("", 0.0))
            if token and token != instead_of and self._clock() < until:
                return token
            token, lifetime = self._fetch(source, end)
            self._kept[source.key] = (token, self._clock() + max(lifetime - EARLY_SECONDS, lifetime / 2))
            return token
        finally:
            lock.release()

    def _fetch(self, source: TokenSource, end: float) -> tuple[str, float]:
        """Fetch a token. What way of sending the secret the endpoint took is remembered."""
        key, known = source.key, self._ways.pop(source.key, source)
        issued, used = issue(known, lambda request: self._exchange(request, _left(end)))
        if used is not source:
            self._ways[key] = used
        return issued

    def _lock(self, key: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())


_tokens = TokenCache(http.exchange)


def exchange(request: Request, source: TokenSource | None, timeout: float, tokens: TokenCache = _tokens) -> Response:
    """Send with a token of the source. If the platform does not accept it (401), send once more with a new one.

    Blocks for `timeout` seconds at most, fetching tokens included. Returns the response, whatever its status. Raises
    `integrations.errors` if no response came, or there is no token.
    """
    if source is None:
        return http.exchange(request, timeout)
    until = time.monotonic() + timeout
    token = _token(tokens, source, _left(until))
    response = http.exchange(source.sign(request, token), _left(until))
    if response.status != 401:
        return response
    token = _token(tokens, source, _left(until), instead_of=token)
    return http.exchange(source.sign(request, token), _left(until))


def issue(source: TokenSource, ask: Callable[[Request], Response]) -> tuple[tuple[str, float], TokenSource]:
    """Ask for a token; where either way of sending the secret may be right, in the second way too.

    Returns the token with its lifetime, and the source as it was asked.
    """
    try:
        return source.token(ask(source.request())), source
    except ClientRefusedError:
        if not isinstance(source, ClientCredentials) or source.client_auth != AUTO:
            raise
        other = source.otherwise()
        return other.token(ask(other.request())), other


def check(source: TokenSource, timeout: float) -> str:
    """Fetch a token, even if a valid one is kept. Returns how the secret was sent.

    Raises `integrations.errors` if the source issues none. Where it issues one for the secret sent in the other way
    than the settings say, the error says so.
    """

    def ask(request: Request) -> Response:
        return http.exchange(request, timeout)

    try:
        _, used = issue(source, ask)
        return "in the body" if isinstance(used, ClientCredentials) and used.client_auth == BODY else ""
    except ClientRefusedError as refused:
        if not isinstance(source, ClientCredentials) or source.client_auth == AUTO:
            raise
        other = source.otherwise()
        try:
            other.token(ask(other.request()))
        except IntegrationError:
            raise refused from None
        raise UnauthorizedError(f"{refused}. It issues a token with client_auth “{other.client_auth}”") from None


def _left(until: float) -> float:
    """Return the seconds left. What was sent so far has changed nothing at the platform."""
    left = until - time.monotonic()
    if left <= 0:
        raise RetriableError("no token came in time")
    return left


def _token(tokens: TokenCache, source: TokenSource, timeout: float, *, instead_of: str | None = None) -> str:
    """Return a token. Without one nothing was sent, so whatever went wrong, the platform has applied nothing."""
    try:
        return tokens.get(source, timeout, instead_of=instead_of)
    except RateLimitedError:
        raise
    except RetriableError as failure:
        raise RetriableError(f"no token: {failure}") from failure
    except IntegrationError as failure:
        raise UnauthorizedError(f"no token: {failure}") from failure


def _lifetime(given: Any) -> float:
    try:
        seconds = float(given)
    except (TypeError, ValueError, OverflowError):
        return ASSUMED_SECONDS
    return ASSUMED_SECONDS if math.isnan(seconds) else min(max(seconds, 1.0), LONGEST_SECONDS)
