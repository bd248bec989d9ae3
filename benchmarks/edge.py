"""The edge alone: committed requests a second, and what the commit costs."""

import resource
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import psycopg
from rich.progress import track

from benchmarks import load, reference, tools
from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.figures import shown
from benchmarks.home import services
from benchmarks.load import CONNECTIONS, Load, Script
from benchmarks.programs import Door, edges
from benchmarks.report import console
from benchmarks.shop import Shop, open_shop
from benchmarks.usage import cpu_seconds, postgres_cpu_seconds
from benchmarks.users import body

PLAIN = Script("done")
NO_PLATFORM = "http://127.0.0.1:9/segment"
RATES = {"/uid": 15_000, "/dp": 12_000}
RATIOS = {"/uid": 0.25, "/dp": 0.17}
P99_MS = 20.0


@dataclass(frozen=True, slots=True)
class MeasuredServer:
    """One server under one kind of load."""

    name: str
    door: Door
    path: str
    commits: bool


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds so far, of a server, of PostgreSQL, and of the load generators that have ended."""

    server: float
    postgres: float
    generator: float

    def per_request(self, before: "Cpu", requests: int) -> list[float]:
        """In µs."""
        spent = (self.server - before.server, self.postgres - before.postgres, self.generator - before.generator)
        return [1e6 * seconds / requests for seconds in spent]


@dataclass(slots=True)
class Rounds:
    """Short rounds, subject after subject, so that a busy neighbour slows all of them alike."""

    shop: Shop
    database: psycopg.Connection[Any]
    loads: dict[str, list[Load]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    cpu_us: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))

    def once(self, subject: MeasuredServer, number: int, seconds: int) -> None:
        before = self._cpu(subject)
        measured = load.run(subject.door.port, script_of(self.shop, subject.path, number), subject.path, seconds)
        self.cpu_us[subject.name].append(self._cpu(subject).per_request(before, measured.requests))
        self.loads[subject.name].append(measured)
        if subject.commits:
            (rows,) = self.database.execute("SELECT count(*) FROM inbox").fetchone() or (0,)
            self.rows[subject.name].append(rows)
            self.database.execute("TRUNCATE inbox")

    def _cpu(self, subject: MeasuredServer) -> Cpu:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        server = sum(map(cpu_seconds, subject.door.pids))
        return Cpu(server, postgres_cpu_seconds(self.database), ended.ru_utime + ended.ru_stime)

    def rate(self, name: str) -> float:
        return median(one.rate for one in self.loads[name])

    def milliseconds(self, name: str, which: str) -> float:
        times: list[float] = [getattr(one, which) for one in self.loads[name]]
        return median(times) / 1000

    def microseconds(self, name: str) -> list[float]:
        """CPU time a request: the server's, PostgreSQL's, the generator's."""
        return [median(column) for column in zip(*self.cpu_us[name], strict=True)]

    def faults(self, name: str) -> list[str]:
        """What shows that answers were not what they should be."""
        refused = sum(one.refused for one in self.loads[name])
        broken = sum(one.broken for one in self.loads[name])
        found = [f"{name}: {refused} refused, {broken} without an answer"] if refused or broken else []
        for one, rows in zip(self.loads[name], self.rows.get(name, ()), strict=False):
            # requests under way when the round ended were committed, but not counted
            if not one.requests <= rows <= one.requests + CONNECTIONS:
                found.append(f"{name}: {one.requests} answers, but {rows} rows in the inbox")
        return found


def script_of(shop: Shop, path: str, number: int) -> Script:
    """What is sent to a path of the edge; `number` makes the ids of this run its own."""
    tag = time.time_ns() // 1_000_000 + number
    if path == "/uid":
        target = f"/uid?pl={shop.platform}&plsec={shop.secret}&userid="
        return Script("uid", (target, str(tag)))
    if path == "/dp":
        return Script("dp", (f"{shop.target}&uuid=", body(150).decode(), str(tag % 1_000_000)))
    return PLAIN


def run(options: Options) -> Result:
    missing = tools.missing() if options.quick else tools.install_missing()
    rounds, seconds = (1, 1) if options.quick else (5, 4)
    with services() as found, psycopg.connect(found.database_url, autocommit=True) as database:
        measured = Rounds(open_shop(NO_PLATFORM), database)
        database.execute("TRUNCATE inbox")
        with _subjects(options.edge_workers) as subjects:
            for subject in subjects[1:]:
                measured.once(subject, 0, 1)  # warm
            measured = Rounds(measured.shop, database)
            for number in track(range(1, rounds + 1), "edge", console=console, transient=True):
                for subject in subjects:
                    measured.once(subject, number, seconds)
    return _result(measured, subjects, missing, options)


@contextmanager
def _subjects(workers: int) -> Iterator[list[MeasuredServer]]:
    with (
        reference.empty_gif() as (server, gif),
        edges("dmphub.edge_server", workers) as edge,
        edges("benchmarks.uncommitted_edge", workers) as uncommitted,
    ):
        subjects = [MeasuredServer(f"{server} {reference.PATH}", gif, reference.PATH, commits=False)]
        for path in RATES:
            subjects.append(MeasuredServer(path, edge, path, commits=True))
            subjects.append(MeasuredServer(f"{path} uncommitted", uncommitted, path, commits=False))
        yield subjects


def _result(measured: Rounds, subjects: list[MeasuredServer], missing: list[str], options: Options) -> Result:
    gif = subjects[0].name
    result = Result("edge", [_table(measured, subjects)])
    faults = [fault for subject in subjects for fault in measured.faults(subject.name)]
    why = f"{' and '.join(missing)} could not be had here" if missing else "; ".join(faults)
    for path in RATES:
        result.bounds += _bounds(measured, path, gif, why)
    result.notes = [
        f"{load.generator()} with 1 thread and {CONNECTIONS} connections, on the same machine",
        "µs: CPU time per request, which a busy neighbour does not change much; cores ÷ their sum = the most that fits",
        f"{options.edge_workers} edge process(es); medians of alternating rounds",
        "every answer of the edge was counted against the rows of the inbox",
        *faults,
        *([f"not shown, {why}: the figures above are of a Python load generator or server"] if missing else []),
    ]
    result.figures = {
        "generator": load.generator(),
        "connections": CONNECTIONS,
        "edge_workers": options.edge_workers,
        "rounds": {name: [_raw(one) for one in loads] for name, loads in measured.loads.items()},
        "rows": measured.rows,
        "cpu_us_server_postgres_generator": measured.cpu_us,
    }
    return result


def _raw(one: Load) -> dict[str, float]:
    return {name: getattr(one, name) for name in one.__struct_fields__} | {"rate": one.rate}


def _table(measured: Rounds, subjects: list[MeasuredServer]) -> Table:
    gif = measured.rate(subjects[0].name)
    rows = []
    for subject in subjects:
        rate = measured.rate(subject.name)
        uncommitted = measured.rate(f"{subject.path} uncommitted") if subject.path in RATES else None
        rows.append(
            [
                subject.name,
                shown(rate),
                shown(measured.milliseconds(subject.name, "p50_us")),
                shown(measured.milliseconds(subject.name, "p99_us")),
                f"{rate / gif:.3f}",
                f"{rate / uncommitted:.2f}" if uncommitted else "–",
                *map(shown, measured.microseconds(subject.name)),
            ]
        )
    columns = ["subject", "req/s", "p50 ms", "p99 ms", "÷ empty_gif", "÷ uncommitted", "server µs", "PostgreSQL µs"]
    return Table("edge", [*columns, "generator µs"], rows)


def _bounds(measured: Rounds, path: str, gif: str, why: str) -> list[Bound]:
    """Nothing is shown by runs with faults, or by a generator that is slower than the edge."""
    rate, p99 = measured.rate(path), measured.milliseconds(path, "p99_us")
    ratio = rate / measured.rate(gif)
    figures = [None, None, None] if why else [rate, p99, ratio]
    return [
        Bound(f"{path} committed requests", figures[0], "at least", RATES[path], "/s", why),
        Bound(f"{path} p99", figures[1], "at most", P99_MS, "ms", why),
        Bound(f"{path} ÷ empty_gif", figures[2], "at least", RATIOS[path], "", why),
    ]
