"""The match table when it is small and when it is large: look-ups, and syncs through absorb."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg

from benchmarks.absorb import NO_PLATFORM, AbsorbCost, Database, drain, measured
from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.figures import shown
from benchmarks.home import services
from benchmarks.many_mappings import known_as, load, user
from benchmarks.shop import CUSTOMER, Shop, open_shop, settle_down
from core import buckets
from core.inbox import InboxKind
from core.messages import Sync, encode

SMALL, LARGE, QUICK = 100_000, 10_000_000, 1_000_000
SAMPLE, QUICK_SAMPLE = 50_000, 10_000
ROUNDS = 3  # the best of them counts: other work on the machine only ever takes away
BATCH = 1_000  # users of one statement, as absorb asks
REQUESTS = 400  # of the API, a round
LEAST = 0.7
SEED = 6
API, KNOWN, NEW = "look-ups by the API", "syncs of known ids", "syncs of new ids"
BY_ID, BY_USER = "statement: by id", "statement: by user"  # no more than a page or two each, in memory or not
BOUND = (API, KNOWN, NEW)


@dataclass(slots=True)
class Size:
    """What was measured with so many mappings; costs of the best round."""

    mappings: int
    sample: int
    costs: dict[str, AbsorbCost] = field(default_factory=dict)
    match_rate_ms: float = 0.0

    def rate(self, name: str) -> float:
        """A second."""
        return self.done(name) / self.costs[name].seconds

    def cpu(self, name: str) -> float:
        """A second of CPU time."""
        return self.done(name) / self.costs[name].cpu

    def done(self, name: str) -> int:
        return REQUESTS if name == API else self.sample


def run(options: Options) -> Result:
    large, sample = (QUICK, QUICK_SAMPLE) if options.quick else (LARGE, SAMPLE)
    with services() as found, psycopg.connect(found.database_url, autocommit=True) as database:
        shop = open_shop(NO_PLATFORM)
        bench = _MappingBench(database, shop, sample)
        sizes = []
        for size in (SMALL, large):
            bench.mappings = load(database, shop, bench.mappings, size)
            settle_down(found.database_url)
            sizes.append(bench.measure())
        bench.close()
    return _result(sizes, large)


class _MappingBench:
    def __init__(self, database: Database, shop: Shop, sample: int) -> None:
        from core.database import connect
        from core.models import ApiKey
        from pipeline.absorb.absorber import Absorber

        self._database = database
        self._shop = shop
        self._sample = sample
        self._chance = random.Random(SEED)
        self.mappings = 0
        self._key = ApiKey.issue("benchmark", "analyst", None)[1]
        self._absorber = Absorber(lambda _: None)
        self._connection = connect(durable=False)
        drain(self._absorber.absorb)

    def close(self) -> None:
        self._absorber.close()
        self._connection.close()

    def measure(self) -> Size:
        size = Size(self.mappings, self._sample)
        for _ in range(ROUNDS):
            self._keep(size, BY_ID, self._look_up_by_id)
            self._keep(size, BY_USER, self._look_up_by_user)
            self._keep(size, API, self._ask_the_api)
            self._keep(size, KNOWN, lambda: self._sync(self._known()))
            self._keep(size, NEW, lambda: self._sync(self._new()))
        size.match_rate_ms = self._match_rate_ms()
        self._verify()
        return size

    def _keep(self, size: Size, name: str, prepare: Callable[[], Callable[[], None]]) -> None:
        work = prepare()
        with measured(self._database) as cost:
            work()
        best = size.costs.get(name)
        if best is None or cost.seconds < best.seconds:
            size.costs[name] = cost

    def _known(self) -> list[int]:
        """Any of those that are mapped."""
        return [self._chance.randrange(self.mappings) for _ in range(self._sample)]

    def _new(self) -> range:
        first = self.mappings
        self.mappings += self._sample
        return range(first, self.mappings)

    def _look_up_by_id(self) -> Callable[[], None]:
        from profiles import identities

        kind = f"platform:{self._shop.platform}"
        batches = [[(CUSTOMER, kind, known_as(n)) for n in numbers] for numbers in _batches(self._known())]

        def work() -> None:
            with self._connection.cursor(binary=True) as cursor:
                found = sum(len(identities.load(cursor, set(batch))) for batch in batches)
            _expect(found, sum(len(set(batch)) for batch in batches))

        return work

    def _look_up_by_user(self) -> Callable[[], None]:
        from usersync.store import of_users

        batches = [{(CUSTOMER, user(n)) for n in numbers} for numbers in _batches(self._known())]

        def work() -> None:
            with self._connection.cursor(binary=True) as cursor:
                found = sum(sum(map(len, of_users(cursor, batch).values())) for batch in batches)
            _expect(found, sum(map(len, batches)))

        return work

    def _ask_the_api(self) -> Callable[[], None]:
        from rest_framework.test import APIClient

        client = APIClient(headers={"Authorization": f"Bearer {self._key}"})
        asked = [(known_as(n), user(n)) for n in self._known()[:REQUESTS]]

        def work() -> None:
            for theirs, ours in asked:
                answer = client.get(f"/api/v1/mappings/?user_id={ours}")
                _expect([row["platform_user_id"] for row in answer.json()["results"]], [theirs])

        return work

    def _sync(self, numbers: Sequence[int]) -> Callable[[], None]:
        """Into the inbox, as `/uid` stores them; to be absorbed with all that follows in other buckets."""
        at = time.time_ns() // 1_000_000
        moment = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime())
        with self._database.cursor().copy("COPY inbox (bucket, kind, query, received_at) FROM STDIN") as copy:
            for number in numbers:
                platform_user_id = known_as(number)
                sync = Sync(CUSTOMER, self._shop.platform, str(user(number)), platform_user_id, at)
                query = encode(sync).hex()
                copy.write(f"{buckets.of_value(platform_user_id)}\t{int(InboxKind.SYNC)}\t\\\\x{query}\t{moment}\n")
        return lambda: drain(self._absorber.absorb)

    def _match_rate_ms(self) -> float:
        from integrations.models import Platform
        from pipeline import match_rates
        from usersync.services import newest_sync

        platform = Platform.objects.get(pl=self._shop.platform)
        match_rates.rate(platform)
        began = time.perf_counter()
        rate, newest = match_rates.rate(platform), newest_sync(platform.pl)
        took = (time.perf_counter() - began) * 1000
        _expect((rate.known, rate.mapped, newest is not None), (self.mappings, self.mappings, True))
        return took

    def _verify(self) -> None:
        """Figures of wrong work are worth nothing."""
        left = self._database.execute("SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM bad_row)").fetchone()
        _expect(left, (0, 0))


def _batches(numbers: list[int]) -> list[list[int]]:
    return [numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)]


def _expect(found: object, expected: object) -> None:
    if found != expected:
        raise RuntimeError(f"{found} was found, not {expected}")


def _result(sizes: list[Size], large: int) -> Result:
    small, big = sizes
    rows, bounds = [], []
    for name in (*BOUND, BY_ID, BY_USER):
        ratio = big.rate(name) / small.rate(name)
        cells = [shown(value) for one in sizes for value in (one.rate(name), one.cpu(name))]
        rows.append([name, *cells, shown(ratio)])
        if name in BOUND:
            bounds.append(Bound(f"{name}: {shown(large)} mappings ÷ {shown(small.mappings)}", ratio, "at least", LEAST))
    rows.append(["match rate read, ms", shown(small.match_rate_ms), "", shown(big.match_rate_ms), "", ""])
    columns = ["a second", *(f"{shown(one.mappings)}{by}" for one in sizes for by in ("", " (per core)")), "ratio"]
    notes = [
        "syncs go through absorb, with what follows in the buckets of id and user",
        "statements: the look-ups of absorb by themselves, a thousand at a time",
        "of ten million rows few are in PostgreSQL's 128 MB: fetching a page costs more than the rest of a look-up",
        f"the best of {ROUNDS} rounds of {shown(small.sample)}; per core: by the CPU time of Python and PostgreSQL",
    ]
    figures = {
        shown(one.mappings): {
            "match_rate_ms": one.match_rate_ms,
            **{
                name: {"count": one.done(name), "seconds": cost.seconds, "cpu": cost.cpu}
                for name, cost in one.costs.items()
            },
        }
        for one in sizes
    }
    return Result("mappings", [Table("mappings", columns, rows)], bounds, notes, figures)
