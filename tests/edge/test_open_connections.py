"""Connections of one address, or of many, take no places from the others. A server in this process, on real sockets."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest

from core.customer_limits import CustomerLimits
from core.limits import RequestLimits
from edge import responses
from edge.body import DisconnectedError
from edge.http_server import HttpServer
from edge.open_connections import ConnectionPlaces, site_of
from edge.request import EdgeRequest
from edge.responses import EdgeResponse
from edge.shares import Shares
from tests.support.edge_process import free_port

GET = b"GET /healthz HTTP/1.1\r\nHost: edge\r\n\r\n"
ANNOUNCED = b"POST /dp HTTP/1.1\r\nHost: edge\r\nContent-Length: 5\r\n\r\n"
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"


class Application:
    """Reads the body, and answers once `released` is set."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.released.set()
        self.dropped = 0
        self._share = Shares(CustomerLimits()).of(1, {})

    async def respond(self, request: EdgeRequest) -> EdgeResponse | None:
        try:
            await request.body(RequestLimits(), self._share)
        except DisconnectedError:
            return None
        await self.released.wait()
        return responses.plain(200, "ok", "ok")

    def refuse(self, status: int) -> EdgeResponse:
        return responses.NO_REQUEST[status]

    def count_dropped(self, connections: int) -> None:
        self.dropped += connections


class Clients:
    def __init__(self, server: HttpServer, port: int, stack: ExitStack) -> None:
        self.server, self._port, self._stack = server, port, stack

    async def connect(self, text: bytes = b"", address: str = HERE) -> socket.socket:
        """Returns once the server knows the connection."""
        one = self._stack.enter_context(socket.socket())
        one.setblocking(False)
        one.bind((address, 0))
        loop = asyncio.get_running_loop()
        await loop.sock_connect(one, (HERE, self._port))
        await loop.sock_sendall(one, text)
        await asyncio.sleep(0)
        return one


@asynccontextmanager
async def serving(places: ConnectionPlaces) -> AsyncIterator[tuple[Clients, Application]]:
    application, port = Application(), free_port()
    server = HttpServer(application, places)
    await server.start(HERE, port, 2_000)
    with ExitStack() as stack:
        yield Clients(server, port, stack), application
    await server.stop()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def answer(one: socket.socket) -> bytes:
    """What the server sends first; nothing where it ended the connection."""
    try:
        async with asyncio.timeout(10):
            return (await asyncio.get_running_loop().sock_recv(one, 1_000))[:12]
    except ConnectionResetError:
        return b""


async def settled(clients: Clients, connections: int) -> None:
    async with asyncio.timeout(10):
        while len(clients.server.connections) != connections:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("text", [b"", b"GET /he", ANNOUNCED])
def test_address_with_too_many_connections__loses_the_oldest_that_wait__and_others_lose_none(text: bytes) -> None:
    async def test() -> None:
        async with serving(ConnectionPlaces(100, 4)) as (clients, application):
            other = await clients.connect(address=ELSEWHERE)
            waiting = []
            for number in range(4):
                waiting.append(await clients.connect(text))
                await settled(clients, number + 2)
                clients.server.now += 1
            newest = await clients.connect(GET)
            assert await answer(waiting[0]) == b""
            assert await answer(newest) == b"HTTP/1.1 200"
            await asyncio.get_running_loop().sock_sendall(other, GET)
            assert await answer(other) == b"HTTP/1.1 200"
            assert (application.dropped, len(clients.server.connections)) == (1, 5)

    run(test())


def test_process_with_too_many_connections__of_many_addresses__goes_on_answering() -> None:
    async def test() -> None:
        async with serving(ConnectionPlaces(8, 4)) as (clients, application):
            for number in range(40):
                await clients.connect(ANNOUNCED, f"127.0.1.{number}")
            newest = await clients.connect(GET)
            assert await answer(newest) == b"HTTP/1.1 200"
            assert len(clients.server.connections) <= 8
            assert application.dropped >= 33

    run(test())


def test_connections__all_at_work__keep_their_places_and_the_newest_ends() -> None:
    async def test() -> None:
        async with serving(ConnectionPlaces(100, 3)) as (clients, application):
            application.released.clear()
            working = [await clients.connect(GET) for _ in range(3)]
            await settled(clients, 3)
            while any(one.waits_for_client for one in clients.server.connections):
                await asyncio.sleep(0.001)
            newest = await clients.connect(GET)
            assert await answer(newest) == b""
            application.released.set()
            assert [await answer(one) for one in working] == [b"HTTP/1.1 200"] * 3

    run(test())


def test_flood_of_silent_connections__of_one_address__keeps_nobody_out() -> None:
    async def test() -> None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        async with serving(ConnectionPlaces(200, 100)) as (clients, _):
            for _ in range(1_100):
                await clients.connect(ANNOUNCED)
            for address in (HERE, ELSEWHERE):
                assert await answer(await clients.connect(GET, address)) == b"HTTP/1.1 200"

    run(test())


def test_site__of_ipv6__is_its_network() -> None:
    assert site_of("2001:db8::1") == site_of("2001:db8::ffff:2")
    assert site_of("2001:db8:0:1::1") != site_of("2001:db8::1")
    assert site_of("fe80::1%eth0") == site_of("fe80::2")
    assert [site_of(host) for host in ("10.0.0.1", "", "no:address")] == ["10.0.0.1", "", "no:address"]
