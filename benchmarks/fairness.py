"""Two customers of one hub: how long the events of the one take while the other floods it, beside when it is quiet.

The *small* customer sends at a constant rate; each event makes another user a member, whom its platform has to receive.
The *flood* is as much as the edge takes: so many connections, each of which sends its next event once it has the answer
to the last. That is several times what is absorbed.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import msgspec

from benchmarks import load, tools
from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.edge import script_of
from benchmarks.figures import percentile, shown
from benchmarks.flow import wait_for_receipts
from benchmarks.home import forget_data
from benchmarks.load import Load
from benchmarks.open_loop import Stream
from benchmarks.receipts import Receipts, receipts
from benchmarks.report import console
from benchmarks.shop import Shop, open_accounts, open_shop
from benchmarks.site import Site, open_site

RATE = 200  # events a second of the small customer
TIMES_QUIET = 2.0
LEAD_SECONDS = 3  # of the flood before the small customer's events begin


@dataclass(frozen=True, slots=True)
class Phase:
    """The small customer's events of one phase: what was received of them, and what else was offered meanwhile."""

    name: str
    accepted: int
    accept_p99_ms: float
    found: Receipts
    flood: Load | None = None
    waiting: int = 0

    def percentile(self, percent: float) -> float:
        return percentile(self.found.latencies, percent)


def run(options: Options) -> Result:
    missing = tools.missing() if options.quick else tools.install_missing()
    seconds, lead = (2, 1) if options.quick else (30, LEAD_SECONDS)
    with open_site(options) as site:
        small = open_shop(site.sandbox.segments_url, 1, "small")
        flooding = open_shop(site.sandbox.segments_url, 2, "flooding")
        for shop in (small, flooding):
            site.wait_for(shop)
        _phase(site, small, "warm", 1, 2)
        phases = [_phase(site, small, "quiet", 2, seconds)]
        with _flood(site, flooding, seconds + 2 * lead) as flood:
            time.sleep(lead)
            found = _phase(site, small, "beside the flood", 3, seconds)
            (waiting,) = site.database.execute("SELECT count(*) FROM inbox").fetchone() or (0,)
            phases.append(replace(found, flood=flood.result(), waiting=waiting))
    forget_data()
    return _result(phases, missing, options)


@contextmanager
def _flood(site: Site, shop: Shop, seconds: int) -> Iterator[Future[Load]]:
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(load.run, site.edge_port, script_of(shop, "/dp", 0), "/dp", seconds)


def _phase(site: Site, shop: Shop, name: str, seed: int, seconds: int) -> Phase:
    open_accounts(site.database_url, shop, seed, RATE * seconds)
    before = site.received(shop.account)
    stream = Stream(f"{shop.target}&uuid=", seed, RATE * seconds, RATE * seconds, RATE)
    with console.status(f"fairness: {name}, {RATE} events/s for {seconds} s"):
        with site.generator([stream]) as generator:
            offered = generator.finish()
        wait_for_receipts(site, shop.account, before + offered.sent.accepted)
    found = receipts(stream, offered.accepted[0], site.sandbox.received(shop.account, before))
    return Phase(name, offered.sent.accepted, offered.sent.accept_p99_ms, found)


def _result(phases: list[Phase], missing: list[str], options: Options) -> Result:
    quiet, beside = phases
    ratio = beside.percentile(99) / quiet.percentile(99)
    lost = sum(phase.found.lost for phase in phases)
    columns = ["small customer", "200 p99 ms", "p50 ms", "p99 ms", "max ms", "flood, 200s a second", "refused", "inbox"]
    rows = [_row(phase) for phase in phases]
    result = Result("fairness", [Table("fairness: accept→received", columns, rows)])
    why = f"{' and '.join(missing)} could not be had here" if missing else ""
    result.bounds = [
        Bound("p99 beside a flood ÷ quiet", ratio, "at most", TIMES_QUIET, "", why),
        Bound("accepted, never received", lost, "at most", 0),
    ]
    result.notes = [
        f"{load.generator()} floods with {load.CONNECTIONS} connections; all on one machine",
        f"{options.edge_workers} edge and {options.workers} absorbing process(es); ten rules, one activated, each",
    ]
    result.figures = {"ratio": ratio, **{phase.name: _raw(phase) for phase in phases}}
    return result


def _row(phase: Phase) -> list[str]:
    flood = ["–", "–", "–"]
    if phase.flood is not None:
        accepted = (phase.flood.requests - phase.flood.refused) / phase.flood.seconds
        flood = [shown(accepted), shown(phase.flood.refused), shown(phase.waiting)]
    spread = [shown(phase.percentile(percent)) for percent in (50, 99, 100)]
    return [phase.name, shown(phase.accept_p99_ms), *spread, *flood]


def _raw(phase: Phase) -> dict[str, object]:
    spread = {f"p{percent}_ms": phase.percentile(percent) for percent in (50, 90, 99, 100)}
    flood = msgspec.to_builtins(phase.flood) if phase.flood else None
    return {"accepted": phase.accepted, "received": len(phase.found.delays), "latency": spread, "flood": flood}
