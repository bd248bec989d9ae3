"""A million memberships that end at one moment: until all are looked at, beside events that have to be absorbed too."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.crowd import Crowd, gather
from benchmarks.curve import Curve, Sample, drawn
from benchmarks.figures import percentile, shown
from benchmarks.home import forget_data
from benchmarks.open_loop import Stream
from benchmarks.programs import wait_until
from benchmarks.quiet import nothing_waits
from benchmarks.receipts import Receipts, receipts
from benchmarks.report import console
from benchmarks.shop import Shop, open_accounts, open_shop
from benchmarks.site import Sent, Site, open_site

QUICK = 5_000
RATE = 500
SEED = 20
LIMIT_SECONDS = 600.0
PARTS = 20
LEAD_SECONDS = 10.0
CHANGED_PER_SECOND = 8_000  # people whose memberships get their end before it comes
SETTLING_SECONDS = 300.0
CROWD_CUSTOMER = 2


@dataclass(frozen=True, slots=True)
class RecheckFigures:
    """`seconds`: from the moment at which they were due; None where some were left at the end of the events."""

    rows: int
    seconds: float | None
    still_in: int
    sent: Sent
    receipts: Receipts
    samples: list[Sample]


def run(options: Options) -> Result:
    rows = QUICK if options.quick else options.rows
    # as long as it may take: what is measured is beside events all the time
    seconds = 2 * LEAD_SECONDS + max(10.0, LIMIT_SECONDS * rows / 1_000_000)
    with open_site(options) as site:
        shop = open_shop(site.sandbox.segments_url)
        others = open_shop(site.sandbox.segments_url, CROWD_CUSTOMER, "crowd")
        site.wait_for(shop)
        with console.status(f"rechecks: {rows:,} people"):
            crowd = gather(site, others, rows)
            open_accounts(site.database_url, shop, SEED, int(RATE * seconds))
        figures = _play(site, shop, crowd, seconds)
    forget_data()
    return _result(figures, options)


def _play(site: Site, shop: Shop, crowd: Crowd, seconds: float) -> RecheckFigures:
    count = int(RATE * seconds)
    stream = Stream(f"{shop.target}&uuid=", SEED, count, count, RATE)
    due_at = time.time() + LEAD_SECONDS + crowd.people / CHANGED_PER_SECOND
    with console.status(f"rechecks: {crowd.people:,} memberships get their end"):
        crowd.fall_due(site, datetime.fromtimestamp(due_at, UTC))
        time.sleep(max(0.0, due_at - LEAD_SECONDS - time.time()))
    with Curve(site, max(0.5, seconds / 100)) as curve:
        with console.status(f"rechecks: {crowd.people:,} beside {RATE} events/s"), site.generator([stream]) as running:
            offered = running.finish()
        wait_until("nothing waits", nothing_waits, SETTLING_SECONDS)
    found = receipts(stream, offered.accepted[0], site.sandbox.received(shop.account))
    took = done_after(curve.samples, due_at, offered.sent.began + offered.sent.seconds)
    return RecheckFigures(crowd.people, took, crowd.still_in(site), offered.sent, found, curve.samples)


def done_after(samples: Sequence[Sample], due_at: float, end: float) -> float | None:
    """Seconds from `due_at` until a sample that found nothing left, if that was before the end of the events."""
    for sample in samples:
        if due_at + 1 < sample.at <= end and not sample.rechecks:
            return sample.at - due_at
    return None


def _result(one: RecheckFigures, options: Options) -> Result:
    why = one.sent.why_late
    limit = LIMIT_SECONDS * one.rows / 1_000_000
    p50, p99 = (percentile(one.receipts.latencies, percent) for percent in (50, 99))
    rate = one.rows / one.seconds if one.seconds else None
    every = -(-len(one.samples) // PARTS) or 1
    left = [float(sample.rechecks) for sample in one.samples[::every]]
    columns = [
        "rows",
        "seconds",
        "rows/s",
        "events p50 ms",
        "events p99 ms",
        "lost",
        "twice",
        "left",
    ]
    row = [shown(one.rows), shown(one.seconds), shown(rate), shown(p50), shown(p99), shown(one.receipts.lost)]
    row += [shown(one.receipts.twice), drawn(left, max([1.0, *left]))]
    never = "" if one.seconds is not None else "some were left at the end"
    return Result(
        "rechecks",
        [Table("rechecks", columns, [row])],
        [
            Bound(f"{one.rows:,} due rows looked at", one.seconds or float("inf"), "at most", limit, "s", never),
            Bound("memberships that ended, not left", one.still_in, "at most", 0),
            Bound("events accepted beside it", one.sent.in_time / one.sent.seconds, "at least", 0.99 * RATE, "/s", why),
            Bound("events beside it: lost or twice", one.receipts.lost + one.receipts.twice, "at most", 0),
        ],
        [f"beside {RATE} events/s, each of which makes a user a member; {options.workers} absorbing process(es)"],
        {
            "rows": one.rows,
            "seconds": one.seconds,
            "still_in": one.still_in,
            "sent": msgspec.to_builtins(one.sent),
            "p50_ms": p50,
            "p99_ms": p99,
            "lost": one.receipts.lost,
            "twice": one.receipts.twice,
            "left": [[sample.at - one.sent.began, sample.rechecks] for sample in one.samples],
        },
    )
