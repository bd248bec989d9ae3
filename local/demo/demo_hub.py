"""The demonstration's own hub and sandbox. Their data is deleted before every start."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from core.environment import HUB_COMMAND, IS_CHECKOUT, PROJECT_ROOT, Environment
from local import embedded
from local.supervisor.child import ProcessSpec
from local.supervisor.programs import HOST, PortTakenError, choose_ports
from local.supervisor.supervisor import StartFailedError, Supervisor

PORTS = (8000, 8001, 8090)  # console, edge, sandbox
HUB_STOP_SECONDS = 15.0
SHOWN_LINES = 12  # of a log, where something does not start
EDGE_ROLE = "dmphub_edge"
FIRST_LOGIN = "from local import first_login; print(first_login.ensure().password())"


@dataclass(frozen=True, slots=True)
class DemoHub:
    """A running hub and sandbox, both ready."""

    port: int
    edge_port: int
    sandbox_port: int
    variables: dict[str, str]
    supervisor: Supervisor

    @property
    def console_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def edge_url(self) -> str:
        return f"http://{HOST}:{self.edge_port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{HOST}:{self.sandbox_port}"

    def api_key(self) -> str:
        return self._manage("create_api_key", "demo")

    def password(self) -> str:
        """The console administrator's."""
        return self._manage("shell", "--no-imports", "-c", FIRST_LOGIN)

    def _manage(self, *arguments: str) -> str:
        command = [*HUB_COMMAND, *arguments]
        done = subprocess.run(
            command, cwd=PROJECT_ROOT, env=self.variables, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout.strip()


@contextmanager
def running_demo_hub(environment: Environment, *, strict: bool = False) -> Iterator[DemoHub]:
    """An empty hub in the environment's home, with embedded services, and a sandbox; stopped in the end.

    `strict`: its cookies are for https only, and its edge has a database role of its own.
    HomeInUseError where another demonstration runs there, StartFailedError where something does not start.
    """
    embedded.erase(environment)
    for log in environment.home.glob("*.log"):
        log.unlink()
    port, edge_port, sandbox_port = (free_or_any(wanted) for wanted in PORTS)
    variables = {**os.environ, **_variables(environment.home), **(_strict_variables(environment) if strict else {})}
    supervisor = Supervisor()
    try:
        sandbox = _sandbox(environment.home, sandbox_port, variables)
        supervisor.start([sandbox, _hub(environment.home, port, edge_port, variables)])
        _until_ready(supervisor, environment.home)
        yield DemoHub(port, edge_port, sandbox_port, variables, supervisor)
    finally:
        supervisor.stop()


def free_or_any(wanted: int) -> int:
    """The wanted port, or another where that is taken."""
    try:
        return choose_ports(HOST, wanted)[0]
    except PortTakenError:
        return choose_ports(HOST, 0)[0]


def _until_ready(supervisor: Supervisor, home: Path) -> None:
    try:
        supervisor.until_ready(tries=1)
    except StartFailedError:
        logs = [path for path in (home / "hub.log", home / "sandbox.log") if path.is_file()]
        said = "\n".join(f"{path}:\n{_end_of(path)}" for path in logs)
        raise StartFailedError(f"the demonstration's hub or sandbox does not start\n{said}") from None


def _end_of(path: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LINES:])


def _variables(home: Path) -> dict[str, str]:
    """An empty one counts as unset, also where a `.env` file sets it."""
    return {
        "DMPHUB_HOME": str(home),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "DMPHUB_EDGE_URL": "",
        "DMPHUB_SECRET_KEYS": "",
        "DMPHUB_ALLOW_PRIVATE_TARGETS": "1",
        "DMPHUB_INSECURE_COOKIES": "1",
        "PYTHONUNBUFFERED": "1",
        **({} if IS_CHECKOUT else {"PYTHONSAFEPATH": "1"}),
    }


def _strict_variables(environment: Environment) -> dict[str, str]:
    """The embedded server asks nobody who reaches its socket for a password."""
    role = urlsplit(embedded.addresses(environment).database_url)._replace(netloc=f"{EDGE_ROLE}:unasked@")
    return {"DMPHUB_INSECURE_COOKIES": "0", "DMPHUB_EDGE_DATABASE_URL": role.geturl()}


def _hub(home: Path, port: int, edge_port: int, variables: dict[str, str]) -> ProcessSpec:
    doors = [(port, "/readyz"), (edge_port, "/readyz")]
    return ProcessSpec(
        name="hub",
        argv=(*HUB_COMMAND, "up", "--port", str(port), "--edge-port", str(edge_port)),
        environment=variables,
        folder=PROJECT_ROOT,
        log=home / "hub.log",
        death_signal=signal.SIGTERM,
        stop_seconds=HUB_STOP_SECONDS,
        ready=lambda: all(_answers(*door) for door in doors),
    )


def _sandbox(home: Path, port: int, variables: dict[str, str]) -> ProcessSpec:
    return ProcessSpec(
        name="sandbox",
        argv=(sys.executable, "-m", "sandbox", "--port", str(port)),
        environment=variables,
        folder=PROJECT_ROOT,
        log=home / "sandbox.log",
        stop_rank=1,
        ready=partial(_answers, port, "/healthz"),
    )


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
