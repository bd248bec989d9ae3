"""A new activation of an audience that has a million members: until the platform holds them all."""

import time
from typing import Any

import psycopg

from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.figures import shown
from benchmarks.home import forget_data
from benchmarks.programs import wait_until
from benchmarks.report import console
from benchmarks.shop import ACCOUNT, CUSTOMER, Shop, open_accounts, open_shop
from benchmarks.site import open_site
from benchmarks.usage import Watch

SEED = 6
FULL, QUICK = 1_000_000, 5_000
LONGEST_SECONDS = 600.0
MEMBERS = """
INSERT INTO membership (bucket, audience_id, user_id, customer_id, member, since, version)
SELECT bucket, %s, user_id, %s, true, now(), 1 FROM bench_user ORDER BY bucket, user_id
"""
HUB = ("absorber", "deliverer", "sweeper", "edge", "console")


def run(options: Options) -> Result:
    count = QUICK if options.quick else FULL
    with open_site(options) as site:
        shop = open_shop(site.sandbox.segments_url)
        site.wait_for(shop)
        open_accounts(site.database_url, shop, SEED, count)
        _fill(site.database, shop)
        before = site.received(ACCOUNT)
        with console.status(f"backfill of {count:,} members"), Watch(site.process_names) as watch:
            began = time.perf_counter()
            _activate(shop)
            wait_until("every member is there", lambda: site.received(ACCOUNT) - before >= count, LONGEST_SECONDS)
            seconds = time.perf_counter() - began
        usage = watch.by_name()
    forget_data()
    return _result(count, seconds, usage)


def _fill(database: "psycopg.Connection[Any]", shop: Shop) -> None:
    """The audience has had these members for long; nobody has told the platform yet."""
    database.execute(MEMBERS, [shop.audience, CUSTOMER])
    database.execute("VACUUM ANALYZE membership")
    database.execute("CHECKPOINT")


def _activate(shop: Shop) -> None:
    """As for a new activation: every bucket is looked through."""

    from django.db import transaction

    from activation import services

    with transaction.atomic():
        services.begin_backfill(shop.activation)


def _result(count: int, seconds: float, usage: Any) -> Result:
    rows = [[name, shown(used.rss_mb), shown(used.pss_mb), shown(used.cpu_seconds)] for name, used in usage.items()]
    most = max((used.pss_mb for name, used in usage.items() if name.startswith(HUB)), default=0.0)
    bounds = [
        Bound(f"backfill of {count:,} members", seconds, "at most", 90, "s"),
        Bound("backfill: the most memory of a process of the hub", most, "at most", 300, "MB"),
    ]
    table = Table("backfill", ["process", "RSS MB", "PSS MB", "CPU s"], rows)
    figures = {"members": count, "seconds": seconds, "pss_mb": most}
    notes = [f"{count:,} members in {seconds:,.1f} s: {count / seconds:,.0f} members/s, absorbed and delivered"]
    return Result("backfill", [table], bounds, notes, figures)
