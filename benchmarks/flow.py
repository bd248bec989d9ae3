"""The whole hub: events at a constant rate, each of which makes its user a member; until the platform has it."""

import time
from contextlib import nullcontext

from benchmarks.bounds import Options, Result
from benchmarks.flow_result import FlowFigures, Phase, result
from benchmarks.home import forget_data
from benchmarks.open_loop import Stream
from benchmarks.receipts import receipts
from benchmarks.report import console
from benchmarks.shop import Shop, open_accounts, open_shop
from benchmarks.site import Site, open_site
from benchmarks.statements import Statements
from benchmarks.usage import Watch

WARM = (500, 5)  # events a second, seconds
STALLED_SECONDS = 20.0  # without a single receipt


FULL = [Phase(1_000, 60, 300.0), Phase(4_000, 60, 1_000.0), Phase(5_000, 60, 1_000.0)]
QUICK = [Phase(500, 3, 300.0), Phase(1_000, 3, 1_000.0)]


def run(options: Options) -> Result:
    phases = QUICK if options.quick else FULL
    with open_site(options) as site:
        shop = open_shop(site.sandbox.segments_url)
        site.wait_for(shop)
        _offer(site, shop, seed=9, phase=Phase(*WARM, p99_ms=0))
        measured, statements = [], []
        for seed, phase in enumerate(phases, 10):
            with Statements(site.database_url) if options.profile else nullcontext() as sampled:
                measured.append(_offer(site, shop, seed, phase))
            statements += [sampled.table(f"flow: PostgreSQL at {phase.name}")] if sampled else []
    forget_data()
    found = result(measured, options)
    found.tables += statements
    return found


def _offer(site: Site, shop: Shop, seed: int, phase: Phase) -> FlowFigures:
    """Send a phase's events, and wait until the platform has what can be expected."""
    open_accounts(site.database_url, shop, seed, phase.events)
    before = site.received(shop.account)
    stream = Stream(f"{shop.target}&uuid=", seed, phase.events, phase.events, phase.rate)
    with console.status(f"flow: {phase.name} for {phase.seconds} s"), Watch(site.process_names) as watch:
        with site.generator([stream]) as generator:
            offered = generator.finish()
        wait_for_receipts(site, shop.account, before + offered.sent.accepted)
    found = receipts(stream, offered.accepted[0], site.sandbox.received(shop.account, before))
    return FlowFigures(phase, offered.sent, found, watch.by_name(), watch.seconds)


def wait_for_receipts(site: Site, account: str, expected: int) -> None:
    """Until all are there, or nothing has come for a while."""
    seen, since = -1, time.monotonic()
    while (now := site.received(account)) < expected and time.monotonic() - since < STALLED_SECONDS:
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.2)
