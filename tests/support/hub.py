"""A whole hub: `manage.py up` in a home of its own, with the processes that it starts."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from core.environment import DEFAULT_EDGE_URL, PROJECT_ROOT, Environment
from local import embedded
from local.demo.api import Api
from tests.support.edge_process import free_port

READY_SECONDS = 60.0


class Hub:
    """`start` it; its ports stay the same through restarts. `log` holds what its processes said."""

    def __init__(self, home: Path, variables: Mapping[str, str] = MappingProxyType({})) -> None:
        """`variables`: more of its environment."""
        self.home = home
        self.log = home / "hub.log"
        self.port, self.edge_port = free_port(), free_port()
        self.environment = Environment(
            home=home,
            database_url=None,
            redis_url=None,
            edge_url=DEFAULT_EDGE_URL,
            secret_keys=("unused",),
            allow_private_targets=True,
            insecure_cookies=False,
            debug=False,
        )
        self.services = embedded.addresses(self.environment)
        self._variables = {
            **os.environ,
            **_nothing_set(),
            "DMPHUB_HOME": str(home),
            "DMPHUB_ALLOW_PRIVATE_TARGETS": "1",
            **variables,
        }
        self._process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        """Returns when both doors answer."""
        command = [*_MANAGE, "up", "--port", str(self.port), "--edge-port", str(self.edge_port), *options]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                command, cwd=PROJECT_ROOT, env=self._variables, stdout=subprocess.PIPE, stderr=log, text=True
            )
        line = _first_line(self._process.stdout)
        if not line.startswith("ready "):
            raise RuntimeError(f"the hub did not start: {line!r}\n{self.log.read_text()[-3000:]}")

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        assert self._process is not None
        return self._process.pid

    def pids(self) -> dict[str, int]:
        """The processes that run now, by name; empty while there is no hub."""
        with suppress(FileNotFoundError):
            return dict(json.loads((self.home / "run" / "processes.json").read_text(encoding="utf-8")))
        return {}

    def kill(self, name: str) -> bool:
        """SIGKILL to one of its processes; no, where it does not run at this moment."""
        with suppress(KeyError, ProcessLookupError):
            os.kill(self.pids()[name], signal.SIGKILL)
            return True
        return False

    def kill_supervisor(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._end()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._end()

    def _end(self) -> None:
        assert self._process is not None
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
            self._process = None

    def api(self, key: str | None = None) -> Api:
        """As an administrator, if no other key is given."""
        return Api(f"http://127.0.0.1:{self.port}", key or self.new_api_key())

    def new_api_key(self, *options: str) -> str:
        """An administrator's, unless the options of `create_api_key` say otherwise."""
        done = subprocess.run(
            [*_MANAGE, "create_api_key", "tests", *options],
            cwd=PROJECT_ROOT,
            env=self._variables,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.split()[-1]


_MANAGE = (sys.executable, "manage.py")


def _nothing_set() -> dict[str, str]:
    return {"DATABASE_URL": "", "REDIS_URL": "", "DMPHUB_SECRET_KEYS": "", "DMPHUB_EDGE_URL": "", "DMPHUB_DEBUG": ""}


def _first_line(output: "IO[str] | Any") -> str:
    return str(output.readline())


@contextmanager
def new_hub(*options: str, variables: Mapping[str, str] = MappingProxyType({})) -> Iterator[Hub]:
    """A hub that runs, without any data; nothing of it is left afterwards."""
    home = Path(tempfile.mkdtemp(prefix="dmphub-hub-"))
    home.chmod(0o755)  # run as root, PostgreSQL switches to an account that must be able to pass
    hub = Hub(home.resolve(), variables)
    try:
        hub.start(*options)
        yield hub
    finally:
        hub.stop()
        embedded.erase(hub.environment)
        shutil.rmtree(home, ignore_errors=True)
