"""The catalogue of what customers' data holds (the External Attributes service), written from what was noted."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from core import clock
from core.clock import moment
from profiles.attribute_sampling import EXAMPLES, MARKS, MOST, Noted, Sighting, due
from profiles.models import Attribute, AttributeStatistics, DataStatistics
from profiles.paths import join_path

LONGEST = 400  # characters of a path: what `Attribute.path` holds
NUMERIC = {Attribute.Type.INTEGER.value, Attribute.Type.NUMBER.value}


def flush_if_due() -> None:
    """Write what was noted, a few seconds after the last time. Not to be called inside a transaction."""
    for customer, noted in due().items():
        flush(customer, noted)


def flush(customer: int, noted: Noted) -> None:
    """One customer's; those who write for the same customer wait for each other."""
    paths = {join_path(keys): sighting for keys, sighting in noted.sightings.items()}
    fitting = {path: paths[path] for path in sorted(paths) if _fits(path)}
    DataStatistics.objects.get_or_create(customer_id=customer)
    with transaction.atomic():
        total = DataStatistics.objects.select_for_update().get(customer_id=customer)
        known = _catalogued(customer, fitting)
        for path in fitting.keys() - known.keys():
            noted.leave_out(path, max(1, fitting[path].events))
        _save_sightings(
            {known[path].id: (known[path], fitting[path]) for path in sorted(fitting.keys() & known.keys())}
        )
        _save_total(total, noted)


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one customer: events looked at, paths catalogued of the most there can be, and about how many were not."""

    events: int
    catalogued: int
    most: int
    left_out: int
    left_out_at: datetime | None


def summary(customer: int) -> Summary:
    total = DataStatistics.objects.filter(customer_id=customer).first() or DataStatistics(customer_id=customer)
    catalogued = Attribute.objects.filter(customer_id=customer).count()
    return Summary(total.events, catalogued, MOST, _estimate(bytes(total.left_out_marks)), total.left_out_at)


def events_by_customer(customers: Iterable[int]) -> dict[int, int]:
    """The events of which shares are counted."""
    return dict(DataStatistics.objects.filter(customer_id__in=set(customers)).values_list("customer_id", "events"))


def share(sighting: AttributeStatistics | None, events: int) -> float | None:
    """Of the customer's events with data, how many held the attribute; None where none was counted."""
    return round(sighting.events / events, 4) if sighting and events else None


def _fits(path: str) -> bool:
    """One path that the table cannot hold must not keep the others out."""
    return len(path) <= LONGEST and "\0" not in path


def _catalogued(customer: int, noted: Mapping[str, Sighting]) -> dict[str, Attribute]:
    """The customer's attributes, as many of the new ones among them as there is room for."""
    known = {row.path: row for row in Attribute.objects.filter(customer_id=customer)}
    new = [path for path in noted if path not in known][: max(0, MOST - len(known))]
    if new:
        rows = [Attribute(customer_id=customer, path=path, type=seen_type(noted[path].types)) for path in new]
        Attribute.objects.bulk_create(rows, ignore_conflicts=True)
        known |= {row.path: row for row in Attribute.objects.filter(customer_id=customer, path__in=new)}
    return known


def _save_sightings(noted: Mapping[int, tuple[Attribute, Sighting]]) -> None:
    stored = AttributeStatistics.objects.in_bulk(list(noted))
    rows = []
    for key, (attribute, sighting) in noted.items():
        first, last = moment(sighting.first), moment(sighting.last)
        row = stored.get(key) or AttributeStatistics(attribute_id=key, first_seen=first, last_seen=last)
        row.first_seen, row.last_seen = min(row.first_seen, first), max(row.last_seen, last)
        row.events += sighting.events
        row.types = {name: row.types.get(name, 0) + sighting.types[name] for name in row.types.keys() | sighting.types}
        row.examples = [] if attribute.personal else _examples([*row.examples, *sighting.examples])
        rows.append(row)
        _follow(attribute, row.types)
    AttributeStatistics.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["attribute_id"],
        update_fields=["first_seen", "last_seen", "events", "types", "examples"],
    )


def _follow(attribute: Attribute, types: Mapping[str, int]) -> None:
    """A type that nobody chose is what is seen."""
    kind = seen_type(types)
    if kind != attribute.type and not attribute.enabled and not attribute.fixed:
        Attribute.objects.filter(id=attribute.id, enabled=False, fixed=False).update(type=kind)


def seen_type(types: Iterable[str]) -> str:
    """One type for all values; mixed where they differ."""
    found = {str(one) for one in types}
    if found == NUMERIC:
        return Attribute.Type.NUMBER.value
    return found.pop() if len(found) == 1 else Attribute.Type.MIXED.value


def _examples(values: Iterable[Any]) -> list[Any]:
    different: list[Any] = []
    for value in values:
        if not any(type(value) is type(one) and value == one for one in different):
            different.append(value)
    return different[:EXAMPLES]


def _save_total(total: DataStatistics, noted: Noted) -> None:
    total.events += noted.events
    if noted.left_out:
        marks = bytearray(total.left_out_marks) or bytearray(MARKS // 8)
        for mark in noted.marks:
            marks[mark >> 3] |= 1 << (mark & 7)
        total.left_out += noted.left_out
        total.left_out_marks, total.left_out_at = bytes(marks), clock.now()
    total.save()


def _estimate(marks: bytes) -> int:
    """How many different paths set these marks (linear counting): exact for few, good to some percent for many."""
    free = MARKS - sum(byte.bit_count() for byte in marks)
    return round(-MARKS * math.log(max(free, 1) / MARKS))
