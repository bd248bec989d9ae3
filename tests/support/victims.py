"""The processes of a hub by kind, and the death of one that is chosen by chance."""

import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.support.hub import Hub

SUPERVISOR = "supervisor"
EVERYTHING = "everything at once"
WHOLE = frozenset({SUPERVISOR, EVERYTHING})
# how often each kind is chosen; a kind that is not there at the moment is passed over
WEIGHTS = {
    SUPERVISOR: 1,
    EVERYTHING: 1,
    "postgres": 2,
    "postgres client backend": 3,
    "postgres background process": 1,
    "redis": 2,
    "edge": 5,
    "console": 1,
    "console worker": 1,
    "absorber": 4,
    "deliverer": 5,
    "sweeper": 4,
    "importer": 2,
}
# a whole hub takes long to start
MOST_RESTARTS = 20
# who holds a request to a platform, or its outcome: with each of these a batch a lane may be sent twice
SENDERS = WEIGHTS.keys() - {"edge", "console", "console worker", "importer", "absorber", "redis"}


class Victims:
    """Kills one process of a hub after another. `killed` counts them by kind."""

    def __init__(self, hub: Hub, chance: random.Random) -> None:
        self.killed: Counter[str] = Counter()
        self._hub, self._chance = hub, chance

    def strike(self) -> str:
        """Kill a process of some kind; returns the kind. A hub that has no supervisor left is started again."""
        living = _by_kind(self._hub)
        restarts = self.killed[SUPERVISOR] + self.killed[EVERYTHING]
        kinds = [kind for kind in WEIGHTS if kind in living and (kind not in WHOLE or restarts < MOST_RESTARTS)]
        kind = self._chance.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
        if kind in WHOLE:
            self._all_of_it(living, everything=kind == EVERYTHING)
        elif not _kill(self._chance.choice(living[kind])):
            return self.strike()  # it has just ended by itself
        self.killed[kind] += 1
        return kind

    def _all_of_it(self, living: dict[str, list[int]], *, everything: bool) -> None:
        if everything:
            pids = [pid for kind, several in living.items() if kind != EVERYTHING for pid in several]
            self._chance.shuffle(pids)
            for pid in pids:
                _kill(pid)
        self._hub.kill_supervisor()
        self._hub.start()


def _by_kind(hub: Hub) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list, {SUPERVISOR: [hub.pid], EVERYTHING: [hub.pid]})
    children = _children()
    for name, pid in hub.pids().items():
        if pid not in children[hub.pid]:
            continue  # dead, and the supervisor does not know it yet
        kind = name.split("-")[0]
        found[kind].append(pid)
        for child in children[pid]:
            found[_kind_of_child(kind, child)].append(child)
    return dict(found)


def _kind_of_child(parent: str, pid: int) -> str:
    if parent != "postgres":
        return f"{parent} worker"
    title = b""
    with suppress(OSError):
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    return "postgres client backend" if b"[local]" in title else "postgres background process"


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for pid, parent in _parents():
        found[parent].append(pid)
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                yield int(entry.name), int(parent)


def _kill(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False
