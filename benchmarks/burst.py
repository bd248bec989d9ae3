"""The whole hub under bursts: what its edge takes while everything runs beside it, and how soon all is quiet again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks import load, quiet, reference, tools
from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.edge import P99_MS, PLAIN, script_of
from benchmarks.figures import shown
from benchmarks.home import forget_data
from benchmarks.load import CONNECTIONS, Load
from benchmarks.report import console
from benchmarks.shop import Shop, open_shop
from benchmarks.site import Site, open_site
from benchmarks.usage import Usage, Watch

RATIOS = {"/uid": 0.16, "/dp": 0.13}
BURST_SECONDS = 10
QUIET_SECONDS = 30.0
GIVEN_UP_SECONDS = 300.0
LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Burst:
    """One burst. `quiet_after`: seconds from its end until nothing waited; `most_waiting`: rows of the inbox.

    `usage`: of the processes, from its beginning until all was quiet.
    """

    path: str
    load: Load
    most_waiting: int
    quiet_after: float
    usage: dict[str, Usage]
    watched_seconds: float


def run(options: Options) -> Result:
    missing = tools.missing() if options.quick else tools.install_missing()
    seconds, rounds = (1, 1) if options.quick else (BURST_SECONDS, 2)
    with open_site(options) as site, reference.empty_gif() as (server, gif):
        shop = open_shop(site.sandbox.segments_url)
        site.wait_for(shop)
        bursts: list[Burst] = []
        limits: list[Load] = []
        for path in RATIOS:
            load.run(site.edge_port, script_of(shop, path, 0), path, 1)  # warm
        _wait_until_quiet(shop)
        for number in range(rounds):
            for path in RATIOS:
                limits.append(load.run(gif.port, PLAIN, reference.PATH, max(1, seconds // 2)))
                with console.status(f"burst: {path} for {seconds} s, then until it is quiet"):
                    bursts.append(_burst(site, shop, path, number, seconds))
    forget_data()
    return _result(bursts, limits, f"{server} {reference.PATH}", missing, options)


def _burst(site: Site, shop: Shop, path: str, number: int, seconds: int) -> Burst:
    with Watch(site.process_names) as watch:
        measured = load.run(site.edge_port, script_of(shop, path, number), path, seconds)
        (waiting,) = site.database.execute("SELECT count(*) FROM inbox").fetchone() or (0,)
        quiet_after = _wait_until_quiet(shop)
    return Burst(path, measured, waiting, quiet_after, watch.by_name(), watch.seconds)


def _wait_until_quiet(shop: Shop) -> float:
    """Returns how long that took, in seconds."""
    began = time.monotonic()
    while not quiet.is_quiet(shop.activation):
        if time.monotonic() - began > GIVEN_UP_SECONDS:
            break
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def _result(bursts: list[Burst], limits: list[Load], gif: str, missing: list[str], options: Options) -> Result:
    limit = median(one.rate for one in limits)
    result = Result("burst", [_table(bursts, limit, gif), *map(_usage_table, bursts[: len(RATIOS)])])
    why = f"{' and '.join(missing)} could not be had here" if missing else _faults(bursts)
    for path in RATIOS:
        result.bounds += _bounds([one for one in bursts if one.path == path], limit, why)
    result.notes = [
        f"the whole hub, the platform's sandbox, {load.generator()} with {CONNECTIONS} connections: one machine",
        "the limit is measured before each burst, while the hub is quiet; medians",
        f"{options.edge_workers} edge and {options.workers} absorbing process(es); ten rules, one activated",
    ]
    result.figures = {"empty_gif": [one.rate for one in limits], "bursts": [_raw(one) for one in bursts]}
    return result


def _faults(bursts: list[Burst]) -> str:
    found = [f"{one.path}: {one.load.refused} refused, {one.load.broken} without an answer" for one in bursts]
    return "; ".join(text for one, text in zip(bursts, found, strict=True) if one.load.refused or one.load.broken)


def _bounds(bursts: list[Burst], limit: float, why: str) -> list[Bound]:
    def middle(of: Callable[[Burst], float]) -> float | None:
        return None if why else median(map(of, bursts))

    path = bursts[0].path
    least = RATIOS[path]
    return [
        Bound(f"burst {path} ÷ empty_gif", middle(lambda one: one.load.rate / limit), "at least", least, "", why),
        Bound(f"burst {path} p99", middle(lambda one: one.load.p99_us / 1000), "at most", P99_MS, "ms", why),
        Bound(f"burst {path}: quiet after", middle(lambda one: one.quiet_after), "at most", QUIET_SECONDS, "s", why),
    ]


def _table(bursts: list[Burst], limit: float, gif: str) -> Table:
    rows = [[gif, shown(limit), "–", "–", "1", "–", "–"]]
    for one in bursts:
        latencies = [shown(us / 1000) for us in (one.load.p50_us, one.load.p99_us)]
        after = [shown(one.most_waiting), shown(one.quiet_after)]
        rows.append([one.path, shown(one.load.rate), *latencies, f"{one.load.rate / limit:.3f}", *after])
    columns = ["burst", "req/s", "p50 ms", "p99 ms", "÷ empty_gif", "inbox at its end", "quiet after s"]
    return Table("burst", columns, rows)


def _usage_table(one: Burst) -> Table:
    rows = [
        [name, shown(usage.cpu_seconds), f"{100 * usage.cpu_seconds / one.watched_seconds:.0f} %"]
        for name, usage in sorted(one.usage.items(), key=lambda item: -item[1].cpu_seconds)
    ]
    return Table(f"burst: processes at {one.path}, until quiet", ["process", "CPU s", "of a core"], rows)


def _raw(one: Burst) -> dict[str, Any]:
    return {
        "path": one.path,
        "rate": one.load.rate,
        "p50_us": one.load.p50_us,
        "p99_us": one.load.p99_us,
        "most_waiting": one.most_waiting,
        "quiet_after": one.quiet_after,
        "cpu_seconds": {name: usage.cpu_seconds for name, usage in one.usage.items()},
    }
