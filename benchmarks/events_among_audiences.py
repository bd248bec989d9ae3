"""What an event costs among a thousand audiences of which ten ask about it, and among those ten alone."""

import time
from dataclasses import dataclass
from typing import Any

from benchmarks.absorb import Database, drain, measured
from benchmarks.users import user_ids
from core import buckets
from core.inbox import InboxKind
from core.messages import Event, encode

CUSTOMER = 2
TEN, THOUSAND = 10, 1_000
SEED, FULL, QUICK = 11, 60_000, 1_000
BODY = b'{"asked": %d, "currency": "EUR"}'
WARMING = 11
VALUES = (12, 15, 18)
"""Of one round each: every event changes what the ten ask about, and none of them says anything else than before."""


@dataclass(frozen=True, slots=True)
class EventCost:
    """Events a second, and a second of CPU time."""

    rate: float
    cpu_rate: float


@dataclass(frozen=True, slots=True)
class Costs:
    by_audiences: dict[int, EventCost]

    @property
    def ratio(self) -> float:
        return self.by_audiences[THOUSAND].cpu_rate / self.by_audiences[TEN].cpu_rate


def compare(database: Database, *, quick: bool) -> Costs:
    from audiences.models import Audience
    from core.models import Customer
    from pipeline.absorb.absorber import Absorber
    from profiles.models import Attribute, Pixel

    customer = Customer.objects.create(m=CUSTOMER, name="Events")
    own = Pixel.objects.create(customer=customer, name="page")
    for path in ("asked", "other"):
        Attribute.objects.create(customer=customer, path=path, type="number", enabled=True)
    absorber = Absorber(lambda _: None)
    count = QUICK if quick else FULL
    costs = {}
    for many in (TEN, THOUSAND):
        Audience.objects.bulk_create(_audiences(customer, TEN if many == THOUSAND else 0, many))
        _fill(database, own.pk, count, WARMING)  # from now on everybody is in the ten
        drain(absorber.absorb)
        database.execute("VACUUM ANALYZE profile, membership, inbox")
        costs[many] = _absorbed(database, own.pk, absorber.absorb, count)
    absorber.close()
    return Costs(costs)


def _audiences(customer: Any, first: int, last: int) -> list[Any]:
    """Of a customer who knows nobody yet: there is nothing to build."""
    from audiences.models import Audience

    made = []
    for number in range(first, last):
        field = "attribute.asked" if number < TEN else "attribute.other"
        rule = {"combinator": "and", "rules": [{"field": field, "operator": ">", "value": number}]}
        made.append(Audience(customer=customer, name=f"audience {number}", rule=rule, status=Audience.Status.LIVE))
    return made


def _absorbed(database: Database, pixel: int, absorb: object, count: int) -> EventCost:
    """The best of the rounds."""
    assert callable(absorb)
    found = []
    for value in VALUES:
        _fill(database, pixel, count, value)
        with measured(database) as cost:
            drain(absorb)
        found.append(EventCost(count / cost.seconds, count / cost.cpu))
    return max(found, key=lambda cost: cost.cpu_rate)


def _fill(database: Database, pixel: int, count: int, value: int) -> None:
    at = time.time_ns() // 1_000_000
    moment = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime())
    data = "\\\\x" + (BODY % value).hex()
    with database.cursor().copy("COPY inbox (bucket, kind, query, body, received_at) FROM STDIN") as copy:
        for user in user_ids(SEED, count):
            query = encode(Event(CUSTOMER, pixel, at, str(user), confirmed=True)).hex()
            copy.write(f"{buckets.of_user(user)}\t{int(InboxKind.EVENT)}\t\\\\x{query}\t{data}\t{moment}\n")
