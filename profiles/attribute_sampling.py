"""Which attributes appear in the data of events, and what their values look like.

Absorb notes them in memory (`sampler`); `attribute_catalogue` writes them outside of absorb's transaction every few
seconds. Nothing here touches the database.

Between two writes, up to `SAMPLED_EVENTS` events of a customer are looked at value by value. Of those beyond, only
attributes that are new are noted. So every attribute is found, while shares and types come from a sample when there
are many events.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from core.ids.left_out import LeftOut
from core.json_values import is_empty
from profiles.models import Attribute
from profiles.paths import join_path

FLUSH_SECONDS = 2.0
KNOWN_SECONDS = 4.0  # where nothing new was seen: figures and examples, which an erasure waits for
MOST_REMEMBERED = 20_000  # attributes that were written, of all customers
DEEPEST = 8  # levels of nested objects that are catalogued
MOST = 2_000  # attributes of a customer
SAMPLED_EVENTS = 1_000  # of a customer, between two writes
BITMAP_BITS = 16_384  # of the bitmap of attributes that found no room
EXAMPLES = 5
EXAMPLE_LENGTH = 40  # characters
SHAPES = 10_000
NOBODIES = 200

_MIXED = Attribute.Type.MIXED.value
_NUMERIC = {Attribute.Type.INTEGER.value, Attribute.Type.NUMBER.value}
_TYPES: dict[type, str] = {
    bool: Attribute.Type.BOOLEAN.value,
    int: Attribute.Type.INTEGER.value,
    float: Attribute.Type.NUMBER.value,
    str: Attribute.Type.STRING.value,
}

Keys = tuple[str, ...]


@dataclass(slots=True)
class AttributeSample:
    """What was seen of one attribute.

    `first` and `last` are unix ms; `events` is how many events held it; `types` counts values by type; `examples` are
    a few short values.
    """

    first: int
    last: int
    events: int = 0
    types: Counter[str] = field(default_factory=Counter)
    examples: list[Any] = field(default_factory=list)

    def add(self, value: Any, at: int) -> None:
        self.first, self.last = min(self.first, at), max(self.last, at)
        self.events += 1
        self.types[type_of(value)] += 1
        if len(self.examples) < EXAMPLES:
            example = example_of(value)
            if example not in self.examples:
                self.examples.append(example)


@dataclass(slots=True)
class CustomerSample:
    """What was seen of one customer's data since the last write.

    `shapes` are key sets of events that hold nothing new. `left_out` counts how often an attribute found no room, and
    `left_out_bits` are the hashes of those attributes. `written`: attributes that this process has written before.
    `nobody` counts ids that name nobody, by pixel and what is noted of each; `seen` counts events by pixel.
    """

    written: Collection[Keys] = ()
    has_new: bool = False
    events: int = 0
    attributes: dict[Keys, AttributeSample] = field(default_factory=dict)
    shapes: set[tuple[Keys | str, ...]] = field(default_factory=set)
    left_out: int = 0
    left_out_bits: set[int] = field(default_factory=set)
    nobody: Counter[tuple[int, LeftOut]] = field(default_factory=Counter)
    seen: Counter[int] = field(default_factory=Counter)

    def note_nobody(self, pixel: int, ids: list[LeftOut]) -> None:
        """Count ids that were left out of an event. Of very many different ones, no further examples are kept."""
        for kind, why, example in ids:
            self.nobody[pixel, (kind, why, example if len(self.nobody) < NOBODIES else "")] += 1

    def attribute(self, keys: Keys, at: int) -> AttributeSample | None:
        """Returns the sample of an attribute. None if there are so many that no more can find room."""
        found = self.attributes.get(keys)
        if found is None and len(self.attributes) < 2 * MOST:
            found = self.attributes[keys] = AttributeSample(at, at)
            self.has_new = self.has_new or keys not in self.written
        if found is None:
            self.leave_out(join_path(keys))
        return found

    def leave_out(self, path: str, times: int = 1) -> None:
        self.left_out += times
        self.left_out_bits.add(bit_of(path))

    def look_closely(self, data: dict[str, Any], at: int) -> None:
        """Note every attribute and its value."""
        self.events += 1
        for keys, value in _values(data, (), 1):
            sample = self.attribute(keys, at)
            if sample is not None:
                sample.add(value, at)

    def look_for_new(self, data: dict[str, Any], at: int) -> None:
        """Note only attributes that have not been seen since the last write. Data of a known shape has none."""
        inner = [value for value in data.values() if type(value) is dict]
        shape: tuple[Keys | str, ...] = (*data, *map(tuple, inner))
        if shape in self.shapes:
            return
        if len(self.shapes) < SHAPES and not any(type(value) is dict for one in inner for value in one.values()):
            self.shapes.add(shape)
        for keys, value in _values(data, (), 1):
            if keys not in self.attributes:
                sample = self.attribute(keys, at)
                if sample is not None:
                    sample.types[type_of(value)] += 1


class AttributeSampler:
    """The samples of all customers that one process has taken since its last write."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.samples: dict[int, CustomerSample] = {}
        self._written: dict[int, set[Keys]] = defaultdict(set)
        self._last_flush = self._last_full_flush = -KNOWN_SECONDS

    def sample(self, customer: int, data: dict[str, Any], at: int) -> None:
        """Note the attributes in `data`. Called for every event, so it must be cheap. `at`: unix ms."""
        sample = self._of(customer)
        if sample.events < SAMPLED_EVENTS:
            sample.look_closely(data, at)
        else:
            sample.look_for_new(data, at)

    def note_event(self, customer: int, pixel: int) -> None:
        """Count an event of the pixel. Called for every event, so it must be cheap."""
        self._of(customer).seen[pixel] += 1

    def note_nobody(self, customer: int, pixel: int, ids: list[LeftOut]) -> None:
        """Count ids that were left out of an event, because they name nobody."""
        self._of(customer).note_nobody(pixel, ids)

    def _of(self, customer: int) -> CustomerSample:
        sample = self.samples.get(customer)
        if sample is None:
            sample = self.samples[customer] = CustomerSample(self._written[customer])
        return sample

    def take_due(self, *, is_last: bool = False) -> dict[int, CustomerSample]:
        """Takes out what must be written now, by customer: nothing if the last write was only a moment ago.

        Of customers whose data held nothing new, it is written less often. `is_last`: nobody will ask for a while.
        """
        now = self._clock()
        if not self.samples or (now - self._last_flush < FLUSH_SECONDS and not is_last):
            return {}
        is_full = is_last or now - self._last_full_flush >= KNOWN_SECONDS
        taken = {customer: sample for customer, sample in self.samples.items() if is_full or sample.has_new}
        if taken:
            self._last_flush = now
            self._last_full_flush = now if is_full else self._last_full_flush
            self._remember(taken)
        return taken

    def _remember(self, taken: dict[int, CustomerSample]) -> None:
        if sum(map(len, self._written.values())) > MOST_REMEMBERED:
            self._written.clear()
        for customer, sample in taken.items():
            del self.samples[customer]
            self._written[customer].update(sample.attributes)

    def discard(self) -> None:
        self.samples.clear()


sampler = AttributeSampler()
"""The process's own sampler."""


def bit_of(path: str) -> int:
    """Returns the place in the bitmap of attributes that found no room."""
    return crc32(path.encode(errors="replace")) % BITMAP_BITS


def _values(data: dict[str, Any], above: Keys, depth: int) -> Iterator[tuple[Keys, Any]]:
    """Yields the values in nested objects with their keys.

    Empty values are skipped, and empty keys: no path names them.
    """
    for key, value in data.items():
        if not key or is_empty(value):
            continue
        if isinstance(value, dict):
            if depth < DEEPEST:
                yield from _values(value, (*above, key), depth + 1)
        else:
            yield (*above, key), value


def example_of(value: Any) -> Any:
    """Returns a value short enough to show, without NUL, which PostgreSQL cannot hold. Of a list: its first item."""
    if isinstance(value, list):
        return example_of(value[0])
    if isinstance(value, dict):
        return "{…}"
    if isinstance(value, str):
        text = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return text[:EXAMPLE_LENGTH] + "…" if len(text) > EXAMPLE_LENGTH else text
    return value


def type_of(value: Any) -> str:
    """Returns the attribute type that a value shows. Of a list: the least type that holds all its elements."""
    return least_type(_types_in(value)) if type(value) is list else _TYPES.get(type(value), _MIXED)


def least_type(types: Iterable[str]) -> str:
    """Returns the one type that holds values of all these types; mixed if no other does."""
    found = {str(one) for one in types}
    if found == _NUMERIC:
        return Attribute.Type.NUMBER.value
    return found.pop() if len(found) == 1 else _MIXED


def _types_in(items: list[Any]) -> set[str]:
    """Returns the types of a list's elements, those of lists inside it too.

    The elements' Python types come first: lists may be long, and there are few types.
    """
    kinds = set(map(type, items))
    found = {_TYPES.get(kind, _MIXED) for kind in kinds if kind is not list}
    if list in kinds:
        found = found.union(*(_types_in(item) for item in items if type(item) is list))
    return found
