"""The other strategies: one call a member against a bare loop, and files against `COPY … | gzip -1`."""

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import requests

from benchmarks.absorb import Database
from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.deliver import DUE
from benchmarks.figures import shown
from benchmarks.home import services
from benchmarks.shop import ACCOUNT, Shop, open_accounts, open_shop, settle_down
from tests.support.sandbox_process import SandboxProcess

SEED = 5
CALLS, QUICK_CALLS = 6_000, 200
LINES, QUICK_LINES = 500_000, 2_000
COPY = """
COPY (SELECT platform_user_id FROM delivery WHERE activation_id = {activation} AND due_at IS NOT NULL) TO STDOUT
"""
LEFT = "SELECT count(*) FROM delivery WHERE due_at IS NOT NULL"


def run(options: Options) -> Result:
    with (
        SandboxProcess() as sandbox,
        services() as found,
        psycopg.connect(found.database_url, autocommit=True) as database,
    ):
        shop = open_shop(sandbox.segments_url)
        database.execute("TRUNCATE inbox")
        hub, bare = _calls(database, found.database_url, shop, sandbox, QUICK_CALLS if options.quick else CALLS)
        files = _files(database, found.database_url, shop, QUICK_LINES if options.quick else LINES)
    return _result(hub, bare, files)


def _calls(database: Database, url: str, shop: Shop, sandbox: SandboxProcess, count: int) -> tuple[float, float]:
    """Members a second: the hub's, and a bare loop's with as many calls at once."""
    from activation.delivery.lanes import CREATION, LANES
    from activation.models import Activation
    from integrations.models import Platform
    from pipeline import deliver

    platform = Platform.objects.get(pl=shop.platform)
    call = f"{sandbox.segments_url}?id={{{{segment_id}}}}&userid={{{{userid}}}}"
    platform.settings |= {
        "strategy": "no_batch",
        "add": {"method": "POST", "url": call},
        "remove": {"method": "DELETE", "url": call},
    }
    platform.save()
    deliver.work(shop.platform, CREATION, lambda: True)
    segment = Activation.objects.get(id=shop.activation).segment_id
    open_accounts(url, shop, SEED, count)

    def loop(number: int) -> None:
        session = requests.Session()
        session.auth = (ACCOUNT, f"{ACCOUNT}-secret")
        for member in range(number, count, LANES):
            given = {"id": str(segment), "userid": f"bare-{member}"}
            session.post(sandbox.segments_url, params=given, timeout=10).raise_for_status()

    def lane(number: int) -> None:
        while deliver.work(shop.platform, number, lambda: True):
            pass

    bare = count / _timed(lambda: _at_once(loop, LANES))
    database.execute(DUE, [shop.activation, shop.platform])
    settle_down(url)
    hub = count / _timed(lambda: _at_once(lane, LANES))
    _verify(database)
    return hub, bare


def _files(database: Database, url: str, shop: Shop, count: int) -> dict[str, float]:
    """Seconds: of `COPY | gzip -1` of what is due, of writing the file, and of the round as a whole."""
    from activation.delivery import files
    from activation.delivery.lanes import CREATION, FILES
    from activation.services import activate
    from audiences.models import Audience
    from core.models import Customer
    from integrations.models import Platform
    from pipeline import deliver

    settings = {"target": "folder", "path": "bench"}
    customer = Customer.objects.get()
    platform = Platform.objects.create(customer=customer, name="files", connector="file", settings=settings)
    activation = activate(Audience.objects.get(id=shop.audience), platform, {})
    database.execute("TRUNCATE inbox, delivery, profile, identity, user_mapping")
    deliver.work(platform.pl, CREATION, lambda: True)
    open_accounts(url, Shop(shop.pixel, platform.pl, shop.secret, shop.audience, activation.id), SEED, count)
    database.execute(DUE, [activation.id, platform.pl])
    settle_down(url)
    copied = min(_timed(lambda: _copy(database, activation.id)) for _ in range(3))
    writing = _Stopwatch(files.FileRound.write)
    with patch.object(files.FileRound, "write", writing.run):
        whole = _timed(lambda: deliver.work(platform.pl, FILES, lambda: True))
    _verify(database)
    return {"lines": count, "copy": copied, "writing": writing.seconds, "whole": whole}


class _Stopwatch:
    """Around a method."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.seconds = 0.0
        watch = self

        def run(owner: Any) -> Any:
            began = time.perf_counter()
            try:
                return method(owner)
            finally:
                watch.seconds = time.perf_counter() - began

        self.run = run


def _copy(database: Database, activation: int) -> None:
    with Path("/dev/null").open("wb") as nowhere:
        packing = subprocess.Popen(["gzip", "-1"], stdin=subprocess.PIPE, stdout=nowhere)
        assert packing.stdin is not None
        with database.cursor().copy(COPY.format(activation=activation)) as copy:
            for block in copy:
                packing.stdin.write(block)
        packing.stdin.close()
        packing.wait()


def _at_once(work: Callable[[int], None], threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _verify(database: Database) -> None:
    """Figures of wrong work are worth nothing."""
    (left,) = database.execute(LEFT).fetchone() or (0,)
    if left:
        raise RuntimeError(f"{left} deliveries are still due")


def _result(hub: float, bare: float, files: dict[str, float]) -> Result:
    lines = files["lines"]
    calls = Table(
        "no batch", ["sender", "members/s"], [["the hub", shown(hub)], ["a bare loop of requests", shown(bare)]]
    )
    written = [
        [name, shown(files[key]), shown(lines / files[key])]
        for name, key in (
            ("COPY … | gzip -1", "copy"),
            ("the file written", "writing"),
            ("the whole round", "whole"),
        )
    ]
    bounds = [
        Bound("no batch: the hub against a bare loop", hub / bare, "at least", 0.7),
        Bound("file: written, against COPY | gzip -1", files["copy"] / files["writing"], "at least", 0.3),
    ]
    notes = ["no batch: both in one process, as many calls at once as a platform has lanes"]
    notes += ["file: a whole round also uploads, and finishes every row"]
    figures = {"no_batch": {"hub": hub, "bare": bare}, "file": files}
    return Result("strategies", [calls, Table("file", ["what", "s", "lines/s"], written)], bounds, notes, figures)
