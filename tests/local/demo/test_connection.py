"""A sender's connection, against a server that misbehaves."""

import asyncio
from collections.abc import Awaitable, Callable

from local.demo.connection import EdgeAnswer, EdgeConnection, Retries

OK = b"HTTP/1.1 200 OK\r\nX-DMP-Status: accepted\r\nContent-Length: 2\r\n\r\nab"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nx-dmp-status: unavailable\r\ncontent-length: 0\r\n\r\n"
REQUEST = b"GET /dp HTTP/1.1\r\n\r\n"


def asked(answers: list[bytes], questions: int) -> tuple[list[EdgeAnswer], Retries, int]:
    """Ask a server that gives these answers in turn (an empty one: it hangs up); and how often it was connected to."""
    connected = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected += 1
        while answers and await reader.readline():
            await reader.readuntil(b"\r\n")
            answer = answers.pop(0)
            if not answer:
                break
            writer.write(answer)
        writer.close()

    async def ask() -> tuple[list[EdgeAnswer], Retries]:
        repeats = Retries()
        async with await _server(serve) as server:
            connection = EdgeConnection("127.0.0.1", server.sockets[0].getsockname()[1], repeats)
            found = [await connection.ask(REQUEST) for _ in range(questions)]
            await connection.close()
        return found, repeats

    found, repeats = asyncio.run(ask())
    return found, repeats, connected


async def _server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> asyncio.Server:
    return await asyncio.start_server(serve, "127.0.0.1", 0)


def test_ask__several_requests__share_a_connection() -> None:
    assert asked([OK, OK, OK], 3) == ([EdgeAnswer(200, "accepted")] * 3, Retries(), 1)


def test_ask__503__is_asked_again_and_counted() -> None:
    assert asked([BUSY, OK], 1) == ([EdgeAnswer(200, "accepted")], Retries(refused=1), 1)


def test_ask__no_answer__is_asked_again_on_another_connection_and_counted() -> None:
    assert asked([b"", OK], 1) == ([EdgeAnswer(200, "accepted")], Retries(unanswered=1), 2)
