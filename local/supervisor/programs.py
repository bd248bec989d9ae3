"""The programs that make up a hub, how each is called, and the ports of the two doors."""

import http.client
import os
import socket
import sys
from dataclasses import dataclass, replace
from functools import partial

from core.environment import DEFAULT_EDGE_URL, IS_CHECKOUT, PROJECT_ROOT, Environment
from local.supervisor.child import ProcessSpec

HOST = "127.0.0.1"


class PortTakenError(Exception):
    """Something else listens on a port."""


def choose_ports(host: str, *wanted: int) -> list[int]:
    """The wanted ports, 0 replaced by a free one; PortTakenError where another program listens.

    Asked before anything starts: doors share ports (SO_REUSEPORT), so two hubs would share one silently.
    """
    named = [port for port in wanted if port]
    if len(set(named)) < len(named):
        raise PortTakenError(f"port {named[0]} of {host} cannot be used twice: each door needs its own")
    sockets = [_bound(host, port) for port in wanted]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    result = socket.socket(family, socket.SOCK_STREAM)
    result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        result.bind((host, port))
    except (OSError, OverflowError) as error:
        result.close()
        reason = error.strerror if isinstance(error, OSError) else "ports go up to 65535"
        raise PortTakenError(f"port {port} of {host} cannot be used: {reason}") from None
    return result


_CELERY = ("-m", "celery", "-A", "dmphub", "worker", "--loglevel", "WARNING")
# Above that of the doors: whoever waits for an answer comes first.
WORKER_NICENESS = 5
IMPORTER_NICENESS = 10
_ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")  # workers need not know each other


@dataclass(frozen=True, slots=True)
class HubPlan:
    """A hub's shape, its ports chosen."""

    environment: Environment
    port: int
    edge_port: int
    edge_workers: int
    workers: int


@dataclass(frozen=True, slots=True)
class HubPrograms:
    """`preparing` run to their end before `lasting` start."""

    preparing: list[ProcessSpec]
    lasting: list[ProcessSpec]


def programs_of(plan: HubPlan) -> HubPrograms:
    preparing = replace(_python(plan, "prepare", "-m", "dmphub", "prepare"), stop_seconds=1.0)
    return HubPrograms([preparing], [*_doors(plan), *_workers(plan)])


def _doors(plan: HubPlan) -> list[ProcessSpec]:
    edge = ("-m", "dmphub.edge_server", "--port", str(plan.edge_port))
    console = ("-m", "dmphub.console_server", "--port", str(plan.port))
    edge_ready, console_ready = partial(_healthy, plan.edge_port), partial(_healthy, plan.port)
    names = [f"edge-{number}" for number in range(1, plan.edge_workers + 1)]
    return [
        *(replace(_python(plan, name, *edge), ready=edge_ready, environment=_of_edge(plan)) for name in names),
        replace(_python(plan, "console", *console), ready=console_ready),
    ]


def _workers(plan: HubPlan) -> list[ProcessSpec]:
    absorb = (*_CELERY, *_ALONE, "--pool", "solo", "-Q", "absorb", "-n")
    deliver = (*_CELERY, *_ALONE, "--pool", "threads", "--concurrency", "48", "-Q", "deliver", "-n")
    workers = [
        *(
            _python(plan, f"absorber-{number}", *absorb, f"absorber{number}@%h")
            for number in range(1, plan.workers + 1)
        ),
        _python(plan, "deliverer", *deliver, "deliverer@%h"),
        _python(plan, "sweeper", "-m", "dmphub", "sweep"),
    ]
    importer = _python(plan, "importer", "-m", "dmphub", "run_imports")
    return [
        *(replace(each, niceness=WORKER_NICENESS) for each in workers),
        replace(importer, niceness=IMPORTER_NICENESS),
    ]


def _python(plan: HubPlan, name: str, *arguments: str) -> ProcessSpec:
    command = (sys.executable, *arguments)
    return ProcessSpec(name=name, argv=command, environment=_variables(plan), folder=PROJECT_ROOT)


def _variables(plan: HubPlan) -> dict[str, str]:
    """This process's own, with what was decided since: children must not decide anew."""
    edge_url = plan.environment.edge_url
    if edge_url == DEFAULT_EDGE_URL:
        edge_url = f"http://{HOST}:{plan.edge_port}"
    decided = {
        "DMPHUB_HOME": str(plan.environment.home),
        "DMPHUB_EDGE_URL": edge_url,
        "DMPHUB_EDGE_PROCESSES": str(plan.edge_workers),
        "PYTHONUNBUFFERED": "1",
    }
    if not IS_CHECKOUT:  # a folder of the working folder must not stand in for a package that is installed
        decided["PYTHONSAFEPATH"] = "1"
    return {**os.environ, **decided}


def _of_edge(plan: HubPlan) -> dict[str, str]:
    """An edge with a database role of its own is not told how others connect: who takes it over learns no more."""
    own = plan.environment.edge_database_url
    if own is None or plan.environment.database_url is None:
        return _variables(plan)
    return {**_variables(plan), "DATABASE_URL": own, "DMPHUB_APP_DATABASE_URL": ""}


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
