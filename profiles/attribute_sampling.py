"""The attributes that appear in the data: noted by absorb in memory, written outside of it every few seconds.

Up to `LOOKED_AT` events of a customer are looked at closely between two writes, value by value; of those beyond,
only what is new is noted. So every path is found, while shares and types come from a sample when it rains events.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from core.json_values import is_empty
from profiles.models import Attribute
from profiles.paths import join_path

FLUSH_SECONDS = 2.0
DEEPEST = 8  # levels of nested objects that are catalogued
MOST = 2_000  # paths a customer
LOOKED_AT = 1_000  # events a customer, between two writes
MARKS = 16_384  # bits of the map of paths that found no room
EXAMPLES = 5
EXAMPLE_LENGTH = 40  # characters
SHAPES = 10_000

Keys = tuple[str, ...]


@dataclass(slots=True)
class Sighting:
    """Of one path: times in unix ms; `events` that held it; how many values showed each type; a few of them."""

    first: int
    last: int
    events: int = 0
    types: Counter[str] = field(default_factory=Counter)
    examples: list[Any] = field(default_factory=list)

    def look(self, value: Any, at: int) -> None:
        self.first, self.last = min(self.first, at), max(self.last, at)
        self.events += 1
        self.types[type_of(value)] += 1
        if len(self.examples) < EXAMPLES:
            example = example_of(value)
            if example not in self.examples:
                self.examples.append(example)


@dataclass(slots=True)
class Noted:
    """Of one customer, since the last write."""

    events: int = 0
    sightings: dict[Keys, Sighting] = field(default_factory=dict)
    shapes: set[tuple[Keys | str, ...]] = field(default_factory=set)
    left_out: int = 0
    marks: set[int] = field(default_factory=set)

    def sighting(self, keys: Keys, at: int) -> Sighting | None:
        """None where there are so many that no more can find room."""
        found = self.sightings.get(keys)
        if found is None and len(self.sightings) < 2 * MOST:
            found = self.sightings[keys] = Sighting(at, at)
        if found is None:
            self.leave_out(join_path(keys))
        return found

    def leave_out(self, path: str, times: int = 1) -> None:
        self.left_out += times
        self.marks.add(mark_of(path))


_noted: dict[int, Noted] = defaultdict(Noted)
_last_flush = 0.0


def seen(customer: int, data: dict[str, Any], at: int) -> None:
    """Note the paths of `data`, and what stands there."""
    noted = _noted[customer]
    if noted.events < LOOKED_AT:
        noted.events += 1
        for keys, value in _paths(data, (), 1):
            sighting = noted.sighting(keys, at)
            if sighting is not None:
                sighting.look(value, at)
        return
    inner = [value for value in data.values() if type(value) is dict]
    shape: tuple[Keys | str, ...] = (*data, *(tuple(one) for one in inner))
    if shape in noted.shapes:
        return
    if len(noted.shapes) < SHAPES and not any(type(value) is dict for one in inner for value in one.values()):
        noted.shapes.add(shape)
    for keys, value in _paths(data, (), 1):
        if keys not in noted.sightings:
            sighting = noted.sighting(keys, at)
            if sighting is not None:
                sighting.types[type_of(value)] += 1


def due() -> dict[int, Noted]:
    """What is to be written now, by customer: it was noted a few seconds ago. It is forgotten here."""
    global _last_flush  # noqa: PLW0603 (one rhythm a process)
    now = time.monotonic()
    if not _noted or now - _last_flush < FLUSH_SECONDS:
        return {}
    _last_flush = now
    taken = dict(_noted)
    _noted.clear()
    return taken


def forget() -> None:
    """Nothing was seen."""
    _noted.clear()


def mark_of(path: str) -> int:
    return crc32(path.encode(errors="replace")) % MARKS


def _paths(data: dict[str, Any], above: Keys, depth: int) -> Iterator[tuple[Keys, Any]]:
    for key, value in data.items():
        if is_empty(value):
            continue
        if isinstance(value, dict):
            if depth < DEEPEST:
                yield from _paths(value, (*above, key), depth + 1)
        elif key:
            yield (*above, key), value


def example_of(value: Any) -> Any:
    """A value, short enough to show, without what PostgreSQL cannot hold; of a list its first."""
    if isinstance(value, list):
        return example_of(value[0])
    if isinstance(value, dict):
        return "{…}"
    if isinstance(value, str):
        text = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return text[:EXAMPLE_LENGTH] + "…" if len(text) > EXAMPLE_LENGTH else text
    return value


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
