"""One tenant changes one rule: what it costs a worker to follow, however many audiences the hub has.

The bounds are ratios within one run; the seconds are shown beside them.
"""

import statistics
import time
from typing import Any

from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.home import services

OF_A_TENANT = 100
SIZES, QUICK_SIZES = (200, 5_000), (200, 400)
CHANGES = 15
SELECTIONS = 200


def run(options: Options) -> Result:
    few, many = QUICK_SIZES if options.quick else SIZES
    figures: dict[str, Any] = {}
    with services():
        for name, audiences, of_a_tenant in (
            ("few", few, OF_A_TENANT),
            ("many", many, OF_A_TENANT),
            ("one tenant with many", many, many),
        ):
            figures[name] = _measure(audiences, of_a_tenant)
    return _result(figures)


def _measure(audiences: int, of_a_tenant: int) -> dict[str, float]:
    """Seconds until everything is compiled, and until one changed rule is followed."""
    from audiences.models import Audience
    from core.models import Customer
    from pipeline import catalogue

    Audience.objects.all().delete()
    Customer.objects.all().delete()
    catalogue.refresh()
    tenants = [_open_tenant(of_a_tenant) for _ in range(audiences // of_a_tenant)]
    began = time.perf_counter()
    catalogue.refresh()
    everything = time.perf_counter() - began
    _select(tenants[0].m)
    changes = []
    for number in range(CHANGES):
        audience = tenants[0].audiences.earliest("id")
        audience.rule, audience.version = _rule(10_000 + number), audience.version + 1
        audience.save()
        began = time.perf_counter()
        catalogue.refresh()
        changes.append(time.perf_counter() - began)
    return {"audiences": audiences, "everything": everything, "one change": statistics.median(changes)}


def _select(m: int) -> None:
    """Have the tenant's audiences selected as events do that change many sets of things."""
    from django.db import connection

    from pipeline import catalogue

    with connection.cursor() as cursor:
        audiences = catalogue.current(cursor.cursor).audiences
    for number in range(SELECTIONS):
        named = ("attribute.amount", "attribute.category", "dimension._geo_c")[: 1 + number % 3]
        audiences.affected(m, frozenset({*named, f"attribute.new_{number}"}))


def _open_tenant(audiences: int) -> Any:
    from audiences.models import Audience
    from core.configuration import next_after
    from core.models import Customer
    from profiles.models import Attribute

    customer = Customer.objects.create(m=next_after(Customer), name="a tenant")
    for path, type_ in (("amount", "number"), ("category", "string")):
        Attribute.objects.create(customer=customer, path=path, type=type_, enabled=True)
    Audience.objects.bulk_create(
        Audience(customer=customer, name=f"audience {number}", rule=_rule(number), status="live")
        for number in range(audiences)
    )
    return customer


def _rule(number: int) -> dict[str, Any]:
    return {
        "combinator": "and",
        "rules": [
            {"field": "attribute.amount", "operator": ">", "value": number},
            {"field": "attribute.category", "operator": "in", "value": [f"kind {number}", "shoes"]},
            {"combinator": "or", "rules": [{"field": "dimension._geo_c", "operator": "=", "value": "DE"}]},
        ],
    }


def _result(figures: dict[str, Any]) -> Result:
    few, many, one = figures["few"], figures["many"], figures["one tenant with many"]
    bounds = [
        Bound(
            f"one tenant's change among {many['audiences']:,} audiences, to that among {few['audiences']:,}",
            many["one change"] / few["one change"],
            "at most",
            3,
            "times",
        ),
        Bound(
            f"one change of a tenant with {one['audiences']:,} audiences, to compiling them all",
            one["one change"] / one["everything"],
            "at most",
            0.15,
            "times",
        ),
    ]
    rows = [
        [name, f"{of['audiences']:,}", f"{of['everything']:.3f}", f"{of['one change'] * 1000:.1f}"]
        for name, of in figures.items()
    ]
    table = Table("configuration", ["hub", "audiences", "everything s", "one change ms"], rows)
    return Result("configuration", [table], bounds, [], figures)
