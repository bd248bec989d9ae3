"""Whether a hub stays alive: `/healthz` of its doors, asked ten times a second, and the processes that must not change.

A process of its own asks (`python -m tests.support.vitals PORT:PID…`), so that nothing that a test does slows it down.
The time for which the door, or this process, was ready to run and got no processor is taken off, as the kernel counts
it: a machine that has too much to do proves nothing about the hub.
"""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

PAUSE = 0.1
LATE_SECONDS = 1.0
GIVEN_UP = 30.0


class Vitals:
    """`with Vitals({port: pid}) as vitals:` asks each door for the time of the block; then the figures are there.

    `slowest`: seconds, those without a processor included; `late`: what took too long, without them.
    """

    def __init__(self, doors: Mapping[int, int]) -> None:
        self._doors = [f"{port}:{pid}" for port, pid in doors.items()]
        self.asked = 0
        self.late: list[str] = []
        self.slowest = 0.0

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", __name__, *self._doors]
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        said = self._process.communicate("enough\n", timeout=2 * GIVEN_UP)[0]
        found: dict[str, Any] = json.loads(said)
        self.asked, self.late, self.slowest = found["asked"], found["late"], found["slowest"]


def family(pid: int) -> set[int]:
    """The process and all beneath it; none that has ended."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    except OSError:
        return set()
    return {pid}.union(*(family(int(child)) for child in children))


def waited(*pids: int) -> float:
    """How long threads of these processes and of those beneath them have been ready to run and were not, in seconds."""
    total = 0
    for pid in set[int]().union(*map(family, pids)):
        for schedule in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with suppress(OSError):  # it has just ended
                total += int(schedule.read_text(encoding="utf-8").split()[1])
    return total / 1e9


def _ask(port: int) -> str:
    """Returns what is wrong with the answer; empty if nothing is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GIVEN_UP)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()
    return "" if status == 200 else f"answered {status}"


class _Watch:
    def __init__(self) -> None:
        self.asked, self.slowest = 0, 0.0
        self.late: list[str] = []

    def ask(self, port: int, pid: int) -> None:
        before, began = waited(pid, os.getpid()), time.monotonic()
        wrong = _ask(port)
        took = time.monotonic() - began
        self.asked += 1
        self.slowest = max(self.slowest, took)
        if not wrong and took > LATE_SECONDS:
            without = waited(pid, os.getpid()) - before
            wrong = (
                f"took {took:.2f} s, {without:.2f} s of it without a processor" if took - without > LATE_SECONDS else ""
            )
        if wrong:
            self.late.append(f"/healthz at port {port} {wrong}")


def _wait_for_the_end(enough: threading.Event) -> None:
    sys.stdin.readline()
    enough.set()


def main() -> None:
    doors = [tuple(map(int, door.split(":"))) for door in sys.argv[1:]]
    watch, enough = _Watch(), threading.Event()
    threading.Thread(target=_wait_for_the_end, args=[enough], daemon=True).start()
    while not enough.wait(PAUSE) or not watch.asked:
        for port, pid in doors:
            watch.ask(port, pid)
    print(json.dumps({"asked": watch.asked, "late": watch.late[:50], "slowest": watch.slowest}))


if __name__ == "__main__":
    main()
