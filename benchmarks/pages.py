"""Pages of a hub with 1.5 million matches, beside one count of the same rows in the same run."""

import time
from collections.abc import Callable
from functools import partial
from statistics import median

import psycopg

from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.home import services
from benchmarks.report import console
from benchmarks.shop import CUSTOMER, Shop, open_shop

NO_PLATFORM = "http://127.0.0.1:9/segment"
FULL, QUICK = 1_500_000, 5_000
TIMES = 15
SLOWEST_MS = 200
SHARE = 0.25  # of the time that one count takes

# every second member is matched, every tenth match is still to be sent
MEMBERS = """
INSERT INTO membership (bucket, audience_id, user_id, customer_id, member, since, version)
SELECT n %% 256, %(audience)s, lpad(to_hex(n::bigint * 256 + n %% 256), 32, '0')::uuid, %(customer)s, true, now(), 1
FROM generate_series(1, 2 * %(count)s) AS n ORDER BY 1, 3
"""
MAPPINGS = """
INSERT INTO user_mapping (bucket, user_id, platform_id, platform_user_id, customer_id, epoch, extra, synced_at)
SELECT bucket, user_id, %(platform)s, 'x' || user_id, %(customer)s, 1, '{}', now()
FROM membership WHERE get_byte(uuid_send(user_id), 14) %% 2 = 0 ORDER BY bucket, user_id
"""
DELIVERIES = """
INSERT INTO delivery (bucket, activation_id, platform_user_id, platform_id, user_id, epoch, version, wanted,
                      acknowledged, due_at, changed_at)
SELECT bucket, %(activation)s, platform_user_id, platform_id, user_id, 1, 1, true, n %% 10 > 0,
       CASE WHEN n %% 10 = 0 THEN now() END, now()
FROM (SELECT *, row_number() OVER () AS n FROM user_mapping) AS m ORDER BY bucket, platform_user_id
"""
COUNT = """
SELECT count(*) FILTER (WHERE wanted), count(*) FILTER (WHERE acknowledged), count(*) FILTER (WHERE due_at IS NOT NULL)
FROM delivery WHERE bucket = ANY(%s::smallint[]) AND activation_id = %s
"""


def run(options: Options) -> Result:
    from pipeline.absorb.absorber import Absorber

    count = QUICK if options.quick else FULL
    with services() as found, psycopg.connect(found.database_url, autocommit=True) as database:
        shop = open_shop(NO_PLATFORM)
        absorber = Absorber(lambda _: None)
        while absorber.absorb():
            pass
        absorber.close()
        with console.status(f"{count:,} matches"):
            _fill(database, shop, count)
        counting = _milliseconds(lambda: database.execute(COUNT, [list(range(256)), shop.activation]).fetchone(), 3)
        pages = _pages(shop)
    return _result(count, counting, pages)


def _fill(database: "psycopg.Connection[tuple[object, ...]]", shop: Shop, count: int) -> None:
    from core.buckets import BUCKETS
    from pipeline import counts

    values = {"audience": shop.audience, "platform": shop.platform, "activation": shop.activation}
    for statement in (MEMBERS, MAPPINGS, DELIVERIES):
        database.execute(statement, {**values, "customer": CUSTOMER, "count": count})
    database.execute("VACUUM ANALYZE")
    for bucket in range(BUCKETS):
        counts.repair(bucket)
    database.execute("CHECKPOINT")


def _pages(shop: Shop) -> dict[str, float]:
    """Returns the milliseconds of each page."""
    from django.contrib.auth.models import User
    from django.test import Client

    from core.models import ApiKey

    def get(client: Client, address: str) -> None:
        answer = client.get(address)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"

    browser = Client(headers={"host": "localhost"})
    browser.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    _, key = ApiKey.issue("Benchmark", "analyst", None)
    caller = Client(headers={"host": "localhost", "authorization": f"Bearer {key}"})
    one = shop.activation
    asked = {
        "home": (browser, "/"),
        "activations": (browser, "/activation/activation/"),
        "one activation": (browser, f"/activation/activation/{one}/change/"),
        "API: activations": (caller, "/api/v1/activations/"),
        "API: pipeline": (caller, "/api/v1/pipeline/"),
    }
    return {name: _milliseconds(partial(get, *at), TIMES) for name, at in asked.items()}


def _milliseconds(work: Callable[[], object], times: int) -> float:
    """The median; the first time is not counted."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began))
    return median(taken)


def _result(count: int, counting: float, pages: dict[str, float]) -> Result:
    slowest = max(pages.values())
    rows = [[name, f"{took:,.1f}", f"{took / counting:.3f}"] for name, took in pages.items()]
    table = Table(f"pages at {count:,} matches", ["page", "ms", "of one count"], rows)
    bounds = [
        Bound("the slowest page", slowest, "at most", SLOWEST_MS, "ms"),
        Bound("the slowest page, of one count of the matches", slowest / counting, "at most", SHARE),
    ]
    notes = [f"one count of {count:,} matches takes {counting:,.1f} ms"]
    return Result("pages", [table], bounds, notes, {"matches": count, "counting_ms": counting, "pages_ms": pages})
