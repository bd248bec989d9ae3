"""What an end-to-end run measured, as tables, figures and bounds."""

from dataclasses import dataclass
from typing import Any

import msgspec

from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.figures import percentile, shown
from benchmarks.receipts import Receipts
from benchmarks.site import Sent
from benchmarks.usage import Usage

MEMORY_MB = 200.0


@dataclass(frozen=True, slots=True)
class Phase:
    """`rate` in events a second; `p99_ms` bounds accept→received."""

    rate: int
    seconds: int
    p99_ms: float

    @property
    def events(self) -> int:
        return self.rate * self.seconds

    @property
    def name(self) -> str:
        return f"{self.rate:,} events/s"


@dataclass(frozen=True, slots=True)
class FlowFigures:
    phase: Phase
    sent: Sent
    receipts: Receipts
    usage: dict[str, Usage]
    watched_seconds: float

    @property
    def latencies(self) -> list[float]:
        return self.receipts.latencies

    @property
    def accepted(self) -> int:
        return self.sent.accepted

    @property
    def rate(self) -> float:
        return self.sent.in_time / self.sent.seconds


def result(measured: list[FlowFigures], options: Options) -> Result:
    found = Result("flow", [_latency_table(measured), *(_usage_table(one) for one in measured)])
    for one in measured:
        found.bounds += _bounds(one)
    found.notes = [
        "open-loop; generator, hub and platform on one machine and clock; received = the platform's own log",
        "RSS: high-water mark, PostgreSQL's shared memory in each of its processes; PSS, sampled, shares it out",
        f"{options.edge_workers} edge and {options.workers} absorbing process(es); ten rules, one activated",
    ]
    found.figures = {one.phase.name: _raw(one) for one in measured}
    return found


def _bounds(one: FlowFigures) -> list[Bound]:
    name, expected = one.phase.name, one.phase.events
    why = one.sent.why_late
    largest = max((usage.rss_mb, who) for who, usage in one.usage.items() if not who.startswith("("))
    return [
        Bound(f"{name}: accepted", one.rate, "at least", 0.99 * one.phase.rate, "/s", why),
        Bound(
            f"{name}: accept→received p99",
            percentile(one.latencies, 99),
            "at most",
            one.phase.p99_ms,
            "ms",
            why,
        ),
        Bound(f"{name}: received, of {expected:,}", len(one.latencies), "at least", expected),
        Bound(f"{name}: received twice", one.receipts.twice, "at most", 0),
        Bound(f"{name}: memory of each process", largest[0], "at most", MEMORY_MB, "MB", f"the most: {largest[1]}"),
    ]


def _latency_table(measured: list[FlowFigures]) -> Table:
    columns = ["offered", "accepted", "200 p99 ms", "received", "lost", "twice", "p50 ms", "p99 ms", "max ms"]
    rows = []
    for one in measured:
        spread = [shown(percentile(one.latencies, percent)) for percent in (50, 99, 100)]
        counts = [shown(count) for count in (len(one.latencies), one.receipts.lost, one.receipts.twice)]
        core = f"{100 * one.sent.cpu_seconds / one.sent.seconds:.0f} %"
        row = [one.phase.name, shown(one.accepted), shown(one.sent.accept_p99_ms), *counts, *spread]
        rows.append([*row, shown(one.sent.sent_late_p99_ms), core])
    return Table("flow: accept→received", [*columns, "sent late p99 ms", "generator core"], rows)


def _usage_table(one: FlowFigures) -> Table:
    rows = []
    for name, usage in sorted(one.usage.items(), key=lambda item: -item[1].cpu_seconds):
        share = f"{100 * usage.cpu_seconds / one.watched_seconds:.0f} %"
        row = [name, str(usage.processes), shown(usage.cpu_seconds), share, shown(usage.rss_mb), shown(usage.pss_mb)]
        rows.append(row)
    columns = ["process", "number", "CPU s", "of a core", "peak RSS MB", "peak PSS MB"]
    return Table(f"flow: processes at {one.phase.name}", columns, rows)


def _raw(one: FlowFigures) -> dict[str, Any]:
    spread = {f"p{percent:g}_ms": percentile(one.latencies, percent) for percent in (1, 50, 90, 95, 99, 99.9, 100)}
    usage = {
        name: {"processes": u.processes, "cpu_seconds": u.cpu_seconds, "rss_mb": u.rss_mb, "pss_mb": u.pss_mb}
        for name, u in one.usage.items()
    }
    return {
        "rate": one.phase.rate,
        "seconds": one.phase.seconds,
        "sent": msgspec.to_builtins(one.sent),
        "accepted_per_second": one.rate,
        "latency": spread,
        "received": len(one.latencies),
        "lost": one.receipts.lost,
        "twice": one.receipts.twice,
        "watched_seconds": one.watched_seconds,
        "processes": usage,
    }
