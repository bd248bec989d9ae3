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
from integrations.errors import IntegrationError, RateLimitedError, RefusedError, RetriableError, UnauthorizedError
from integrations.http import Request, Response

# a token is not used any more this long before its end, because a request has to arrive in time
EARLY_SECONDS = 30.0
# the lifetime of a token if the response does not say it
ASSUMED_SECONDS = 300.0
LONGEST_SECONDS = 86_400.0

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
    """A token endpoint of RFC 6749 § 4.4. The client authenticates itself by basic authentication (§ 2.3.1)."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""

    @property
    def key(self) -> str:
        parts = msgspec.json.encode([self.token_url, self.client_id, self.client_secret, self.scope])
        return hashlib.sha256(parts).hexdigest()

    def request(self) -> Request:
        given = {"grant_type": "client_credentials"} | ({"scope": self.scope} if self.scope else {})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        basic = (quote_plus(self.client_id), quote_plus(self.client_secret))
        return Request("POST", self.token_url, headers, urlencode(given).encode(), basic)

    def token(self, response: Response) -> tuple[str, float]:
        """Return the token and its lifetime (s). Errors do not quote the response, which may hold a token."""
        document = response.json_object()
        if response.status in {400, 401, 403}:
            reason = document.get("error")
            raise UnauthorizedError(
                f"the token endpoint refuses us: {str(reason)[:100] if reason else response.status}"
            )
        if not 200 <= response.status < 300:
            failure = http.failure(response)
            failure.args = (f"the token endpoint answers {response.status}",)
            raise failure
        token = document.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise RefusedError("the token endpoint's answer has no access_token")
        if str(document.get("token_type", "bearer")).lower() != "bearer":
            raise RefusedError("the token endpoint gives tokens of another type than bearer")
        return token, _lifetime(document.get("expires_in"))

    def sign(self, request: Request, token: str) -> Request:
        return replace(request, secret_headers={**request.secret_headers, "Authorization": f"Bearer {token}"})


class TokenCache:
    """Keeps valid tokens, by source. If several threads need the same token, one fetches it and the others wait."""

    def __init__(self, exchange: Exchange, clock: Callable[[], float] = time.monotonic) -> None:
        self._exchange = exchange
        self._clock = clock
        self._kept: dict[str, tuple[str, float]] = {}
        self._locks: dict[str, threading.Lock] = {}
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
            token, lifetime = source.token(self._exchange(source.request(), _left(end)))
            self._kept[source.key] = (token, self._clock() + max(lifetime - EARLY_SECONDS, lifetime / 2))
            return token
        finally:
            lock.release()

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


def check(source: TokenSource, timeout: float) -> None:
    """Fetch a token, even if a valid one is kept. Raises `integrations.errors` if the source issues none."""
    source.token(http.exchange(source.request(), timeout))


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
