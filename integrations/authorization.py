"""OAuth 2 client credentials: a token is fetched when it is needed, kept in memory, and fetched anew on a 401."""

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

# a token is given up so long before its end: what is sent with it has to arrive in time
EARLY_SECONDS = 30.0
# of a token whose answer does not say how long it lives
ASSUMED_SECONDS = 300.0
LONGEST_SECONDS = 86_400.0

Exchange = Callable[[Request, float], Response]


class TokenSource(Protocol):
    """A platform that gives out tokens (OAuth 2 client credentials): how one is asked for, read, and shown."""

    @property
    def key(self) -> str:
        """Names the token in a cache: of one source, and changed with its credentials. Holds no secret."""

    def request(self) -> Request:
        """What asks for a token."""

    def token(self, response: Response) -> tuple[str, float]:
        """The token and its lifetime in seconds. Raises `UnauthorizedError` or `RefusedError` where there is none."""

    def sign(self, request: Request, token: str) -> Request:
        """The request with the token on it."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A token endpoint of RFC 6749 § 4.4; the client names itself by basic authentication (§ 2.3.1)."""

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
        """The token and its lifetime (s). The answer is not quoted in errors: it may hold a token."""
        document = _document(response)
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


class Tokens:
    """Tokens by source, as long as they hold. Threads that need the same one wait for one of them to fetch it."""

    def __init__(self, exchange: Exchange, clock: Callable[[], float] = time.monotonic) -> None:
        self._exchange = exchange
        self._clock = clock
        self._kept: dict[str, tuple[str, float]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def of(self, source: TokenSource, timeout: float, *, instead_of: str | None = None) -> str:
        """A token that holds; never `instead_of`, which the platform did not accept. Raises `integrations.errors`."""
        with self._lock(source.key):
            token, until = self._kept.get(source.key, ("", 0.0))
            if token and token != instead_of and self._clock() < until:
                return token
            token, lifetime = source.token(self._exchange(source.request(), timeout))
            self._kept[source.key] = (token, self._clock() + max(lifetime - EARLY_SECONDS, lifetime / 2))
            return token

    def _lock(self, key: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())


_tokens = Tokens(http.exchange)


def exchange(request: Request, source: TokenSource | None, timeout: float, tokens: Tokens = _tokens) -> Response:
    """Send with the source's token, and once more with a new one where the platform does not accept it (401).

    All of it, fetching tokens included, takes `timeout` seconds at most. Answers whatever came back; raises
    `integrations.errors` where nothing did, or where there is no token.
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
    """Fetch a token, whatever is kept. Raises `integrations.errors` where there is none."""
    source.token(http.exchange(source.request(), timeout))


def _left(until: float) -> float:
    """Seconds; what has been sent so far changed nothing at the platform."""
    left = until - time.monotonic()
    if left <= 0:
        raise RetriableError("no token came in time")
    return left


def _token(tokens: Tokens, source: TokenSource, timeout: float, *, instead_of: str | None = None) -> str:
    """Without a token nothing was sent: whatever went wrong, the platform has applied nothing."""
    try:
        return tokens.of(source, timeout, instead_of=instead_of)
    except RateLimitedError:
        raise
    except RetriableError as failure:
        raise RetriableError(f"no token: {failure}") from failure
    except IntegrationError as failure:
        raise UnauthorizedError(f"no token: {failure}") from failure


def _document(response: Response) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(response.body)
    except msgspec.DecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _lifetime(given: Any) -> float:
    try:
        seconds = float(given)
    except (TypeError, ValueError, OverflowError):
        return ASSUMED_SECONDS
    return ASSUMED_SECONDS if math.isnan(seconds) else min(max(seconds, 1.0), LONGEST_SECONDS)
