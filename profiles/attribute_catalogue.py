"""The catalogue of the attributes in customers' data (the External Attributes service), written from samples.

It must not be written inside a transaction of absorb: many workers would wait for one customer's row.
"""

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from core import clock
from core.clock import moment
from core.steps import Steps
from profiles import excess, nobody_counts, pixel_activity
from profiles.attribute_sampling import (
    BITMAP_BITS,
    EXAMPLES,
    MOST,
    AttributeSample,
    CustomerSample,
    least_type,
    sampler,
)
from profiles.excess import Excess
from profiles.models import Attribute, AttributeStatistics, DataStatistics, NobodyCount
from profiles.paths import check_name, join_path

steps = Steps(logging.getLogger(__name__))


def flush_if_due(*, is_last: bool = False) -> None:
    """Write what was sampled, if the last write was a few seconds ago. Not to be called inside a transaction.

    `is_last`: nobody will call for a while, so all of it is written. An erasure counts on that.
    """
    for customer, sample in sampler.take_due(is_last=is_last).items():
        steps.run(f"attributes of customer {customer}", partial(flush, customer, sample))


def flush(customer: int, sample: CustomerSample) -> None:
    """Write one customer's sample. Processes that write for the same customer wait for each other."""
    paths = {join_path(keys): attribute for keys, attribute in sample.attributes.items()}
    fitting = {path: paths[path] for path in sorted(paths) if _fits(path)}
    DataStatistics.objects.get_or_create(customer_id=customer)
    with transaction.atomic():
        total = DataStatistics.objects.select_for_update().get(customer_id=customer)
        known = _catalogued(customer, fitting)
        for path in fitting.keys() - known.keys():
            sample.leave_out(path, max(1, fitting[path].events))
        _save_statistics(
            {known[path].id: (known[path], fitting[path]) for path in sorted(fitting.keys() & known.keys())}
        )
        nobody_counts.save(customer, sample.nobody)
        pixel_activity.save(customer, sample.seen)
        _save_total(total, sample)


@dataclass(frozen=True, slots=True)
class CatalogueSummary:
    """One customer's catalogue: its attributes and the most there can be, and about how many found no room.

    `events`: how many events the shares are counted of. `excess`: what the customer's profiles had no room for.
    `nobody`: which ids were left out of events because they name nobody.
    """

    events: int
    catalogued: int
    most: int
    left_out: int
    left_out_at: datetime | None
    excess: Excess | None
    nobody: list[NobodyCount]


def summary(customer: int) -> CatalogueSummary:
    total = DataStatistics.objects.filter(customer_id=customer).first() or DataStatistics(customer_id=customer)
    return CatalogueSummary(
        events=total.events,
        catalogued=Attribute.objects.filter(customer_id=customer).count(),
        most=MOST,
        left_out=_estimate(bytes(total.left_out_bitmap)),
        left_out_at=total.left_out_at,
        excess=excess.of_customer(customer),
        nobody=list(nobody_counts.of_customer(customer)),
    )


def events_by_customer(customers: Iterable[int]) -> dict[int, int]:
    """Returns the number of events that shares are counted of, by customer."""
    return dict(DataStatistics.objects.filter(customer_id__in=set(customers)).values_list("customer_id", "events"))


def statistics_of(attribute: Attribute) -> AttributeStatistics | None:
    """Return what is known of the values of an attribute; None where none was seen."""
    return AttributeStatistics.objects.filter(pk=attribute.pk).first()


def share(sample: AttributeStatistics | None, events: int) -> float | None:
    """Returns the share of the customer's events with data that held the attribute; None if none was counted."""
    return round(sample.events / events, 4) if sample and events else None


def _fits(path: str) -> bool:
    """Whether an attribute may have the path: one that none may have must not keep the others out."""
    try:
        check_name(path)
    except ValueError:
        return False
    return True


def _catalogued(customer: int, noted: Mapping[str, AttributeSample]) -> dict[str, Attribute]:
    """Returns the customer's attributes, with as many of the new ones as there is room for."""
    known = {row.path: row for row in Attribute.objects.filter(customer_id=customer)}
    new = [path for path in noted if path not in known][: max(0, MOST - len(known))]
    if new:
        rows = [Attribute(customer_id=customer, path=path, type=least_type(noted[path].types)) for path in new]
        # nobody holds an attribute in memory that is not enabled: the configuration version stays
        Attribute.unversioned.bulk_create(rows, ignore_conflicts=True)
        known |= {row.path: row for row in Attribute.objects.filter(customer_id=customer, path__in=new)}
    return known


def _save_statistics(noted: Mapping[int, tuple[Attribute, AttributeSample]]) -> None:
    stored = AttributeStatistics.objects.in_bulk(list(noted))
    rows = []
    for key, (attribute, sample) in noted.items():
        first, last = moment(sample.first), moment(sample.last)
        row = stored.get(key) or AttributeStatistics(attribute_id=key, first_seen=first, last_seen=last)
        row.first_seen, row.last_seen = min(row.first_seen, first), max(row.last_seen, last)
        row.events += sample.events
        row.types = {name: row.types.get(name, 0) + sample.types[name] for name in row.types.keys() | sample.types}
        row.examples = [] if attribute.personal else _examples([*row.examples, *sample.examples])
        rows.append(row)
        _adopt_type(attribute, row.types)
    AttributeStatistics.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["attribute_id"],
        update_fields=["first_seen", "last_seen", "events", "types", "examples"],
    )


def _adopt_type(attribute: Attribute, types: Mapping[str, int]) -> None:
    """Set the attribute's type to what is seen, unless somebody chose a type."""
    kind = least_type(types)
    if kind != attribute.type and not attribute.enabled and not attribute.fixed:
        Attribute.unversioned.filter(id=attribute.id, enabled=False, fixed=False).update(type=kind)


def _examples(values: Iterable[Any]) -> list[Any]:
    different: list[Any] = []
    for value in values:
        if not any(type(value) is type(one) and value == one for one in different):
            different.append(value)
    return different[:EXAMPLES]


def _save_total(total: DataStatistics, sample: CustomerSample) -> None:
    total.events += sample.events
    if sample.left_out:
        bitmap = bytearray(total.left_out_bitmap) or bytearray(BITMAP_BITS // 8)
        for bit in sample.left_out_bits:
            bitmap[bit >> 3] |= 1 << (bit & 7)
        total.left_out += sample.left_out
        total.left_out_bitmap, total.left_out_at = bytes(bitmap), clock.now()
    total.save()


def _estimate(bitmap: bytes) -> int:
    """Returns how many paths set these bits (linear counting): exact for few, within some percent for many."""
    free = BITMAP_BITS - sum(byte.bit_count() for byte in bitmap)
    return round(-BITMAP_BITS * math.log(max(free, 1) / BITMAP_BITS))
