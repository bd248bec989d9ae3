"""The database goes away, and comes back."""

import time
from collections.abc import Iterator

import pytest

from tests.support.database_proxy import Proxy
from tests.support.edge_client import Reply
from tests.support.edge_process import TOKEN_PLATFORM, TOKENS, EdgeProcess, until

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
SYNC: dict[str, object] = {"userid": "abc", "pl": TOKEN_PLATFORM, "plsec": TOKENS[0]}


pytestmark = pytest.mark.usefixtures("house")


@pytest.fixture
def wire(database_url: str) -> Iterator[Proxy]:
    with Proxy(database_url) as proxy:
        yield proxy


@pytest.fixture
def distant(wire: Proxy) -> Iterator[EdgeProcess]:
    """An edge that reaches its database over the wire."""
    with EdgeProcess(wire.url) as process:
        until(process.ready)
        yield process


def _sync(process: EdgeProcess) -> Reply:
    return process.client.get("/uid", SYNC, cookie=USER)


def _check_unavailable(reply: Reply) -> None:
    assert (reply.status, reply.name, reply.headers["retry-after"]) == (503, "unavailable", "1")
    assert reply.cookie is None


def test_edge__database_away__is_unavailable_at_once_and_recovers(wire: Proxy, distant: EdgeProcess) -> None:
    wire.cut()
    until(lambda: _sync(distant).status == 503)
    for _ in range(5):
        began = time.monotonic()
        _check_unavailable(_sync(distant))
        assert time.monotonic() - began < 0.5
    until(lambda: not distant.ready())
    assert distant.client.get("/healthz").status == 200

    wire.mend()
    mended = time.monotonic()
    until(lambda: _sync(distant).name == "stored")
    assert time.monotonic() - mended < 3
    until(distant.ready)


def test_edge__database_silent__is_unavailable_within_the_bound_and_recovers(wire: Proxy, distant: EdgeProcess) -> None:
    wire.freeze()
    began = time.monotonic()
    _check_unavailable(_sync(distant))
    assert time.monotonic() - began < 2.8
    until(lambda: not distant.ready())

    wire.thaw()
    wire.cut()  # as an operating system ends connections that were silent for long
    wire.mend()
    until(lambda: _sync(distant).name == "stored")
    until(distant.ready)


def test_edge__started_before_its_database__serves_once_that_is_there(database_url: str) -> None:
    with Proxy(database_url) as wire:
        wire.cut()
        with EdgeProcess(wire.url) as process:
            _check_unavailable(_sync(process))
            wire.mend()
            until(lambda: _sync(process).name == "stored")
