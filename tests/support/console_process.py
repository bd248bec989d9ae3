"""The console's process, with the REST API behind the same door, on the test database."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from django.conf import settings

from core.environment import PROJECT_ROOT
from tests.support.edge_process import free_port, until


class Console:
    """`python -m dmphub.console_server` on the test database."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def peak_mb(self) -> int:
        """The most memory that any of its processes has ever held."""
        return max(_peak_mb(pid) for pid in [self._process.pid, *_children(self._process.pid)])

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        except requests.ConnectionError:
            return False


@contextmanager
def console(database_url: str, log: Path | None = None, **variables: str) -> Iterator[Console]:
    """Runs until the block ends. What it writes goes to `log`, if that is given; `variables`: of its environment."""
    port = free_port()
    environment = os.environ | {"DATABASE_URL": database_url, "DMPHUB_SECRET_KEYS": ",".join(settings.SECRET_KEYS)}
    environment |= variables
    with (log or Path(os.devnull)).open("ab") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "dmphub.console_server", "--port", str(port)],
            cwd=PROJECT_ROOT,
            env=environment,
            stdout=written if log else None,
            stderr=written if log else None,
        )
    try:
        found = Console(process, port)
        until(found.answers, 60)
        yield found
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def _peak_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
