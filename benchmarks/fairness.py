"""Two customers of one hub: how long the events of the one take while the other floods it, beside when it is quiet.

The *small* customer sends at a constant rate; each event makes another user a member, whom its platform has to receive.
The *flood* is as much as the edge takes: so many connections, each of which sends its next event once it has the answer
to the last, whatever that says. It begins before the small customer's events do. It is measured twice: where the
flooding customer has a quota, and as the hub comes, where nobody has one.
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
QUOTA = 1_000  # events a second of the flooding customer, where it has a quota
QUIET, WITH_QUOTA, NO_QUOTA = "quiet", "beside a flood over its quota", "beside a flood without a quota"


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


@dataclass(frozen=True, slots=True)
class Plan:
    """Of a phase: the small customer sends for `seconds`, of users of this seed. `lead`: of the flood before."""

    name: str
    seed: int
    seconds: int
    lead: int = LEAD_SECONDS

    @property
    def events(self) -> int:
        return RATE * self.seconds


def run(options: Options) -> Result:
    missing = tools.missing() if options.quick else tools.install_missing()
    seconds, lead = (1, 1) if options.quick else (30, LEAD_SECONDS)
    with open_site(options) as site:
        small = open_shop(site.sandbox.segments_url, 1, "small")
        capped = open_shop(site.sandbox.segments_url, 2, "capped")
        flooding = open_shop(site.sandbox.segments_url, 3, "flooding")
        _give_quota(capped)
        for shop in (small, capped, flooding):
            site.wait_for(shop)
        _quiet(site, small, Plan("warm", 1, 2))
        phases = [
            _quiet(site, small, Plan(QUIET, 2, seconds)),
            _beside_flood(site, small, capped, Plan(WITH_QUOTA, 3, seconds, lead)),
            _beside_flood(site, small, flooding, Plan(NO_QUOTA, 4, seconds, lead)),
        ]
    forget_data()
    return _result(phases, missing, options)


def _quiet(site: Site, small: Shop, plan: Plan) -> Phase:
    open_accounts(site.database_url, small, plan.seed, plan.events)
    return _offer(site, small, plan)


def _beside_flood(site: Site, small: Shop, flooding: Shop, plan: Plan) -> Phase:
    open_accounts(site.database_url, small, plan.seed, plan.events)
    with _flood(site, flooding, plan.seconds + 2 * plan.lead) as flood:
        time.sleep(plan.lead)
        found = _offer(site, small, plan)
        (waiting,) = site.database.execute("SELECT count(*) FROM inbox").fetchone() or (0,)
        return replace(found, flood=flood.result(), waiting=waiting)


def _give_quota(shop: Shop) -> None:
    from core.models import Customer

    Customer.objects.filter(m=shop.customer).update(limits={"events_per_second": QUOTA})


@contextmanager
def _flood(site: Site, shop: Shop, seconds: int) -> Iterator[Future[Load]]:
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(load.run, site.edge_port, script_of(shop, "/dp", 0), "/dp", seconds)


def _offer(site: Site, shop: Shop, plan: Plan) -> Phase:
    before = site.received(shop.account)
    stream = Stream(f"{shop.target}&uuid=", plan.seed, plan.events, plan.events, RATE)
    with console.status(f"fairness: {plan.name}, {RATE} events/s for {plan.seconds} s"):
        with site.generator([stream]) as generator:
            offered = generator.finish()
        wait_for_receipts(site, shop.account, before + offered.sent.accepted)
    found = receipts(stream, offered.accepted[0], site.sandbox.received(shop.account, before))
    return Phase(plan.name, offered.sent.accepted, offered.sent.accept_p99_ms, found)


def _result(phases: list[Phase], missing: list[str], options: Options) -> Result:
    quiet, *floods = phases
    ratios = {phase.name: phase.percentile(99) / quiet.percentile(99) for phase in floods}
    lost = sum(phase.found.lost for phase in phases)
    columns = [
        "small customer",
        "200 p99 ms",
        "p50 ms",
        "p99 ms",
        "max ms",
        "flood, 200s a second",
        "refused a second",
        "inbox",
    ]
    rows = [_row(phase) for phase in phases]
    result = Result("fairness", [Table("fairness: accept→received", columns, rows)])
    why = f"{' and '.join(missing)} could not be had here" if missing else ""
    result.bounds = [
        *(Bound(f"p99 {name} ÷ quiet", ratio, "at most", TIMES_QUIET, "", why) for name, ratio in ratios.items()),
        Bound("accepted, never received", lost, "at most", 0),
    ]
    result.notes = [
        f"{load.generator()} floods with {load.CONNECTIONS} connections; all on one machine",
        f"{options.edge_workers} edge and {options.workers} absorbing process(es); ten rules, one activated, each",
        f"the quota: {QUOTA:,} events a second",
    ]
    result.figures = {"ratios": ratios, **{phase.name: _raw(phase) for phase in phases}}
    return result


def _row(phase: Phase) -> list[str]:
    flood = ["–", "–", "–"]
    if phase.flood is not None:
        accepted = (phase.flood.requests - phase.flood.refused) / phase.flood.seconds
        flood = [shown(accepted), shown(phase.flood.refused / phase.flood.seconds), shown(phase.waiting)]
    spread = [shown(phase.percentile(percent)) for percent in (50, 99, 100)]
    return [phase.name, shown(phase.accept_p99_ms), *spread, *flood]


def _raw(phase: Phase) -> dict[str, object]:
    spread = {f"p{percent}_ms": phase.percentile(percent) for percent in (50, 90, 99, 100)}
    flood = msgspec.to_builtins(phase.flood) if phase.flood else None
    return {"accepted": phase.accepted, "received": len(phase.found.delays), "latency": spread, "flood": flood}
