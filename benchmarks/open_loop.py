"""`python -m benchmarks.open_loop PORT FILE STREAMS`: events at constant rates.

Open-loop: when an event is due depends on the clock only, never on how fast the hub answers. Where all
connections wait for answers, another one is opened; what waits for one counts from when it was due.
STREAMS is a list of `Stream`s as JSON. Writes to FILE, for each event, the unix time of its 200 (doubles, stream
after stream, in order; 0: none). Prints when it begins, and at the end the rest as a line of JSON.
"""

import array
import asyncio
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import uvloop

from benchmarks.connection import Connection
from benchmarks.figures import percentile
from benchmarks.programs import HOST
from benchmarks.users import body, user_ids

BEGAN, MARK = "BEGAN ", "RESULT "
AMOUNT = 150.0
TICK = 0.001
CONNECTIONS = 64
# more at once would overflow a listener's queue, and a connection lost there hangs for many seconds
MOST_CONNECTIONS = 256
GRACE = 1.0  # seconds after the last event is due in which a 200 still counts for the rate
PATIENCE = 20.0  # seconds for the last answers


class Stream(msgspec.Struct, frozen=True):
    """`count` events at `rate` a second. Each is of the next of the seed's first `users`, round after round.

    `target`: up to the value of `uuid`. `amounts`: of the first round, of the second, and so on, over and over.
    """

    target: str
    seed: int
    users: int
    count: int
    rate: float
    amounts: tuple[float, ...] = (AMOUNT,)

    def event(self, number: int) -> tuple[int, float]:
        """Returns the number of the user, and the amount."""
        rounds, user = divmod(number, self.users)
        return user, self.amounts[rounds % len(self.amounts)]


class _Requests:
    """The requests of one stream. `first`: the number of its first event among those of all streams."""

    def __init__(self, stream: Stream, first: int) -> None:
        self.stream, self.first = stream, first
        self.sent = 0
        self._head = f"POST {stream.target}".encode()
        self._users = [str(user).encode() for user in user_ids(stream.seed, stream.users)]
        self._tails = {amount: _tail(body(amount)) for amount in stream.amounts}

    def request(self, number: int) -> bytes:
        user, amount = self.stream.event(number - self.first)
        return self._head + self._users[user] + self._tails[amount]

    def due(self, number: int) -> float:
        """Seconds from the start at which the event is due."""
        return (number - self.first) / self.stream.rate


class OpenLoop:
    def __init__(self, port: int, streams: Sequence[Stream]) -> None:
        self._port = port
        self._requests: list[_Requests] = []
        self._count = 0
        for stream in streams:
            self._requests.append(_Requests(stream, self._count))
            self._count += stream.count
        self._answers = self._open = self._ever_held_up = 0
        self._idle: list[Connection] = []
        self._held_up: deque[tuple[int, bytes]] = deque()
        self._late = array.array("d", bytes(8 * self._count))
        self._statuses: Counter[int] = Counter()
        self._done = asyncio.Event()
        self._openings: set[asyncio.Task[None]] = set()
        self.accepted = array.array("d", bytes(8 * self._count))

    async def run(self) -> dict[str, object]:
        self._loop = asyncio.get_running_loop()
        await asyncio.gather(*(self._connect() for _ in range(CONNECTIONS)))
        cpu = time.process_time()
        self._began = time.time() + TICK
        print(f"{BEGAN}{self._began}", flush=True)
        self._tick()
        with suppress(TimeoutError):  # what has no answer by then counts as never accepted
            async with asyncio.timeout(self._seconds + PATIENCE):
                await self._done.wait()
        return self._measured(time.process_time() - cpu)

    @property
    def _seconds(self) -> float:
        return max(each.stream.count / each.stream.rate for each in self._requests)

    def _tick(self) -> None:
        elapsed, left = time.time() - self._began, 0
        for each in self._requests:
            due = min(each.stream.count, int(elapsed * each.stream.rate) + 1)
            while each.sent < due:
                number = each.first + each.sent
                self._late[number] = time.time() - self._began - each.due(number)
                self._event(number, each.request(number))
                each.sent += 1
            left += each.stream.count - due
        if left:
            self._loop.call_later(TICK, self._tick)

    def _event(self, number: int, request: bytes) -> None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.lost:
                self._send(connection, number, request)
                return
            self._open -= 1  # the edge closes connections that nobody has used for half a minute
        self._held_up.append((number, request))
        self._ever_held_up += 1
        if self._open < MOST_CONNECTIONS:
            opening = self._loop.create_task(self._connect())
            self._openings.add(opening)
            opening.add_done_callback(self._openings.discard)

    async def _connect(self) -> None:
        self._open += 1
        _, connection = await self._loop.create_connection(lambda: Connection(self._answered), HOST, self._port)
        self._next(connection)

    def _next(self, connection: Connection) -> None:
        if self._held_up:
            self._send(connection, *self._held_up.popleft())
        else:
            self._idle.append(connection)

    def _send(self, connection: Connection, number: int, request: bytes) -> None:
        connection.token = number
        connection.send(request)

    def _answered(self, connection: Connection, status: int) -> None:
        self._statuses[status] += 1
        if status == 200:
            self.accepted[connection.token] = time.time()
        if status:
            self._next(connection)
        self._answers += 1
        if self._answers == self._count:
            self._done.set()

    def _measured(self, cpu: float) -> dict[str, object]:
        end = self._began + self._seconds + GRACE
        late = sorted(self._late)
        answered = sorted(
            at - self._began - each.due(number)
            for each in self._requests
            for number, at in enumerate(self.accepted[each.first : each.first + each.stream.count], each.first)
            if at
        )
        return {
            "began": self._began,
            "seconds": self._seconds,
            "in_time": sum(1 for at in self.accepted if 0 < at <= end),
            "cpu_seconds": cpu,
            "statuses": self._statuses,
            "connections": self._open,
            "held_up": self._ever_held_up,
            "sent_late_p99_ms": 1000 * percentile(late, 99),
            "accept_p50_ms": 1000 * percentile(answered, 50),
            "accept_p99_ms": 1000 * percentile(answered, 99),
        }


def _tail(data: bytes) -> bytes:
    head = f" HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


def main() -> None:
    port, file, streams = sys.argv[1:]
    loop = OpenLoop(int(port), msgspec.json.decode(streams, type=list[Stream]))
    measured = uvloop.run(loop.run())
    Path(file).write_bytes(loop.accepted.tobytes())
    sys.stdout.write(MARK + json.dumps(measured) + "\n")


if __name__ == "__main__":
    main()
