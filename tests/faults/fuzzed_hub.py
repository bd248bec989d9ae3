"""A whole hub that is fuzzed: for how long, by which seed, and what of it must not change meanwhile."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.fuzz_world import VARIABLES, planted
from tests.support.hub import Hub, new_hub
from tests.support.planted import Planted
from tests.support.vitals import family

SECONDS = int(os.environ.get("DMPHUB_FUZZ_SECONDS") or 1_200)
# Chosen anew for each run and printed: `make test-faults SEED=…`.
SEED = int(os.environ.get("DMPHUB_CHAOS_SEED") or time.time_ns() % 1_000_000)


@contextmanager
def fuzzed_hub() -> Iterator[Hub]:
    print(f"\nseed {SEED}, {SECONDS} s", flush=True)
    with new_hub(variables=VARIABLES) as hub:
        try:
            yield hub
        except BaseException:
            print(hub.log.read_text(errors="replace")[-20_000:])
            raise


def secrets_of(hub: Hub, *keys: str) -> Planted:
    """What is planted, the keys, and what the hub made for itself."""
    own = {name: (hub.home / name).read_text().strip() for name in ("secret_keys", "console_password")}
    return planted(*keys).and_also(own)


def doors(hub: Hub) -> dict[int, int]:
    """The process at each port."""
    pids = hub.pids()
    return {hub.edge_port: pids["edge-1"], hub.port: pids["console"]}


def processes(hub: Hub) -> dict[str, set[int]]:
    """The doors with all beneath them; of the others, what the supervisor started."""
    return {name: family(pid) if name.startswith(("console", "edge")) else {pid} for name, pid in hub.pids().items()}


def tracebacks(hub: Hub) -> list[str]:
    """What went wrong in the hub without anybody expecting it, as its log tells."""
    told = hub.log.read_text(errors="replace").splitlines()
    return [line for line in told if " ERROR " in line or line.startswith("Traceback")]
