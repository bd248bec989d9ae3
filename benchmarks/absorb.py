"""The absorber alone, on an inbox that is full already."""

import cProfile
import io
import os
import pstats
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.figures import shown
from benchmarks.home import services
from benchmarks.report import console
from benchmarks.shop import CUSTOMER, Shop, open_accounts, open_idle_audiences, open_shop, settle_down
from benchmarks.usage import postgres_cpu_seconds
from benchmarks.users import body, user_ids
from core import buckets
from core.inbox import InboxKind
from core.messages import Event, encode

NO_PLATFORM = "http://127.0.0.1:9/segment"
SEED = 3
FULL, PROFILED, QUICK = 200_000, 40_000, 2_000
RUNS: tuple[tuple[str, int, float, bool | None], ...] = (
    ("ten audiences, every event flips", 0, 150.0, True),
    ("ten audiences, nothing flips", 0, 160.0, None),
    ("100 audiences, nothing flips", 90, 170.0, None),
    ("100 audiences, every event flips", 0, 50.0, False),
)
"""Name, audiences to be added, what everybody buys for, and whether they enter, leave (False) or stay (None)."""

PER_CORE = 8_000  # events a second, at least
BOUND_BY = RUNS[2][0]

SHOWN = 30  # functions of a profile

STATE = """
SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM bad_row),
       (SELECT count(*) FROM membership WHERE member), (SELECT count(*) FROM delivery WHERE due_at IS NOT NULL)
"""

Database = psycopg.Connection[tuple[Any, ...]]


@dataclass(slots=True)
class AbsorbCost:
    """Of some work: how long, and whose CPU."""

    seconds: float = 0.0
    python: float = 0.0
    postgres: float = 0.0

    @property
    def cpu(self) -> float:
        return self.python + self.postgres


@contextmanager
def measured(database: Database) -> Iterator[AbsorbCost]:
    """The cost of the block, filled in at its end: this process's, and that of all of PostgreSQL."""
    cost = AbsorbCost()
    postgres = postgres_cpu_seconds(database)
    began, python = time.perf_counter(), time.process_time()
    yield cost
    cost.seconds, cost.python = time.perf_counter() - began, time.process_time() - python
    cost.postgres = postgres_cpu_seconds(database) - postgres


def run(options: Options) -> Result:
    from pipeline.absorb.absorber import Absorber

    count = how_many(options)
    with services() as found, psycopg.connect(found.database_url, autocommit=True) as database:
        shop = open_shop(NO_PLATFORM)
        absorber = Absorber(lambda _: None)
        drain(absorber.absorb)
        open_accounts(found.database_url, shop, SEED, count)
        costs = {}
        for name, audiences, amount, flips in RUNS:
            if audiences:
                open_idle_audiences(shop, audiences)
            fill(database, shop, count, amount)
            settle_down(found.database_url)
            costs[name] = _timed(database, absorber.absorb, profile=options.profile)
            _verify(database, count if flips is not False else 0, count)
        absorber.close()
    return _result(costs, count)


def how_many(options: Options) -> int:
    """Rows of a run; cProfile slows every call down, and needs fewer to tell its story."""
    if options.quick:
        return QUICK
    return PROFILED if options.profile else FULL


def drain(absorb: Callable[[], int]) -> None:
    while absorb():
        pass


def fill(database: Database, shop: Shop, count: int, amount: float) -> None:
    """One event of each user, as the edge stores it."""
    data = "\\\\x" + body(amount).hex()
    at = time.time_ns() // 1_000_000
    moment = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime())
    columns = "(bucket, kind, query, body, received_at)"
    with database.cursor().copy(f"COPY inbox {columns} FROM STDIN") as copy:
        for user in user_ids(SEED, count):
            query = encode(Event(CUSTOMER, shop.pixel, at, str(user), confirmed=True)).hex()
            copy.write(f"{buckets.of_user(user)}\t{int(InboxKind.EVENT)}\t\\\\x{query}\t{data}\t{moment}\n")


def _timed(database: Database, absorb: Callable[[], int], *, profile: bool) -> AbsorbCost:
    with measured(database) as cost:
        if profile:
            profiled(lambda: drain(absorb))
        else:
            drain(absorb)
    return cost


def profiled(work: Callable[[], object]) -> None:
    """Run it under cProfile and print the functions that took longest."""
    profiler = cProfile.Profile()
    profiler.runcall(work)
    for order in ("tottime", "cumulative"):
        text = io.StringIO()
        pstats.Stats(profiler, stream=text).sort_stats(order).print_stats(SHOWN)
        console.print(text.getvalue().replace(os.getcwd() + "/", ""), highlight=False, markup=False)  # noqa: PTH109 (a prefix to leave out)


def _verify(database: Database, members: int, count: int) -> None:
    """Figures of wrong work are worth nothing."""
    state = database.execute(STATE).fetchone()
    if state is None or state[:3] != (0, 0, members):
        raise RuntimeError(f"inbox, bad rows, members are {state}, not (0, 0, {members}); {count} events")


def _result(costs: dict[str, AbsorbCost], count: int) -> Result:
    rows = [
        [
            name,
            shown(count),
            shown(count / cost.seconds),
            shown(count / cost.cpu),
            shown(cost.python),
            shown(cost.postgres),
        ]
        for name, cost in costs.items()
    ]
    columns = ["inbox", "events", "events/s", "events/s per core", "Python CPU s", "PostgreSQL CPU s"]
    notes = [
        "one absorber; the rules of all audiences are asked per event, one of them is activated",
        "per core: by the CPU time of the absorber and of all PostgreSQL processes",
    ]
    figures = {
        name: {"events": count, "seconds": cost.seconds, "python_cpu": cost.python, "postgres_cpu": cost.postgres}
        for name, cost in costs.items()
    }
    bounds = [
        Bound("absorbed a second of CPU time, with 100 audiences", count / costs[BOUND_BY].cpu, "at least", PER_CORE)
    ]
    return Result("absorb", [Table("absorb", columns, rows)], bounds, notes, figures)
