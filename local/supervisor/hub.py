"""The whole hub in the foreground: services, migrations, doors, workers."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.environment import Environment
from local import embedded
from local.supervisor.programs import HOST, HubPlan, HubPrograms, choose_ports, programs_of
from local.supervisor.signals import Signals
from local.supervisor.supervisor import StopRequestedError, Supervisor

PATIENCE_SECONDS = 5.0  # for a command that runs the services of this home for a moment


@dataclass(frozen=True, slots=True)
class HubOptions:
    """The options of `dmphub up`. Port 0 stands for a free one."""

    port: int = 8000
    edge_port: int = 8001
    edge_workers: int = 1
    workers: int = 1


def run_hub(
    environment: Environment,
    options: HubOptions,
    announce: Callable[[str], None],
    programs: Callable[[HubPlan], HubPrograms] = programs_of,
) -> None:
    """Run the hub until a stop signal; `announce` is called with one line when both doors serve.

    Raises HomeInUseError, PortTakenError or StartFailedError if the hub does not start.
    """
    with embedded.claimed(environment.home, patience=PATIENCE_SECONDS), Signals() as signals:
        port, edge_port = choose_ports(HOST, options.port, options.edge_port)
        plan = HubPlan(environment, port, edge_port, options.edge_workers, options.workers)
        record = environment.home / "run" / "processes.json"
        supervisor = Supervisor(
            wait=signals.wait,
            stop_requested=signals.stop_requested,
            on_change=lambda pids: write_processes(record, pids),
        )
        try:
            _bring_up(supervisor, environment, programs(plan))
            announce(f"ready console=http://{HOST}:{port} edge=http://{HOST}:{edge_port}")
            supervisor.run()
        except StopRequestedError:
            pass
        finally:
            supervisor.stop()
            record.unlink(missing_ok=True)


def _bring_up(supervisor: Supervisor, environment: Environment, programs: HubPrograms) -> None:
    supervisor.start(embedded.process_specs(environment))
    supervisor.until_ready()
    supervisor.complete(*programs.preparing)
    supervisor.start(programs.lasting)
    supervisor.until_ready()


def write_processes(path: Path, pids: dict[str, int]) -> None:
    """Name → pid of what runs now, for people and tests that want to stop one of them; written as a whole."""
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(pids, indent=1), encoding="utf-8")
    draft.replace(path)
