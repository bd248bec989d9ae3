"""What tests of supervised processes share: waiting for conditions, and seeing what is left of a hub."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from django.conf import settings

from core.environment import PROJECT_ROOT

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = 60.0) -> T:
    """What `look` returns once that is true."""
    give_up_at, pause = time.monotonic() + seconds, 0.002
    while not (found := look()):
        assert time.monotonic() < give_up_at, "it did not come true in time"
        time.sleep(pause)
        pause = min(0.02, pause * 1.5)
    return found


def variables_of_hub(database_url: str) -> dict[str, str]:
    """The environment of a worker's process that works on the test database."""
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": settings.REDIS_URL,
        "DMPHUB_SECRET_KEYS": ",".join(settings.SECRET_KEYS),
        "DJANGO_SETTINGS_MODULE": "dmphub.settings",
    }


def kill(process: "subprocess.Popen[str]") -> None:
    """End a process whose output is a pipe."""
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] != "Z"


def processes_of(home: Path) -> list[int]:
    """The living processes that work in a home or name it on their command line."""
    pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if pid != os.getpid() and alive(pid) and _is_of(pid, home)]


def _is_of(pid: int, home: Path) -> bool:
    with suppress(OSError):
        if os.fsencode(home) in Path(f"/proc/{pid}/cmdline").read_bytes():
            return True
    with suppress(OSError):
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(home)
    return False


def recorded(home: Path) -> dict[str, int]:
    with suppress(FileNotFoundError):
        return dict(json.loads((home / "run" / "processes.json").read_text(encoding="utf-8")))
    return {}


@contextmanager
def stand_in_hub(home: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """A hub whose doors and workers are tiny programs, up and ready."""
    command = [sys.executable, "-m", "tests.support.stand_in_hub", str(home), "0", *flags]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("ready console=http://127.0.0.1:")
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
