"""`python -m benchmarks.open_loop PORT TARGET SEED FIRST COUNT RATE AMOUNT FILE`: events at a constant rate.

Open-loop: when an event is due depends on the clock only, never on how fast the hub answers. Where all
connections wait for answers, another one is opened; what waits for one counts from when it was due.
Writes to FILE, for each event, the unix time of its 200 (doubles, in order; 0: none) and prints the rest as
a line of JSON.
"""

import array
import asyncio
import json
import sys
import time
from collections import Counter, deque
from contextlib import suppress
from pathlib import Path

import uvloop

from benchmarks.connection import Connection
from benchmarks.figures import percentile
from benchmarks.programs import HOST
from benchmarks.users import body, user_ids

MARK = "RESULT "
TICK = 0.001
CONNECTIONS = 64
# more at once would overflow a listener's queue, and a connection lost there hangs for many seconds
MOST_CONNECTIONS = 256
GRACE = 1.0  # seconds after the last event is due in which a 200 still counts for the rate
PATIENCE = 20.0  # seconds for the last answers


class OpenLoop:
    def __init__(self, port: int, requests: tuple[bytes, list[bytes], bytes], rate: float) -> None:
        self._port = port
        self._head, self._users, self._tail = requests
        self._rate = rate
        self._count = len(self._users)
        self._sent = self._answers = self._open = self._ever_held_up = 0
        self._idle: list[Connection] = []
        self._held_up: deque[int] = deque()
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
        self._tick()
        with suppress(TimeoutError):  # what has no answer by then counts as never accepted
            async with asyncio.timeout(self._count / self._rate + PATIENCE):
                await self._done.wait()
        return self._measured(time.process_time() - cpu)

    def _tick(self) -> None:
        due = min(self._count, int((time.time() - self._began) * self._rate) + 1)
        while self._sent < due:
            self._event(self._sent)
            self._sent += 1
        if self._sent < self._count:
            self._loop.call_later(TICK, self._tick)

    def _event(self, number: int) -> None:
        self._late[number] = time.time() - self._began - number / self._rate
        while self._idle:
            connection = self._idle.pop()
            if not connection.lost:
                self._send(connection, number)
                return
            self._open -= 1  # the edge closes connections that nobody has used for half a minute
        self._held_up.append(number)
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
            self._send(connection, self._held_up.popleft())
        else:
            self._idle.append(connection)

    def _send(self, connection: Connection, number: int) -> None:
        connection.token = number
        connection.send(self._head + self._users[number] + self._tail)

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
        seconds = self._count / self._rate
        end = self._began + seconds + GRACE
        late = sorted(self._late)
        answered = sorted(at - self._began - n / self._rate for n, at in enumerate(self.accepted) if at)
        return {
            "seconds": seconds,
            "in_time": sum(1 for at in self.accepted if 0 < at <= end),
            "cpu_seconds": cpu,
            "statuses": self._statuses,
            "connections": self._open,
            "held_up": self._ever_held_up,
            "sent_late_p99_ms": 1000 * percentile(late, 99),
            "accept_p50_ms": 1000 * percentile(answered, 50),
            "accept_p99_ms": 1000 * percentile(answered, 99),
        }


def main() -> None:
    port, target, seed, first, count, rate, amount, file = sys.argv[1:]
    users = [str(user).encode() for user in user_ids(int(seed), int(first) + int(count))[int(first) :]]
    data = body(float(amount))
    head = f"POST {target}".encode()
    tail = f" HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()

    loop = OpenLoop(int(port), (head, users, tail + data), float(rate))
    measured = uvloop.run(loop.run())
    Path(file).write_bytes(loop.accepted.tobytes())
    sys.stdout.write(MARK + json.dumps(measured) + "\n")


if __name__ == "__main__":
    main()
