"""Conversion of attribute values: an enabled attribute's type is what its values become on the way in.

A conversion is exact, or it is refused. What a value was before is noted (`profiles.origins`), so that another type
starts from what came, and not from what the last type made of it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from core.json_values import is_empty, same
from core.models import Customer
from core.per_customer import PerCustomer
from core.time_zones import UnknownTimeZoneError, time_zone
from core.values.errors import UnreadableValueError
from core.values.moments import SECONDS_BELOW, read_moment, seconds_of
from core.values.numbers import LONGEST, read_integer, read_number
from core.values.spelled import read_flag
from profiles.attribute_sampling import type_of
from profiles.models import Attribute
from profiles.origins import NO_ORIGINS, Origin, Origins, is_too_long, origins_in, put_origins
from profiles.paths import join_path, split_path


class UnconvertibleError(ValueError):
    """The value cannot become the attribute's type."""


def to_string(value: Any, _zone: tzinfo) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def to_number(value: Any, _zone: tzinfo) -> int | float:
    if isinstance(value, bool):
        return int(value)
    return read_number(_text(value)) if isinstance(value, str) else value


def to_integer(value: Any, zone: tzinfo) -> int:
    number = read_integer(_text(value)) if isinstance(value, str) else to_number(value, zone)
    if not isinstance(number, int):
        raise UnconvertibleError(value)
    return number


def to_boolean(value: Any, _zone: tzinfo) -> bool:
    return value if isinstance(value, bool) else read_flag(_text(str(value)))


def to_time(value: Any, zone: tzinfo) -> int | float:
    """Returns unix seconds, from a number in the unit that its size shows, or from ISO 8601 (`core.values.moments`)."""
    if isinstance(value, bool):
        raise UnconvertibleError(value)
    return read_moment(_text(value), zone) if isinstance(value, str) else seconds_of(value)


def _text(text: str) -> str:
    """Returns the text. Raises UnconvertibleError for one that is longer than any number, whatever blanks it has."""
    if len(text) > LONGEST:
        raise UnconvertibleError(text)
    return text


CONVERTERS: dict[str, Callable[[Any, tzinfo], Any]] = {
    Attribute.Type.STRING: to_string,
    Attribute.Type.NUMBER: to_number,
    Attribute.Type.INTEGER: to_integer,
    Attribute.Type.BOOLEAN: to_boolean,
    Attribute.Type.TIME: to_time,
}

RIGHT_TYPES: dict[str, tuple[type, ...]] = {
    Attribute.Type.STRING: (str,),
    Attribute.Type.NUMBER: (int, float),
    Attribute.Type.INTEGER: (int,),
    Attribute.Type.BOOLEAN: (bool,),
    Attribute.Type.TIME: (),
}
"""The exact Python types whose values are already right. Checked first, because most values need no conversion."""

_NUMERIC = (int, float)


def convert(value: Any, type_: str, zone: tzinfo = UTC) -> Any:
    """Returns `value` as `type_`; a list item by item, in which nulls stay. A time that names no zone is in `zone`.

    Raises `UnconvertibleError`.
    """
    if type(value) in RIGHT_TYPES[type_]:
        return value
    if isinstance(value, list):
        return [None if item is None else convert(item, type_, zone) for item in value]
    if isinstance(value, dict) or value is None:
        raise UnconvertibleError(value)
    try:
        return CONVERTERS[type_](value, zone)
    except UnreadableValueError as refused:
        raise UnconvertibleError(value) from refused


def _is_in_seconds(value: Any, type_: str) -> bool:
    """Whether the value is a time as it is kept: most are."""
    return type_ == Attribute.Type.TIME and type(value) in _NUMERIC and -SECONDS_BELOW < value < SECONDS_BELOW


def converted(value: Any, type_: str, zone: tzinfo) -> tuple[Any, Origin | None]:
    """Returns `value` as `type_`, and its origin where that changed it. Raises `UnconvertibleError`."""
    found = convert(value, type_, zone)
    if same(found, value):
        return value, None
    origin = _origin_of(value, found)
    if is_too_long(origin):
        raise UnconvertibleError(value)
    return found, origin


def _origin_of(value: Any, found: Any) -> Origin:
    """Returns the type that gives the value back from what it became, if one does; else the value itself."""
    type_ = type_of(value)
    if type_ in _GIVING_BACK:
        try:
            if same(convert(found, type_), value):
                return type_
        except UnconvertibleError:
            return [value]
    return [value]


_GIVING_BACK = {Attribute.Type.STRING, Attribute.Type.NUMBER, Attribute.Type.INTEGER, Attribute.Type.BOOLEAN}


def came_as(value: Any, origin: Origin | None) -> Any:
    """Returns what came, of a value and its origin."""
    if origin is None:
        return value
    return origin[0] if isinstance(origin, list) else convert(value, origin)


TypedAttribute = tuple[str, list[str], str]
"""Path, its keys, and the type."""


@dataclass(slots=True)
class CustomerConversions:
    """One customer's attributes that have a type. `problems`: why others cannot be read, by the attribute's id.

    `zone`: where times are from that name no zone.
    """

    typed: list[TypedAttribute] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Conversions:
    """The attributes that have a type, by customer."""

    customers: PerCustomer[CustomerConversions]

    def apply(self, customer: int, data: dict[str, Any]) -> tuple[list[str], Mapping[str, Origins]]:
        """Convert the customer's typed attributes in `data`, in place. Called for every event.

        Takes out the values that cannot be converted. Returns their paths, and the origins of what was changed, by
        top-level attribute.
        """
        known = self.customers.of(customer)
        refused: list[str] = []
        origins: dict[str, Origins] | None = None
        for path, keys, type_ in known.typed:
            place = data if len(keys) == 1 else holder(data, keys)
            value = None if place is None else place.get(keys[-1])
            if place is None or value is None or type(value) in RIGHT_TYPES[type_] or _is_in_seconds(value, type_):
                continue
            if not value and is_empty(value):  # it changes nothing
                if len(keys) > 1:
                    del place[keys[-1]]
                continue
            try:
                place[keys[-1]], origin = converted(value, type_, known.zone)
            except UnconvertibleError:
                del place[keys[-1]]
                refused.append(path)
                continue
            if origin is not None:
                origins = {} if origins is None else origins
                _add(origins, keys, path, origin)
        return refused, origins or NO_ORIGINS

    def convert_kept(self, customer: int, attributes: dict[str, Any], times: dict[str, Any]) -> set[str]:
        """Convert what a profile holds to the present types, in place, from what came.

        What cannot be converted, or has no type any more, is then as it came. Returns the top-level names whose values
        changed; `times` holds the new origins.
        """
        known = self.customers.of(customer)
        types = {path: type_ for path, _, type_ in known.typed}
        places = {path: keys for path, keys, _ in known.typed}
        earlier = dict[str, Origin]()
        for name, origins in origins_in(times).items():
            of = origins if isinstance(origins, dict) else {join_path([name]): origins}
            earlier |= of
            places |= {path: list(split_path(path)) for path in of.keys() - places.keys()}
        later = dict[str, Origins]()
        changed = set[str]()
        for path, keys in sorted(places.items()):
            origin = _convert_place(attributes, keys, types.get(path), earlier.get(path), known.zone, changed)
            if origin is not None:
                _add(later, keys, path, origin)
        for name in {places[path][0] for path in earlier} | later.keys():
            put_origins(times, name, later.get(name))
        return changed


def _convert_place(
    attributes: dict[str, Any],
    keys: list[str],
    type_: str | None,
    origin: Origin | None,
    zone: tzinfo,
    changed: set[str],
) -> Origin | None:
    """Convert one value that a profile holds, and return its new origin. Notes in `changed` if that changed it."""
    place = holder(attributes, keys)
    value = None if place is None else place[keys[-1]]
    if place is None or value is None:
        return None
    came, later = came_as(value, origin), None
    found = came
    if type_ is not None:
        try:
            found, later = converted(came, type_, zone)
        except UnconvertibleError:
            found = came
    if not same(found, value):
        place[keys[-1]] = found
        changed.add(keys[0])
    return later


def _add(origins: dict[str, Origins], keys: list[str], path: str, origin: Origin) -> None:
    """Note an origin: of a top-level attribute's own value, or of one inside it."""
    if len(keys) == 1:
        origins[keys[0]] = origin
        return
    inside = origins.setdefault(keys[0], {})
    if isinstance(inside, dict):
        inside[path] = origin


def holder(data: dict[str, Any], keys: list[str]) -> dict[str, Any] | None:
    """Returns the object that holds the last of the keys, if there is one."""
    place: Any = data
    for key in keys[:-1]:
        place = place.get(key)
        if not isinstance(place, dict):
            return None
    return place if keys[-1] in place else None


def fault_of(path: str, type_: str) -> str | None:
    """Returns why an attribute cannot be read: the path is none, or there is no such type. None: it can."""
    try:
        split_path(path)
    except ValueError as error:
        return f"its path {error}"
    return None if type_ in Attribute.Type.values else f"there is no type {type_}"


def load_conversions(customers: Collection[int]) -> dict[int, CustomerConversions]:
    """Loads the enabled attributes of these customers that have a type of their own.

    What cannot be read is left out: values stay as they came.
    """
    loaded = {customer: CustomerConversions() for customer in customers}
    unknown = _set_zones(loaded)
    rows = Attribute.objects.filter(enabled=True, customer_id__in=customers).order_by("path")
    for key, customer, path, type_ in rows.values_list("id", "customer_id", "path", "type"):
        fault = fault_of(path, type_) or (unknown.get(customer) if type_ == Attribute.Type.TIME else None)
        if fault is not None:
            loaded[customer].problems[key] = fault
        elif type_ != Attribute.Type.MIXED:
            loaded[customer].typed.append((path, list(split_path(path)), type_))
    return loaded


def _set_zones(loaded: dict[int, CustomerConversions]) -> dict[int, str]:
    """Set the customers' time zones. Returns why this machine cannot read some of them, by customer."""
    unknown = {}
    for customer, name in Customer.objects.filter(m__in=loaded).values_list("m", "time_zone"):
        try:
            loaded[customer].zone = time_zone(name)
        except UnknownTimeZoneError as error:
            unknown[customer] = str(error)
    return unknown
