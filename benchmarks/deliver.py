"""The deliver stage alone: rows that are due, and a platform that takes a thousand a request."""

from concurrent.futures import ThreadPoolExecutor

import psycopg

from benchmarks.absorb import AbsorbCost, Database, how_many, measured, profiled
from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.figures import shown
from benchmarks.home import services
from benchmarks.shop import ACCOUNT, Shop, open_accounts, open_shop, settle_down
from benchmarks.usage import cpu_seconds
from tests.support.sandbox_process import SandboxProcess

SEED = 4

DUE = """
INSERT INTO delivery (bucket, activation_id, platform_user_id, platform_id, user_id, epoch, version, wanted,
                      acknowledged, due_at, changed_at)
SELECT id_bucket, %s, platform_user_id, %s, user_id, 1, 1, true, false, now(), now() FROM bench_user
ORDER BY id_bucket, platform_user_id
"""
LEFT = "SELECT count(*) FILTER (WHERE due_at IS NOT NULL), count(*) FILTER (WHERE acknowledged) FROM delivery"


def run(options: Options) -> Result:
    count = how_many(options)
    with (
        SandboxProcess() as sandbox,
        services() as found,
        psycopg.connect(found.database_url, autocommit=True) as database,
    ):
        shop = open_shop(sandbox.segments_url)
        database.execute("TRUNCATE inbox")
        _create_segment(shop)
        open_accounts(found.database_url, shop, SEED, count)
        database.execute(DUE, [shop.activation, shop.platform])
        settle_down(found.database_url)
        before, requests = cpu_seconds(sandbox.pid), _held(sandbox)[1]
        with measured(database) as cost:
            if options.profile:
                profiled(lambda: _send(shop, 1))
            else:
                _send_all(database, shop)
        at_sandbox = cpu_seconds(sandbox.pid) - before
        received, after = _held(sandbox)
        _verify(database, received, count)
    return _result(cost, count, after - requests, at_sandbox)


def _create_segment(shop: Shop) -> None:
    from activation.delivery.lanes import CREATION
    from pipeline import deliver

    deliver.work(shop.platform, CREATION, lambda: True)


def _lanes() -> int:
    from activation.delivery.lanes import LANES

    return LANES


def _send_all(database: Database, shop: Shop) -> None:
    """A lane may stop early, when the configuration was read anew; the hub's sweeper would start it again."""
    left = 0
    while (due := _left(database)[0]) != left and due:
        left = due
        _send(shop, _lanes())


def _left(database: Database) -> tuple[int, int]:
    """How many are due, and how many acknowledged."""
    due, acknowledged = database.execute(LEFT).fetchone() or (0, 0)
    return due, acknowledged


def _send(shop: Shop, at_once: int) -> None:
    """Every lane until it is empty; all at once, as the hub's threads do it, or one after another."""
    from pipeline import deliver

    def empty(lane: int) -> None:
        while deliver.work(shop.platform, lane, lambda: True):
            pass

    if at_once == 1:
        for lane in range(_lanes()):
            empty(lane)
        return
    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(empty, range(_lanes())))


def _held(sandbox: SandboxProcess) -> tuple[int, int]:
    """How many members and requests the platform has seen."""
    account = sandbox.state(ACCOUNT, members=False)["generic"][ACCOUNT]
    return sum(segment["size"] for segment in account["segments"].values()), account["requests"]


def _verify(database: Database, received: int, count: int) -> None:
    """Figures of wrong work are worth nothing."""
    left = _left(database)
    if received != count or left != (0, count):
        raise RuntimeError(f"the platform holds {received} of {count} members; due, acknowledged are {left}")


def _result(cost: AbsorbCost, count: int, requests: int, at_sandbox: float) -> Result:
    row = [shown(count), shown(requests), shown(count / cost.seconds), shown(count / cost.cpu)]
    row += [shown(cost.python), shown(cost.postgres), shown(at_sandbox)]
    columns = ["members", "requests", "members/s", "members/s per core", "Python CPU s", "PostgreSQL CPU s"]
    notes = ["all lanes of one platform, batches of at most 1,000; per core: without the sandbox's CPU time"]
    figures = {
        "members": count,
        "requests": requests,
        "seconds": cost.seconds,
        "python_cpu": cost.python,
        "postgres_cpu": cost.postgres,
        "sandbox_cpu": at_sandbox,
    }
    bounds = [Bound("micro batch of 1,000", count / cost.seconds, "at least", 20_000, "members/s")]
    return Result("deliver", [Table("deliver", [*columns, "sandbox CPU s"], [row])], bounds, notes, figures)
