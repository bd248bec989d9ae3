"""A WSGI application whose requests wait for their bodies outside of its threads."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest

from core.wsgi import buffered as buffered_wsgi
from core.wsgi import incoming_body
from core.wsgi.buffered import IN_MEMORY, BufferedWsgi

UNCHECKED, SMALL = 100, 4_000
KEY = {"key": "one"}
LONG = b"abc\n" * 2_000


class Scope:
    http_version, server, client, scheme, method = "1.1", "127.0.0.1:80", "[::1]:1234", "http", "POST"
    path, query_string = "/a b/%41", "c=%20"
    authority: str | None = None

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers


class Protocol:
    """Sends the parts; then the body is over, or never ends."""

    def __init__(self, parts: Iterable[bytes], *, ends: bool = True) -> None:
        self._parts, self._ends = list(parts), ends
        self.status, self.body = 0, b""
        self.takes = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part
        if not self._ends:
            await asyncio.Event().wait()

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.body = status, body

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> "Protocol":
        self.status = status
        return self

    async def send_bytes(self, data: bytes) -> None:
        if not self.takes:
            await asyncio.Event().wait()
        self.body += data


def responded(application: Callable[..., Any], headers: dict[str, str], protocol: Protocol) -> tuple[int, bytes]:
    asyncio.run(BufferedWsgi(application, 1, caller_of).__rsgi__(Scope(headers), protocol))
    return protocol.status, protocol.body


def caller_of(environ: dict[str, Any]) -> str:
    return str(environ.get("HTTP_KEY", ""))


def echo(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    start("201 Created", [])
    return [environ["PATH_INFO"].encode(), environ["REMOTE_ADDR"].encode(), environ["wsgi.input"].read()]


def never(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    raise AssertionError("it was called")


def lines(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    start("200 OK", [])
    source = environ["wsgi.input"]
    first = source.read(2) + source.readline() + source.readline(2) + source.readline()
    return [first, b"%d" % sum(1 for _ in source)]


@pytest.fixture(autouse=True)
def _long_bodies_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffered_wsgi, "SMALL_BODY", SMALL)
    monkeypatch.setattr(buffered_wsgi, "UNCHECKED_BODY", UNCHECKED)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming_body, "SECONDS", 0.05)


def test_small_body__is_there_as_a_whole() -> None:
    assert responded(echo, {"content-length": "4"}, Protocol([b"ab", b"cd"])) == (201, b"/a b/%41::1abcd")
    assert responded(echo, {}, Protocol([b"ab"], ends=False)) == (201, b"/a b/%41::1")


@pytest.mark.parametrize("headers", [{"content-length": str(len(LONG))}, {"transfer-encoding": "chunked"}])
def test_upload__is_read_as_it_arrives(headers: dict[str, str]) -> None:
    parts = [LONG[start : start + 1_001] for start in range(0, len(LONG), 1_001)]
    assert responded(lines, headers | KEY, Protocol(parts)) == (200, b"abc\nabc\n%d" % (len(LONG) // 4 - 2))


@pytest.mark.usefixtures("hurry")
def test_body__that_does_not_come__ends_in_408_and_takes_no_thread() -> None:
    assert responded(never, {"content-length": "4"}, Protocol([b"ab"], ends=False))[0] == 408


@pytest.mark.usefixtures("hurry")
def test_upload__that_stops__ends_in_408() -> None:
    assert responded(echo, KEY | {"transfer-encoding": "chunked"}, Protocol([b"ab"], ends=False))[0] == 408


def test_body__shorter_than_announced__ends_in_400() -> None:
    assert responded(never, {"content-length": "4"}, Protocol([b"ab"]))[0] == 400
    assert responded(echo, KEY | {"content-length": str(len(LONG))}, Protocol([b"ab"]))[0] == 400


@pytest.mark.parametrize("headers", [{}, KEY])
def test_chunked_body__that_is_cut_off__ends_in_400(headers: dict[str, str]) -> None:
    """Granian hands on an empty part where the connection is lost within the body, and one at the end."""
    chunked = headers | {"transfer-encoding": "chunked"}
    assert responded(echo, chunked, Protocol([b"ab", b"", b""]))[0] == 400
    assert responded(echo, chunked, Protocol([b"ab", b""])) == (201, b"/a b/%41::1ab")


def test_upload__that_is_cut_off__is_told_so_whatever_the_application_makes_of_it() -> None:
    def careless(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        with suppress(OSError):
            environ["wsgi.input"].read()
        start("500 Internal Server Error", [])
        return []

    chunked = KEY | {"transfer-encoding": "chunked"}
    assert responded(careless, chunked, Protocol([b"ab", b"", b""]))[0] == 400


def test_long_body__of_nobody__is_not_read() -> None:
    """The application is asked all the same: it says who may send."""
    long = {"content-length": str(len(LONG))}
    assert responded(echo, long, Protocol([b"ab"], ends=False)) == (201, b"/a b/%41::1")
    assert responded(never, {"transfer-encoding": "chunked"}, Protocol([b"a" * 50] * 3, ends=False))[0] == 413
    middle = b"a" * (UNCHECKED + 1)
    assert responded(echo, KEY | {"content-length": f"{len(middle)}"}, Protocol([middle]))[1].endswith(middle)


@pytest.mark.usefixtures("hurry")
def test_body__of_nobody__earns_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming_body, "LEAST_RATE", 0.001)  # each byte is worth 1,000 s
    assert responded(never, {"content-length": "4"}, Protocol([b"ab"], ends=False))[0] == 408


def test_uploads__of_one_caller__leave_places_to_others() -> None:
    """More uploads than there are threads, of one caller, that never end: another one's is read."""

    async def crowd() -> int:
        door = BufferedWsgi(echo, 1, caller_of)
        chunked = {"transfer-encoding": "chunked"}
        slow = [
            asyncio.ensure_future(door.__rsgi__(Scope(chunked | KEY), Protocol([b"ab"], ends=False)))
            for _ in range(2 * buffered_wsgi.UPLOAD_THREADS)
        ]
        other = Protocol([b"ab"])
        await door.__rsgi__(Scope(chunked | {"key": "other"}), other)
        for one in slow:
            one.cancel()
        return other.status

    assert asyncio.run(crowd()) == 201


def test_bodies__more_than_there_is_room_for__are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffered_wsgi, "MOST_ARRIVING", 3)
    assert responded(never, {"content-length": "4"}, Protocol([b"ab", b"cd"]))[0] == 503


@pytest.mark.usefixtures("hurry")
def test_response__that_is_long__is_sent_without_its_thread__as_long_as_it_is_read() -> None:
    threads: list[str] = []

    def long(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [])
        threads.append(threading.current_thread().name)
        yield from [b"x" * IN_MEMORY] * 3

    assert responded(long, {}, Protocol([])) == (200, b"x" * IN_MEMORY * 3)
    unread = Protocol([])
    unread.takes = False
    assert responded(long, {}, unread) == (200, b"")
    assert all(name.startswith("request") for name in threads)
