"""What a soak measured, minute by minute, as tables, a curve and bounds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isnan, nan
from statistics import fmean
from typing import Any

import msgspec

from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.curve import Process, Sample, drawn, in_slices
from benchmarks.figures import percentile, shown
from benchmarks.open_loop import Stream
from benchmarks.receipts import Receipts
from benchmarks.shop import Shop
from benchmarks.site import Sent

MINUTES = 15
P99_MS = 1_000.0
GROWTH = 1.2
WARM_MINUTES = 2  # by then every program has done once what it does
# A session of PostgreSQL keeps a plan of each statement it has met. The last kind of load begins at minute 8, a resync.
SESSION_WARM_MINUTES = 9
SESSION = "postgres"  # how the names of PostgreSQL's processes begin
SINGLE = {"manage.py up", "postgres", "redis", "edge-1", "console", "absorber-1", "deliverer", "sweeper", "importer"}
# what a process may grow by although it is more than a fifth of it: pages that an allocator keeps
LEAST_GROWTH_MB = 2.0


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer, and the events that it sends."""

    shop: Shop
    stream: Stream


@dataclass(frozen=True, slots=True)
class Difference:
    """Ids that a platform lacks, and that it holds although they are no members."""

    missing: int
    wrong: int


@dataclass(frozen=True, slots=True)
class TenantFigures:
    """`sent` events, of which so many had a 200; `counted`: those that the profiles count.

    `repeated`: rows that changed nothing at the platform, of which a resync sent `resent`. `dead`: dead letters.
    """

    sent: int
    accepted: int
    counted: int
    difference: Difference
    repeated: int
    resent: int
    dead: int

    @property
    def lost(self) -> int:
        """Events that had a 200 and are counted nowhere."""
        return max(0, self.accepted - self.counted)

    @property
    def twice(self) -> int:
        """Events that are counted although they were not sent: those without a 200 may be counted or not."""
        return max(0, self.counted - self.sent)


@dataclass(frozen=True, slots=True)
class SoakFigures:
    """`settled_seconds`: from the last event until nothing waited. `still_in`: of the crowd that had to leave.

    `tenants`: the first is the healthy one, whose platform's `receipts` are these; its changes are received once.
    """

    seconds: float
    rate: int
    sent: Sent
    samples: list[Sample]
    settled_seconds: float
    still_in: int
    tenants: dict[str, TenantFigures]
    receipts: Receipts
    trouble: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class MinuteFigures:
    """Of one fifteenth of the soak; latencies in ms, of what was accepted in it. What waits: the most in it; NaN where
    nobody looked.
    """

    changes: int
    p50: float
    p99: float
    longest: float
    inbox: float
    deliveries: float
    rechecks: float
    pss: float


def result(one: SoakFigures, options: Options) -> Result:
    minutes, growths = by_minute(one), growth(one)
    found = Result("soak", [_minutes_table(minutes), _curve(minutes), _memory_table(one), _tenants_table(one)])
    found.bounds = _bounds(one, minutes, growths)
    found.notes = [
        f"{one.rate:,} events/s for {one.seconds / 60:g} minutes; a minute stands for a fifteenth of it",
        f"{options.edge_workers} edge and {options.workers} absorbing process(es)",
        f"nothing waited {one.settled_seconds:.0f} s after the last event",
        "snapshot from minute 3 to 13, memberships end at minute 5, resync at 8, platforms fail from 1 to 13",
        "latency: from the 200 at the generator until the healthy customer's platform has the change, by its own log",
        "memory of a process: PSS without shared memory (PostgreSQL's buffers have a fixed size), mean of a minute",
        f"warm: programs in minute {WARM_MINUTES}, sessions of PostgreSQL in minute {SESSION_WARM_MINUTES}",
    ]
    found.figures = _raw(one, minutes, growths)
    return found


def by_minute(one: SoakFigures) -> list[MinuteFigures]:
    delays: list[list[float]] = [[] for _ in range(MINUTES)]
    for at, delay in one.receipts.delays:
        delays[min(MINUTES - 1, max(0, int((at - one.sent.began) / one.seconds * MINUTES)))].append(1000 * delay)
    found = []
    for latencies, samples in zip(delays, _slices(one), strict=True):
        ordered = sorted(latencies)
        p50, p99, longest = (percentile(ordered, percent) for percent in (50, 99, 100))
        found.append(
            MinuteFigures(
                changes=len(ordered),
                p50=p50,
                p99=p99,
                longest=longest,
                inbox=max((each.inbox for each in samples), default=nan),
                deliveries=max((each.deliveries for each in samples), default=nan),
                rechecks=max((each.rechecks for each in samples), default=nan),
                pss=fmean([sum(used.pss for used in each.memory.values()) for each in samples] or [nan]),
            )
        )
    return found


def growth(one: SoakFigures) -> dict[Process, list[float]]:
    """MB of each process of the hub in each minute from the first warm one on; of those that were always there."""
    slices = _slices(one)[WARM_MINUTES - 1 :]
    if not all(slices):
        return {}
    always = set.intersection(*(set(_of_hub(each)) for part in slices for each in part))
    return {
        process: [fmean(each.memory[process].own for each in part) for part in slices] for process in sorted(always)
    }


def started_again(one: SoakFigures) -> list[str]:
    """The hub's programs that ended and were started again, by name."""
    pids: dict[str, set[int]] = defaultdict(set)
    for each in one.samples:
        for name, pid in _of_hub(each):
            pids[name].add(pid)
    return [name for name, found in pids.items() if len(found) > 1 and name in SINGLE]


def _of_hub(sample: Sample) -> list[Process]:
    return [process for process in sample.memory if not process[0].startswith("(")]


def grown_beyond(name: str, values: Sequence[float]) -> float:
    """How many times as much as when it was warm a process used at the most; 1 where it is a matter of few MB.

    `values`: of each minute from `WARM_MINUTES` on.
    """
    warm = values[SESSION_WARM_MINUTES - WARM_MINUTES :] if name.startswith(SESSION) else values
    least, most = warm[0], max(warm)
    return 1.0 if most - least <= LEAST_GROWTH_MB or not least else most / least


def _slices(one: SoakFigures) -> list[list[Sample]]:
    return in_slices(one.samples, one.sent.began, one.seconds, MINUTES)


def _bounds(one: SoakFigures, minutes: list[MinuteFigures], growths: dict[Process, list[float]]) -> list[Bound]:
    why = one.sent.why_late
    worst, minute = max((each.p99 if each.changes else float("inf"), n) for n, each in enumerate(minutes, 1))
    grown, who = max(
        ((grown_beyond(name, values), name) for (name, _), values in growths.items()), default=(None, "nobody")
    )
    healthy, *others = one.tenants.values()
    everybody, ended = (healthy, *others), started_again(one)
    return [
        Bound("accepted", one.sent.in_time / one.seconds, "at least", 0.99 * one.rate, "/s", why),
        Bound("accept→received p99 of the worst minute", worst, "at most", P99_MS, "ms", f"minute {minute}"),
        Bound("memory of each process, of that when warm", grown, "at most", GROWTH, "times", f"the most: {who}"),
        Bound("healthy: accepted, never received", one.receipts.lost, "at most", 0),
        Bound("healthy: received twice or wrongly", one.receipts.twice, "at most", 0),
        Bound("healthy: dead letters", healthy.dead, "at most", 0),
        Bound("events that no profile counts", sum(each.lost for each in everybody), "at most", 0),
        Bound("events counted twice", sum(each.twice for each in everybody), "at most", 0),
        Bound("members that platforms lack", sum(each.difference.missing for each in everybody), "at most", 0),
        Bound("ids that platforms hold too much", sum(each.difference.wrong for each in everybody), "at most", 0),
        Bound("sent again without need", _needless(one), "at most", 0, "", "platforms without trouble"),
        Bound("memberships that ended, not left", one.still_in, "at most", 0),
        Bound("programs that ended", len(ended), "at most", 0, "", ", ".join(ended)),
    ]


def _needless(one: SoakFigures) -> int:
    """Rows that changed nothing, beside those of the resync, where the platform always confirmed what it took."""
    calm = [each for name, each in one.tenants.items() if name not in one.trouble]
    return sum(abs(each.repeated - each.resent) for each in calm)


def _minutes_table(minutes: list[MinuteFigures]) -> Table:
    columns = ["minute", "changes", "p50 ms", "p99 ms", "max ms", "inbox", "due", "rechecks left", "hub PSS MB"]
    rows = []
    for number, each in enumerate(minutes, 1):
        latencies = [shown(value) for value in (each.p50, each.p99, each.longest)]
        waiting = [shown(value) for value in (each.inbox, each.deliveries, each.rechecks)]
        rows.append([str(number), shown(each.changes), *latencies, *waiting, shown(each.pss)])
    return Table("soak: by minute", columns, rows)


def _curve(minutes: list[MinuteFigures]) -> Table:
    """Each line from minute 1 to 15, as high as its own highest value; p99 beside its bound."""
    lines = []
    for name, field, least in (
        ("p50 ms", "p50", P99_MS),
        ("p99 ms", "p99", P99_MS),
        ("inbox", "inbox", 1.0),
        ("due", "deliveries", 1.0),
        ("rechecks left", "rechecks", 1.0),
        ("hub PSS MB", "pss", 1.0),
    ):
        values = [float(getattr(each, field)) for each in minutes]
        most = max([least, *(value for value in values if not isnan(value))])
        lines.append([name, drawn(values, most), shown(most)])
    return Table("soak: the curve", ["", f"minute 1 to {MINUTES}", "the highest bar"], lines)


def _memory_table(one: SoakFigures) -> Table:
    growths = growth(one)
    rows = []
    for (name, pid), values in sorted(growths.items(), key=lambda item: -max(item[1])):
        changes = [later - earlier for earlier, later in pairwise(values)]
        last = shown(sum(changes[len(changes) // 2 :]))
        bars = drawn(values, max(values) or 1.0)
        rows.append([f"{name} {pid}", bars, shown(values[0]), shown(max(values)), shown(values[-1]), last])
    columns = ["process", "minute 2 on", "minute 2 MB", "most MB", "end MB", "grown in the second half MB"]
    return Table("soak: memory of those that were there all the time", columns, rows)


def _tenants_table(one: SoakFigures) -> Table:
    rows = []
    for name, each in one.tenants.items():
        events = [shown(value) for value in (each.sent, each.accepted, each.counted)]
        held = [shown(value) for value in (each.difference.missing, each.difference.wrong)]
        rows.append([name, *events, *held, shown(each.repeated), shown(each.resent), shown(each.dead)])
    columns = ["customer", "events", "200", "counted", "missing", "wrong", "repeated", "of a resync", "dead letters"]
    return Table("soak: what became of it", columns, rows)


def _raw(one: SoakFigures, minutes: list[MinuteFigures], growths: dict[Process, list[float]]) -> dict[str, Any]:
    return {
        "seconds": one.seconds,
        "rate": one.rate,
        "settled_seconds": one.settled_seconds,
        "sent": msgspec.to_builtins(one.sent),
        "minutes": msgspec.to_builtins(minutes),
        "memory_mb": {f"{name} {pid}": values for (name, pid), values in growths.items()},
        "tenants": msgspec.to_builtins(one.tenants),
        "lost": one.receipts.lost,
        "twice": one.receipts.twice,
    }
