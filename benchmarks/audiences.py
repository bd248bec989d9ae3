"""Audiences over a million synthetic people: estimates, builds, what an event costs, what a rebuild does to others."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from benchmarks.absorb import Database, drain
from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.events_among_audiences import Costs, compare
from benchmarks.figures import percentile, shown
from benchmarks.home import services
from benchmarks.probes import Probes

CUSTOMER = 1
FULL, QUICK = 1_000_000, 10_000
ASKED = 20  # times, of each rule
ROUNDS = 2
SETTLE = "VACUUM ANALYZE profile, membership, user_mapping, audience_bucket, inbox"

Rule = dict[str, Any]


@dataclass(slots=True)
class Build:
    """`counted`: seconds of a bare SELECT count(*) with the same predicate."""

    seconds: float
    counted: float
    members: int


@dataclass(slots=True)
class Figures:
    people: int
    estimates: list[float] = field(default_factory=list)
    builds: dict[str, Build] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    costs: Costs | None = None


def rules(pixel: int) -> dict[str, Rule]:
    """By what a build of them has to write."""
    return {
        "attributes": _all(("attribute.Country", "=", "DE"), ("attribute.Orders", ">=", 2)),
        "attributes, many": _all(("attribute.Age", ">=", 30)),
        "windows": _all(("attribute.Age", ">=", 30), (f"pixel.{pixel}.last", "withinLast", "P30D")),
        "counts": {
            "combinator": "and",
            "rules": [{"field": f"pixel.{pixel}.count", "operator": ">=", "value": 3, "days": 30}],
        },
    }


def run(options: Options) -> Result:
    from local.synthetic.generation import generate
    from profiles.models import Pixel

    figures = Figures(QUICK if options.quick else FULL)
    with services() as found, psycopg.connect(found.database_url, autocommit=True) as database:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        generate(CUSTOMER, figures.people, 1, yesterday, lambda _: None)
        pixel = Pixel.objects.order_by("pk")[0].pk
        database.execute(SETTLE)
        for name, rule in rules(pixel).items():
            _estimate(figures, rule)
            _build(figures, database, name, rule)
        _rebuild_beside_events(figures, database, pixel)
        figures.costs = compare(database, quick=options.quick)
    return _result(figures)


def _estimate(figures: Figures, rule: Rule) -> None:
    from audiences.estimates import estimate_rule
    from audiences.rules.parse import parse
    from audiences.schema import schema_of

    for _ in range(ASKED):
        began = time.perf_counter()
        estimate_rule(CUSTOMER, parse(rule, schema_of(CUSTOMER)))
        figures.estimates.append(time.perf_counter() - began)


def _build(figures: Figures, database: Database, name: str, rule: Rule) -> None:
    """The first build writes every member, a rebuild only what differs: the first is told."""
    from audiences.services import create_audience, size
    from core.models import Customer

    counted = min(_timed(lambda: _count(database, rule)) for _ in range(ROUNDS))
    audience = create_audience(Customer.objects.get(pk=CUSTOMER), name, rule)
    seconds = _timed(work_off)
    if size(audience) != _count(database, rule):
        raise RuntimeError(f"{name}: {size(audience)} members, not {_count(database, rule)}")
    figures.builds[name] = Build(seconds, counted, size(audience))
    database.execute(SETTLE)


def _count(database: Database, rule: Rule) -> int:
    """As one who knows the rule would ask by hand."""
    from audiences.building import ELIGIBLE, TABLES
    from audiences.rules.parse import parse
    from audiences.rules.sql import to_sql
    from audiences.schema import schema_of

    text, values = to_sql(parse(rule, schema_of(CUSTOMER)), now_ms=time.time_ns() // 1_000_000, tables=TABLES)
    query = f"SELECT count(*) FROM profile p WHERE p.customer_id = {CUSTOMER} AND {ELIGIBLE} AND {text}"
    (found,) = database.execute(query, values).fetchone() or (0,)
    return int(found)


def work_off() -> None:
    """All that waits, by an absorber on each of two cores."""
    with absorbers(lambda absorber: drain(absorber.absorb)):
        pass


@contextmanager
def absorbers(work: Callable[[Any], None]) -> Iterator[None]:
    """Two, until they have done their work."""
    from pipeline.absorb.absorber import Absorber

    def absorb() -> None:
        absorber = Absorber(lambda _: None)
        try:
            work(absorber)
        finally:
            absorber.close()

    threads = [threading.Thread(target=absorb) for _ in range(2)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def _rebuild_beside_events(figures: Figures, database: Database, pixel: int) -> None:
    """Events all the time, of which each has to be absorbed soon, while the largest audience is built anew."""
    from audiences.models import Audience
    from audiences.services import change_rule

    done = threading.Event()

    def keep_on(absorber: Any) -> None:
        while not done.is_set():
            if not absorber.absorb():
                time.sleep(0.01)

    probes = Probes(database, CUSTOMER, pixel)
    with absorbers(keep_on):
        audience = Audience.objects.get(name="attributes, many")
        change_rule(audience, _all(("attribute.Age", "<", 30)))
        while probes.builds_left():
            figures.waits.append(probes.one())
        done.set()
    work_off()


def _all(*conditions: tuple[str, str, Any]) -> Rule:
    names = ("field", "operator", "value")
    return {"combinator": "and", "rules": [dict(zip(names, one, strict=True)) for one in conditions]}


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _result(figures: Figures) -> Result:
    costs = figures.costs
    assert costs is not None
    estimate = 1000 * percentile(sorted(figures.estimates), 95)
    wait = percentile(sorted(figures.waits), 99)
    rows = [
        [name, shown(one.members), shown(one.seconds), shown(one.counted), shown(one.seconds / one.counted)]
        for name, one in figures.builds.items()
    ]
    millions = figures.people / 1_000_000
    plain = max(figures.builds[name].seconds for name in ("attributes", "attributes, many")) / millions
    timed = max(figures.builds[name].seconds for name in ("windows", "counts")) / millions
    bounds = [
        Bound("estimate, p95", estimate, "at most", 300, "ms"),
        Bound("build of attribute rules, a million", plain, "at most", 5, "s"),
        Bound("build with windows, a million", timed, "at most", 20, "s"),
        Bound("events a second: 1,000 audiences ÷ the 10 that ask alone", costs.ratio, "at least", 0.8),
        Bound("events wait while a large audience is rebuilt, p99", wait, "at most", 2, "s"),
    ]
    tables = [
        Table("builds", ["rule", "members", "build, s", "bare count(*), s", "ratio"], rows),
        Table(
            "events",
            ["audiences", "events/s", "events/s per core"],
            [[shown(many), shown(cost.rate), shown(cost.cpu_rate)] for many, cost in costs.by_audiences.items()],
        ),
    ]
    notes = [
        f"{shown(figures.people)} synthetic people; builds by two absorbers, each on a thread with its own connection",
        "the bare count(*) reads all buckets in one statement and writes nothing; a build writes every membership",
        "waits: of twenty events put into the inbox together, until the last of them is absorbed",
    ]
    raw = {
        "people": figures.people,
        "estimates": figures.estimates,
        "waits": figures.waits,
        "builds": {n: asdict(build) for n, build in figures.builds.items()},
        "events": {many: cost.rate for many, cost in costs.by_audiences.items()},
    }
    return Result("audiences", tables, bounds, notes, raw)
