"""`python -m benchmarks.closed_loop PORT CONNECTIONS SECONDS SCRIPT PATH ARGUMENTS…`: for machines without wrk.

Sends what `lua/SCRIPT.lua` sends and prints what it prints. Slower than wrk: it measures itself as much as
the server.
"""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Callable
from itertools import count

import uvloop

from benchmarks.connection import Connection
from benchmarks.figures import percentile
from benchmarks.load import MARK
from benchmarks.programs import HOST

Request = Callable[[], bytes]


class ClosedLoop:
    def __init__(self, request: Request, seconds: float) -> None:
        self._request = request
        self._end = time.perf_counter() + seconds
        self._latencies: list[float] = []
        self._refused = self._broken = 0
        self._began: dict[Connection, float] = {}

    async def run(self, port: int, connections: int) -> dict[str, float]:
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        for _ in range(connections):
            _, connection = await loop.create_connection(lambda: Connection(self._answered), HOST, port)
            self._send(connection)
        await asyncio.sleep(self._end - time.perf_counter())
        return self._measured(time.perf_counter() - began)

    def _send(self, connection: Connection) -> None:
        self._began[connection] = time.perf_counter()
        connection.send(self._request())

    def _answered(self, connection: Connection, status: int) -> None:
        now = time.perf_counter()
        self._latencies.append(now - self._began[connection])
        self._refused += status >= 400
        if status == 0:
            self._broken += 1
        elif now < self._end:
            self._send(connection)

    def _measured(self, seconds: float) -> dict[str, float]:
        ordered = sorted(self._latencies)
        return {
            "requests": len(ordered) - self._broken,
            "seconds": seconds,
            "p50_us": 1e6 * percentile(ordered, 50),
            "p99_us": 1e6 * percentile(ordered, 99),
            "max_us": 1e6 * percentile(ordered, 100),
            "refused": self._refused,
            "broken": self._broken,
        }


def requests_of(script: str, path: str, arguments: list[str]) -> Request:
    """The same requests as the Lua script of that name."""
    numbers = count()
    if script == "uid":
        cookies = [str(uuid.uuid4()) for _ in range(10_000)]
        start = f"GET {arguments[0]}{arguments[1]}-"
        end = "HTTP/1.1\r\nHost: edge\r\nCookie: dmpuid="
        return lambda: f"{start}{(n := next(numbers))} {end}{cookies[n % 10_000]}\r\n\r\n".encode()
    if script == "dp":
        body = arguments[1]
        head = f"POST {arguments[0]}".encode()
        tail = f" HTTP/1.1\r\nHost: edge\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        return lambda: b"".join((head, str(uuid.uuid4()).encode(), tail))
    plain = f"GET {path} HTTP/1.1\r\nHost: edge\r\n\r\n".encode()
    return lambda: plain


def main() -> None:
    port, connections, seconds, script, path, *arguments = sys.argv[1:]
    loop = ClosedLoop(requests_of(script, path, arguments), float(seconds))
    sys.stdout.write(MARK + json.dumps(uvloop.run(loop.run(int(port), int(connections)))) + "\n")


if __name__ == "__main__":
    main()
