"""The whole hub: events at a constant rate, each of which makes its user a member; until the platform has it."""

import array
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from benchmarks import quiet
from benchmarks.bounds import Options, Result
from benchmarks.flow_result import FlowFigures, Phase, Sent, result
from benchmarks.home import forget_data
from benchmarks.open_loop import MARK
from benchmarks.programs import answers, complaints, hub, running, wait_until
from benchmarks.report import console
from benchmarks.shop import ACCOUNT, CUSTOMER, Shop, open_accounts, open_shop
from benchmarks.statements import Statements
from benchmarks.usage import Watch, backends, children
from benchmarks.users import platform_user_id
from core import environment
from local import embedded
from tests.support.sandbox_process import SandboxProcess

AMOUNT = "150"
WARM = (500, 5)  # events a second, seconds
STALLED_SECONDS = 20.0  # without a single receipt


FULL = [Phase(1_000, 60, 300.0), Phase(4_000, 60, 1_000.0)]
QUICK = [Phase(500, 3, 300.0), Phase(1_000, 3, 1_000.0)]


@dataclass(frozen=True, slots=True)
class Site:
    """A hub that runs, its shop, and the platform."""

    hub_pid: int
    edge_port: int
    shop: Shop
    sandbox: SandboxProcess
    database: psycopg.Connection[Any]


def run(options: Options) -> Result:
    phases = QUICK if options.quick else FULL
    url = embedded.addresses(environment.read(None)).database_url
    with _site(options) as site:
        _offer(site, seed=9, phase=Phase(*WARM, p99_ms=0))
        measured, statements = [], []
        for seed, phase in enumerate(phases, 10):
            with Statements(url) if options.profile else nullcontext() as sampled:
                measured.append(_offer(site, seed, phase))
            statements += [sampled.table(f"flow: PostgreSQL at {phase.name}")] if sampled else []
    forget_data()
    found = result(measured, options)
    found.tables += statements
    return found


@contextmanager
def _site(options: Options) -> Iterator[Site]:
    url = embedded.addresses(environment.read(None)).database_url
    with (
        SandboxProcess() as sandbox,
        hub(options.edge_workers, options.workers) as (pid, port),
        psycopg.connect(url, autocommit=True) as database,
    ):
        shop = open_shop(sandbox.segments_url)
        target = f"/dp?m={CUSTOMER}&id={shop.pixel}&_nr=1"
        wait_until("the edge knows the shop", lambda: answers(port, target))
        wait_until("the shop is built", lambda: quiet.is_quiet(shop.activation))
        yield Site(pid, port, shop, sandbox, database)


def _offer(site: Site, seed: int, phase: Phase) -> FlowFigures:
    """Send a phase's events, and wait until the platform has what can be expected."""
    url = embedded.addresses(environment.read(None)).database_url
    open_accounts(url, site.shop, seed, phase.events)
    before = _received(site)
    file = Path(os.environ["DMPHUB_HOME"]) / "accepted"
    with console.status(f"flow: {phase.name} for {phase.seconds} s"), Watch(lambda: _names(site)) as watch:
        sent = _send(site, seed, phase, file)
        _wait_for_receipts(site, before + sent.statuses.get(200, 0))
    accepted = array.array("d")
    accepted.frombytes(file.read_bytes())
    latencies, lost, twice = _compare(site, seed, accepted, before)
    return FlowFigures(phase, sent, latencies, lost, twice, watch.by_name(), watch.seconds)


def _send(site: Site, seed: int, phase: Phase, file: Path) -> Sent:
    target = f"/dp?m={CUSTOMER}&id={site.shop.pixel}&uuid="
    numbers = [str(number) for number in (seed, 0, phase.events, phase.rate)]
    command = [sys.executable, "-m", "benchmarks.open_loop", str(site.edge_port), target, *numbers, AMOUNT, str(file)]
    with running(command) as process:
        said, _ = process.communicate(timeout=phase.seconds + 120)
    line = next((line for line in said.splitlines() if line.startswith(MARK)), None)
    if line is None:
        raise RuntimeError(f"the generator ended with {process.returncode}:\n{complaints()}")
    return msgspec.json.decode(line.removeprefix(MARK), type=Sent)


def _received(site: Site) -> int:
    """How many rows the platform has been sent so far."""
    accounts = site.sandbox.state(ACCOUNT, members=False)["generic"]
    account = accounts.get(ACCOUNT, {})
    return int(account.get("adds", 0)) + int(account.get("removes", 0))


def _wait_for_receipts(site: Site, expected: int) -> None:
    """Until all are there, or nothing has come for a while."""
    seen, since = -1, time.monotonic()
    while (now := _received(site)) < expected and time.monotonic() - since < STALLED_SECONDS:
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.2)


def _compare(site: Site, seed: int, accepted: "array.array[float]", before: int) -> tuple[list[float], int, int]:
    """Accept→received in ms, sorted; how many were never received; how many more than once, or wrongly."""
    numbers = {platform_user_id(seed, number): number for number in range(len(accepted))}
    first: dict[int, float] = {}
    twice = 0
    for _, at, operation, _, user in site.sandbox.received(ACCOUNT, before):
        number = numbers[user]
        twice += operation != "add" or number in first
        first.setdefault(number, at)
    latencies = [1000 * (at - accepted[number]) for number, at in first.items() if accepted[number]]
    lost = sum(1 for number, at in enumerate(accepted) if at and number not in first)
    return sorted(latencies), lost, twice


def _names(site: Site) -> dict[int, str]:
    """The hub's processes, PostgreSQL's among them by what they do."""
    record = Path(os.environ["DMPHUB_HOME"]) / "run" / "processes.json"
    named = {pid: name for name, pid in json.loads(record.read_text(encoding="utf-8")).items()}
    named[site.hub_pid] = "manage.py up"
    for pid, parent in children([site.hub_pid]).items():
        if pid not in named:
            named[pid] = named.get(parent, "other") + " child"
    named |= {pid: name for pid, name in backends(site.database).items() if pid in named}
    return named | {site.sandbox.pid: "(sandbox)"}
