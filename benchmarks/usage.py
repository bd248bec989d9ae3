"""What processes cost: CPU time and memory, by name."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg

from benchmarks.sampling import Sampler

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
EVERY_SECONDS = 2.0

BACKENDS = "SELECT pid, backend_type, application_name FROM pg_stat_activity WHERE pid <> pg_backend_pid()"

Names = Callable[[], dict[int, str]]
"""The processes that count, as far as they are alive: pid → name. Several may share a name."""


def cpu_seconds(pid: int) -> float:
    """User and system time so far; 0 where the process is gone."""
    with suppress(OSError):
        return sum(map(int, _stat(pid)[11:13])) / TICKS
    return 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on: state, parent, …"""
    return (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def postgres_cpu_seconds(database: psycopg.Connection[Any]) -> float:
    """Of all of PostgreSQL so far: living processes, and those that its first process has seen end."""
    own = _stat(database.info.backend_pid)
    first = int(own[1])
    ended = sum(map(int, _stat(first)[13:15])) / TICKS
    return ended + cpu_seconds(first) + sum(map(cpu_seconds, children([first])))


def backends(database: psycopg.Connection[Any]) -> dict[int, str]:
    """PostgreSQL's own processes but the first, named for what they do, or for whom."""
    found = database.execute(BACKENDS).fetchall()
    return {pid: f"postgres for {who}" if who else f"postgres {kind}" for pid, kind, who in found}


def children(parents: Iterable[int]) -> dict[int, int]:
    """pid → parent of every living child of these, and of their children."""
    known, found = set(parents), {}
    for entry in sorted(PROC.glob("[0-9]*"), key=lambda entry: int(entry.name)):
        with suppress(OSError):
            parent = int(_stat(int(entry.name))[1])
            if parent in known:
                known.add(int(entry.name))
                found[int(entry.name)] = parent
    return found


@dataclass(slots=True)
class Usage:
    """`rss_mb`, `pss_mb`: the most of any one process of the name.

    RSS is the kernel's own high-water mark and counts shared pages in every process (all of PostgreSQL's
    shared buffers that a process ever touched); PSS, sampled, shares them out.
    """

    processes: int = 0
    cpu_seconds: float = 0.0
    rss_mb: float = 0.0
    pss_mb: float = 0.0


class Watch(Sampler):
    """While entered, samples; `by_name` and `seconds` afterwards."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self.seconds = 0.0
        self._names = names
        self._first: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self._rss: dict[int, float] = defaultdict(float)
        self._pss: dict[int, float] = defaultdict(float)
        self._known: dict[int, str] = {}

    def __enter__(self) -> Self:
        self._sample(began=True)
        self._began = time.monotonic()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._sample()
        self.seconds = time.monotonic() - self._began

    def by_name(self) -> dict[str, Usage]:
        usages: dict[str, Usage] = defaultdict(Usage)
        for pid, name in self._known.items():
            usage = usages[name]
            usage.processes += 1
            usage.cpu_seconds += self._last[pid] - self._first.get(pid, 0.0)
            usage.rss_mb = max(usage.rss_mb, self._rss[pid])
            usage.pss_mb = max(usage.pss_mb, self._pss[pid])
        return dict(usages)

    def _run(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            self._sample()

    def _sample(self, *, began: bool = False) -> None:
        for pid, name in self._names().items():
            self._known[pid] = name
            cpu = cpu_seconds(pid)
            if began:
                self._first[pid] = cpu
            self._last[pid] = max(cpu, self._last.get(pid, 0.0))
            self._rss[pid] = max(self._rss[pid], _megabytes(_fields(pid, "status"), "VmHWM"))
            self._pss[pid] = max(self._pss[pid], memory(pid).pss)


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in MB. PSS shares pages out that several processes use; `own`: PSS without shared memory.

    PostgreSQL's buffers are shared memory: of a fixed size, and counted where they were touched last.
    """

    rss: float = 0.0
    pss: float = 0.0
    own: float = 0.0


def memory(pid: int) -> Memory:
    """Nothing where the process is gone."""
    fields = _fields(pid, "smaps_rollup")
    rss, pss, shared = (_megabytes(fields, name) for name in ("Rss", "Pss", "Pss_Shmem"))
    return Memory(rss, pss, pss - shared)


def _fields(pid: int, file: str) -> dict[str, str]:
    with suppress(OSError):
        lines = (PROC / str(pid) / file).read_text(encoding="utf-8").splitlines()
        return {name: value for name, _, value in (line.partition(":") for line in lines)}
    return {}


def _megabytes(fields: dict[str, str], name: str) -> float:
    value = fields.get(name, "").split()
    return int(value[0]) / 1024 if value else 0.0
