"""The one way out: guarded, bounded, and plain about what went wrong."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations import http
from integrations.answers.waiting import MAX_WAIT_SECONDS, retry_after
from integrations.errors import (
    IntegrationError,
    MisconfiguredError,
    RateLimitedError,
    RefusedError,
    RequestTooLargeError,
    RetriableError,
    UnansweredError,
    UnauthorizedError,
)
from integrations.http import MAX_BYTES, Request
from tests.support.edge_process import free_port
from tests.support.listening import accepted

Answer = Callable[[socket.socket], None]


@pytest.fixture
def private_targets(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.ALLOW_PRIVATE_TARGETS = True
    monkeypatch.setattr(http, "_local", threading.local())
    return settings


class Peer:
    """Answers every connection by `answer(socket)`; `requests` holds what came in."""

    def __init__(self) -> None:
        self.answer: Answer = plain(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for connection in accepted(self._listener):
            with connection:
                self.requests.append(connection.recv(65_536))
                try:
                    self.answer(connection)
                except OSError:
                    continue

    def close(self) -> None:
        self._listener.close()


def plain(text: bytes) -> Answer:
    return lambda connection: connection.sendall(text)


def status(code: int, headers: str = "") -> Answer:
    return plain(f"HTTP/1.1 {code} X\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())


@pytest.fixture
def peer(private_targets: Any) -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (301, MisconfiguredError),
        (400, RefusedError),
        (404, RefusedError),
        (401, UnauthorizedError),
        (403, UnauthorizedError),
        (413, RequestTooLargeError),
        (408, RetriableError),
        (429, RateLimitedError),
        (500, RetriableError),
        (503, RetriableError),
    ],
)
def test_status__becomes_the_error_that_says_what_to_do(peer: Peer, code: int, error: type[IntegrationError]) -> None:
    peer.answer = status(code, f"Location: {peer.url}elsewhere\r\n")
    with pytest.raises(error) as raised:
        http.send(Request("POST", peer.url), 2)
    assert type(raised.value) is error
    assert len(peer.requests) == 1


@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
def test_retry_after__is_read_however_it_is_written(peer: Peer, name: str) -> None:
    peer.answer = status(429, f"{name}: 7\r\n")
    with pytest.raises(RateLimitedError) as raised:
        http.send(Request("GET", peer.url), 2)
    assert raised.value.retry_after == 7


@given(st.one_of(st.text(), st.floats().map(str), st.integers().map(str), st.datetimes().map(str)))
def test_retry_after__whatever_it_says__is_a_bounded_wait_or_none(value: str) -> None:
    wait = retry_after(value)
    assert wait is None or 0 <= wait <= MAX_WAIT_SECONDS


def test_retry_after__as_a_date__is_the_time_until_then() -> None:
    then = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 90))
    assert 85 < (retry_after(then) or 0) <= 90
    assert retry_after("Thu, 01 Jan 1970 00:00:00 GMT") == 0


def test_answer_that_trickles__is_not_waited_for_for_ever(peer: Peer) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)

    peer.answer = trickle
    began = time.monotonic()
    with pytest.raises(UnansweredError):
        http.send(Request("GET", peer.url), 0.5)
    assert time.monotonic() - began < 2


def test_answer_without_end__is_capped(peer: Peer) -> None:
    peer.answer = plain(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (2 * MAX_BYTES))
    assert len(http.send(Request("GET", peer.url), 5).body) == MAX_BYTES


def test_compressed_answer__is_read(peer: Peer) -> None:
    packed = gzip.compress(b'{"segment_id": 1}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    peer.answer = plain(head.encode() + packed)
    assert http.send(Request("GET", peer.url), 2).body == b'{"segment_id": 1}'


def test_chunked_answer__is_read_as_a_whole(peer: Peer) -> None:
    peer.answer = plain(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")
    assert http.send(Request("GET", peer.url), 2).body == b"abcde"


def test_no_answer__may_have_been_applied(peer: Peer) -> None:
    peer.answer = lambda _: None
    with pytest.raises(UnansweredError):
        http.send(Request("POST", peer.url), 2)
    assert len(peer.requests) == 1  # and is not sent again by the way out itself

    peer.answer = lambda _: time.sleep(2)
    with pytest.raises(UnansweredError):
        http.send(Request("POST", peer.url), 0.3)


def test_nobody_there__was_not_applied(private_targets: Any) -> None:
    with pytest.raises(RetriableError) as raised:
        http.send(Request("POST", f"http://127.0.0.1:{free_port()}/"), 2)
    assert not isinstance(raised.value, UnansweredError)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://[::1]:1/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0.0.0.0:1/",
        "http://[::ffff:127.0.0.1]:1/",
        "http://2130706433/",
    ],
)
def test_private_address__is_refused(url: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ALLOW_PRIVATE_TARGETS = False
    monkeypatch.setattr(http, "_local", threading.local())
    with pytest.raises(MisconfiguredError, match="private network"):
        http.send(Request("GET", url), 2)


def test_request__says_nothing_of_its_secrets() -> None:
    request = Request(
        "GET", "http://x/", basic=("user", "hidden"), secret_headers={"X": "hidden"}, secret_query={"k": "hidden"}
    )
    assert "hidden" not in repr(request)


@pytest.mark.parametrize(
    "request_",
    [
        *(Request("GET", "", {name: "x"}) for name in ("host", "Content-Length", "Authorization", "Cookie", "Ho st")),
        *(Request("GET", "", secret_headers={name: "x"}) for name in ("HOST", "Transfer-Encoding", "Proxy-Connection")),
    ],
    ids=str,
)
def test_header_that_no_connector_may_set__is_not_sent(request_: Request, peer: Peer) -> None:
    with pytest.raises(MisconfiguredError, match="header"):
        http.send(replace(request_, url=peer.url), 5)
    assert peer.requests == []


def test_headers_of_a_connector__are_sent(peer: Peer) -> None:
    http.send(Request("GET", peer.url, {"X-Kind": "a"}, secret_headers={"Authorization": "Bearer t"}), 5)
    assert b"X-Kind: a\r\n" in peer.requests[0]
    assert b"Authorization: Bearer t\r\n" in peer.requests[0]
