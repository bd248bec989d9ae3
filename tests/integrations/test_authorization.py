"""OAuth 2 client credentials: fetched when needed, kept while they hold, fetched anew where they are not accepted."""

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from integrations import authorization, http
from integrations.authorization import ClientCredentials, TokenCache
from integrations.errors import (
    RateLimitedError,
    RefusedError,
    RetriableError,
    UnauthorizedError,
    UnclearAnswerError,
)
from integrations.http import Request, Response
from tests.activation.conftest import private_targets
from tests.sandbox.conftest import running_sandbox, sandbox
from tests.support.sandbox_process import SandboxProcess

__all__ = ["private_targets", "running_sandbox", "sandbox"]

SOURCE = ClientCredentials("https://x.example/token", "hub é", "s3:cret", "push")


class Endpoint:
    """Gives out `t1`, `t2`, …; counts how often it was asked."""

    def __init__(self, lifetime: object = 100) -> None:
        self.asked, self.lifetime = 0, lifetime
        self.now = 0.0

    def __call__(self, request: Request, timeout: float) -> Response:
        self.asked += 1
        body = {"access_token": f"t{self.asked}", "token_type": "bearer", "expires_in": self.lifetime, "more": [1]}
        return Response(200, {}, msgspec.json.encode(body))

    def tokens(self) -> TokenCache:
        return TokenCache(self, lambda: self.now)


def test_request__is_a_form_with_basic_authentication() -> None:
    request = SOURCE.request()
    assert (request.method, request.url, request.body) == (
        "POST",
        "https://x.example/token",
        b"grant_type=client_credentials&scope=push",
    )
    assert request.basic == ("hub+%C3%A9", "s3%3Acret")
    assert "s3" not in repr(request) + repr(SOURCE)


def test_token__is_kept_until_shortly_before_its_end() -> None:
    endpoint = Endpoint(lifetime=100)
    tokens = endpoint.tokens()
    found = []
    for endpoint.now in (0.0, 69.0, 71.0):
        found.append(tokens.get(SOURCE, 1.0))
    assert found == ["t1", "t1", "t2"]


def test_changed_secret__is_another_source() -> None:
    endpoint = Endpoint()
    tokens = endpoint.tokens()
    tokens.get(SOURCE, 1.0)
    tokens.get(ClientCredentials(SOURCE.token_url, SOURCE.client_id, "other"), 1.0)
    assert endpoint.asked == 2


def test_many_threads__fetch_one_token() -> None:
    endpoint = Endpoint()
    tokens = endpoint.tokens()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: tokens.get(SOURCE, 1.0), range(50))) == {"t1"}


@pytest.mark.parametrize("lifetime", [None, "soon", [], -5, float("1e400")])
def test_lifetime__that_says_nothing_is_taken_as_short(lifetime: object) -> None:
    body = msgspec.json.encode({"access_token": "t", "expires_in": lifetime})
    _, seconds = SOURCE.token(Response(200, {}, body))
    assert 0 < seconds <= authorization.LONGEST_SECONDS


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(401, {}, b'{"error": "invalid_client"}'), UnauthorizedError),
        (Response(400, {}, b"[]"), UnauthorizedError),
        (Response(503, {}, b""), RetriableError),
        (Response(429, {"retry-after": "7"}, b""), RateLimitedError),
        (Response(200, {}, b"<html>"), UnclearAnswerError),
        (Response(200, {}, b'{"access_token": "a\\nb"}'), RefusedError),
        (Response(200, {}, b'{"access_token": "t", "token_type": "mac"}'), RefusedError),
    ],
)
def test_answer__without_a_token_says_what_to_do(response: Response, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        SOURCE.token(response)


# ── at the sandbox ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def source(sandbox: SandboxProcess, private_targets: Any) -> Callable[[str], ClientCredentials]:
    return lambda secret: ClientCredentials(f"{sandbox.url}/generic/token", "a", secret)


def create(sandbox: SandboxProcess) -> Request:
    return Request("POST", f"{sandbox.segments_url}?title=x")


def test_sandbox__accepts_its_tokens(sandbox: SandboxProcess, source: Callable[[str], ClientCredentials]) -> None:
    tokens = TokenCache(http.exchange)
    assert authorization.exchange(create(sandbox), source("a-secret"), 5.0, tokens).status == 200
    basic = base64.b64encode(b"a:a-secret").decode()
    assert basic not in repr(tokens.get(source("a-secret"), 5.0))


def test_token_that_is_not_accepted__is_fetched_anew_once(
    sandbox: SandboxProcess, source: Callable[[str], ClientCredentials]
) -> None:
    tokens = TokenCache(http.exchange)
    authorization.exchange(create(sandbox), source("a-secret"), 5.0, tokens)
    first = tokens.get(source("a-secret"), 5.0)
    sandbox.reset()  # also forgets which tokens it gave out
    assert authorization.exchange(create(sandbox), source("a-secret"), 5.0, tokens).status == 200
    assert tokens.get(source("a-secret"), 5.0) != first


def test_wrong_secret__needs_a_person(sandbox: SandboxProcess, source: Callable[[str], ClientCredentials]) -> None:
    with pytest.raises(UnauthorizedError):
        authorization.exchange(create(sandbox), source("wrong"), 5.0, TokenCache(http.exchange))
    with pytest.raises(UnauthorizedError):
        authorization.check(source("wrong"), 5.0)
