"""The whole hub for a quarter of an hour, with all that may go on at once in it.

A long snapshot, memberships that end all together, a resync, a platform that trickles, one that answers 503, and a
customer with 3,000 audiences: what do the changes of another customer wait, what grows, what is lost?
`--minutes` makes it shorter, and everything in it fewer or sooner.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from benchmarks.bounds import Options, Result
from benchmarks.crowd import Crowd, gather_on_platform
from benchmarks.curve import Curve
from benchmarks.home import forget_data
from benchmarks.open_loop import AMOUNT, Stream
from benchmarks.programs import wait_until
from benchmarks.quiet import nothing_waits
from benchmarks.report import console
from benchmarks.shop import Shop, open_accounts, open_idle_audiences, open_shop
from benchmarks.site import Site, open_site
from benchmarks.soak_result import MINUTES, SoakFigures, Tenant, result
from benchmarks.soak_verdict import tenant_figures
from tests.support.trickling import TricklingWire

RATE, QUICK_RATE = 1_000, 100
ROWS, QUICK_ROWS = 100_000, 500
AUDIENCES, QUICK_AUDIENCES = 3_000, 100
QUICK_MINUTES = 0.1
POOL_SHARE = 0.2  # of the rows: users of the customers whose users enter and leave again and again
LEAST_POOL = 200
HEALTHY, MANY, TRICKLES, DOWN, CROWD = "healthy", "many audiences", "trickles", "answers 503", "crowd"
SHARES = {HEALTHY: 0.5, MANY: 0.2, TRICKLES: 0.1, DOWN: 0.1, CROWD: 0.1}
LEAD_SECONDS = 5.0  # for the generator to begin
SETTLING_SECONDS = 900.0  # a breaker may wait for five minutes, and so may a row
SAMPLES = 6  # of a minute
# idle in a transaction as a dump is, which nobody's time-out may end
HOLD = "SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM lane"


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds` in all, of which each fifteenth is called a minute. `pool`: users who enter and leave."""

    seconds: float
    rate: int
    rows: int
    audiences: int

    @classmethod
    def of(cls, options: Options) -> "Plan":
        if options.quick:
            return cls(60 * QUICK_MINUTES, QUICK_RATE, QUICK_ROWS, QUICK_AUDIENCES)
        rows = max(QUICK_ROWS, int(ROWS * min(1.0, options.minutes / MINUTES)))
        return cls(60 * options.minutes, RATE, rows, AUDIENCES)

    @property
    def pool(self) -> int:
        return max(LEAST_POOL, int(self.rows * POOL_SHARE))

    def at(self, minute: float) -> float:
        """Seconds from the start."""
        return self.seconds * minute / MINUTES


@dataclass(frozen=True, slots=True)
class World:
    tenants: dict[str, Tenant]
    crowd: Crowd
    wire: TricklingWire


def run(options: Options) -> Result:
    plan = Plan.of(options)
    with open_site(options) as site, TricklingWire(site.sandbox.port) as wire:
        with console.status("soak: the customers move in"):
            world = _open_world(site, wire, plan)
        figures = _play(site, world, plan)
    forget_data()
    return result(figures, options)


def _open_world(site: Site, wire: TricklingWire, plan: Plan) -> World:
    direct = site.sandbox.segments_url
    through_wire = direct.replace(f":{site.sandbox.port}/", f":{wire.port}/")
    tenants = {}
    for number, (name, share) in enumerate(SHARES.items(), 1):
        url = through_wire if name == TRICKLES else direct
        shop = open_shop(url, number, name.replace(" ", "-"))
        if name == MANY:
            open_idle_audiences(shop, plan.audiences)
        tenants[name] = Tenant(shop, _stream(shop, plan, number, share, once=name == HEALTHY))
    for tenant in tenants.values():
        site.wait_for(tenant.shop)
        open_accounts(site.database_url, tenant.shop, tenant.stream.seed, tenant.stream.users)
    return World(tenants, gather_on_platform(site, tenants[CROWD].shop, plan.rows), wire)


def _stream(shop: Shop, plan: Plan, seed: int, share: float, *, once: bool) -> Stream:
    """`once`: each event is of another user, who enters; else users enter and leave in turn."""
    rate = plan.rate * share
    count = int(rate * plan.seconds)
    users, amounts = (count, (AMOUNT,)) if once else (min(count, plan.pool), (AMOUNT, AMOUNT / 3))
    return Stream(f"{shop.target}&uuid=", seed, users, count, rate, amounts)


def _play(site: Site, world: World, plan: Plan) -> SoakFigures:
    streams = [tenant.stream for tenant in world.tenants.values()]
    arrived = {name: site.received(tenant.shop.account) for name, tenant in world.tenants.items()}
    due_at = datetime.fromtimestamp(time.time() + LEAD_SECONDS + plan.at(5), UTC)
    world.crowd.fall_due(site, due_at)
    with Curve(site, plan.at(1) / SAMPLES) as curve, ExitStack() as stack:
        with console.status(f"soak: {plan.rate:,} events/s for {plan.seconds / 60:g} minutes"):
            generator = stack.enter_context(site.generator(streams))
            _follow(_timeline(site, world, stack), generator.began, plan)
            offered = generator.finish()
        ended = time.time()
        with console.status("soak: until nothing waits"):
            wait_until("nothing waits", lambda: time.time() > due_at.timestamp() and nothing_waits(), SETTLING_SECONDS)
            settled = time.time()
    if curve.error is not None:
        raise RuntimeError("the curve has holes") from curve.error
    found = tenant_figures(site, world.tenants, world.crowd, offered, arrived)
    return SoakFigures(
        seconds=plan.seconds,
        rate=plan.rate,
        sent=offered.sent,
        samples=curve.samples,
        settled_seconds=settled - ended,
        still_in=world.crowd.still_in(site),
        trouble=frozenset({TRICKLES, DOWN}),
        **found,
    )


Action = Callable[[], object]


def _timeline(site: Site, world: World, stack: ExitStack) -> list[tuple[float, Action]]:
    """(minute, what happens then)."""
    snapshot, troubles = ExitStack(), ExitStack()
    stack.push(snapshot)
    stack.push(troubles)
    return [
        (1, lambda: troubles.enter_context(_troubles(site, world))),
        (3, lambda: snapshot.enter_context(_snapshot(site.database_url))),
        (8, lambda: _resync(world.crowd)),
        (13, snapshot.close),
        (13, troubles.close),
    ]


def _follow(timeline: list[tuple[float, Action]], began: float, plan: Plan) -> None:
    for minute, action in timeline:
        time.sleep(max(0.0, began + plan.at(minute) - time.time()))
        action()


@contextmanager
def _troubles(site: Site, world: World) -> Iterator[None]:
    """One platform sends its responses byte by byte, another one has only 503 to say."""
    account = f"generic/{world.tenants[DOWN].shop.account}"
    world.wire.slow_answers = True
    site.sandbox.faults(target=account, status=503)
    yield
    world.wire.slow_answers = False
    site.sandbox.faults(target=account, clear=True)


@contextmanager
def _snapshot(database_url: str) -> Iterator[None]:
    with psycopg.connect(database_url, autocommit=True, application_name="long snapshot") as database:
        database.execute(HOLD)
        yield
        database.execute("SELECT 1")  # it was not ended by anybody


def _resync(crowd: Crowd) -> None:
    from activation.models import Activation
    from activation.services import resync

    assert crowd.activation is not None
    resync(Activation.objects.get(pk=crowd.activation))
