"""The programs that a benchmark starts, and ends."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from core.environment import PROJECT_ROOT

HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 15.0


def wait_until(what: str, condition: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """TimeoutError where it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def running(command: Sequence[str], *, folder: Path = PROJECT_ROOT) -> Iterator["subprocess.Popen[str]"]:
    """A program, until the end of the block. What it complains about goes to `programs.log` in the home."""
    with _log().open("a") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process
    finally:
        _end(process)


@dataclass(frozen=True, slots=True)
class Door:
    """A server that answers."""

    port: int
    pids: list[int]


@contextmanager
def edges(module: str, count: int, path: str = "/readyz") -> Iterator[Door]:
    """As many edge processes of that module, on one port."""
    port = free_port()
    with ExitStack() as stack:
        command = [sys.executable, "-m", module, "--port", str(port)]
        processes = [stack.enter_context(running(command)) for _ in range(count)]

        def ready() -> bool:  # asked more than once: any of them may answer
            return all(map(_alive, processes)) and all(answers(port, path) for _ in range(8 * count - 7))

        wait_until(module, ready)
        yield Door(port, [process.pid for process in processes])


@contextmanager
def hub(edge_workers: int, workers: int) -> Iterator[tuple[int, int]]:
    """`manage.py up`; its process id and its edge's port."""
    shape = ["--edge-workers", str(edge_workers), "--workers", str(workers)]
    command = [sys.executable, "manage.py", "up", "--port", "0", "--edge-port", "0", *shape]
    with running(command) as process:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.startswith("ready "):
            raise RuntimeError(f"the hub did not start: it said {line!r}")
        edge = dict(word.split("=", 1) for word in line.split()[1:])["edge"]
        yield process.pid, urlsplit(edge).port or 80


def _alive(process: "subprocess.Popen[str]") -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}:\n{complaints()}")
    return True


def complaints() -> str:
    """The end of what programs said on standard error."""
    return _log().read_text(encoding="utf-8")[-2000:]


def _log() -> Path:
    return Path(os.environ["DMPHUB_HOME"]) / "programs.log"


def _end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
