"""The attributes that appear in the data: noted by absorb in memory, written outside of it every few seconds."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from profiles.models import Attribute, AttributeSighting
from profiles.paths import join_path

FLUSH_SECONDS = 2.0
DEEPEST = 8  # levels of nested objects that are catalogued
MOST = 2_000  # paths a customer
LONGEST = 400  # characters of a path: what `Attribute.path` holds


@dataclass(slots=True)
class Sighting:
    type: str
    last_seen: int  # unix ms


_pending: dict[tuple[int, tuple[str, ...]], Sighting] = {}
_shapes: set[tuple[object, ...]] = set()
_last_flush = 0.0


def seen(customer: int, data: dict[str, Any], at: int) -> None:
    """Note every path of `data`, once for each shape of data between two flushes."""
    shape = (customer, *data)
    if shape in _shapes:
        return
    if not any(isinstance(value, dict) for value in data.values()):
        _shapes.add(shape)
    for keys, value in _paths(data, (), 1):
        known = _pending.get((customer, keys))
        if known is None:
            _pending[customer, keys] = Sighting(type_of(value), at)
        else:
            known.last_seen = max(known.last_seen, at)


def flush_if_due() -> None:
    """Write what was noted, a few seconds after the last time. Not to be called inside a transaction."""
    global _last_flush  # noqa: PLW0603 (one rhythm a process)
    now = time.monotonic()
    if _pending and now - _last_flush >= FLUSH_SECONDS:
        _last_flush = now
        noted = dict(_pending)
        _pending.clear()
        _shapes.clear()
        for customer in {customer for customer, _ in noted}:
            paths = {join_path(keys): sighting for (c, keys), sighting in noted.items() if c == customer}
            _flush(customer, {path: sighting for path, sighting in paths.items() if _fits(path)})


def _fits(path: str) -> bool:
    """One path that the table cannot hold must not keep the others out."""
    return len(path) <= LONGEST and "\0" not in path


def _flush(customer: int, noted: dict[str, Sighting]) -> None:
    known = dict(Attribute.objects.filter(customer_id=customer).values_list("path", "id"))
    new = [path for path in noted if path not in known][: max(0, MOST - len(known))]
    if new:
        rows = [Attribute(customer_id=customer, path=path, type=noted[path].type) for path in new]
        Attribute.objects.bulk_create(rows, ignore_conflicts=True)
        known = dict(Attribute.objects.filter(customer_id=customer).values_list("path", "id"))
    AttributeSighting.objects.bulk_create(
        [
            AttributeSighting(attribute_id=known[path], last_seen=datetime.fromtimestamp(s.last_seen / 1000, UTC))
            for path, s in sorted(noted.items())
            if path in known
        ],
        update_conflicts=True,
        unique_fields=["attribute_id"],
        update_fields=["last_seen"],
    )


def _paths(data: dict[str, Any], above: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in data.items():
        if isinstance(value, dict):
            if depth < DEEPEST:
                yield from _paths(value, (*above, key), depth + 1)
        elif key:
            yield (*above, key), value


def type_of(value: Any) -> str:
    """The attribute type that a value shows."""
    match value:
        case bool():
            return Attribute.Type.BOOLEAN
        case int():
            return Attribute.Type.INTEGER
        case float():
            return Attribute.Type.NUMBER
        case str():
            return Attribute.Type.STRING
        case [first, *_]:
            return type_of(first)
    return Attribute.Type.MIXED
