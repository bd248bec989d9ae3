"""Conversion of attribute values: an enabled attribute's type is what its values become on the way in."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from core.json_values import canonical, same
from core.per_customer import PerCustomer
from profiles.models import Attribute
from profiles.paths import split_path

TRUE, FALSE = {"true", "1", "yes"}, {"false", "0", "no"}


class UnconvertibleError(ValueError):
    """The value cannot become the attribute's type."""


def to_string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def to_number(value: Any) -> int | float:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    number: int | float = canonical(float(value))
    if not math.isfinite(number):
        raise UnconvertibleError(value)
    return number


def to_integer(value: Any) -> int:
    number = to_number(value)
    if not isinstance(number, int):
        raise UnconvertibleError(value)
    return number


def to_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in TRUE | FALSE:
        return text in TRUE
    raise UnconvertibleError(value)


def to_time(value: Any) -> int | float:
    """Returns unix seconds from a number, or from an ISO 8601 moment (UTC if it names no zone)."""
    if isinstance(value, bool):
        raise UnconvertibleError(value)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return to_number(value)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds: int | float = canonical(zoned.timestamp())
        return seconds
    return to_number(value)


CONVERTERS: dict[str, Callable[[Any], Any]] = {
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
    Attribute.Type.TIME: (int, float),
}
"""The exact Python types whose values are already right. Checked first, because most values need no conversion."""


def convert(value: Any, type_: str) -> Any:
    """Returns `value` as `type_`; a list item by item. Raises `UnconvertibleError`."""
    if type(value) in RIGHT_TYPES[type_]:
        return value
    if isinstance(value, list):
        return [convert(item, type_) for item in value]
    if isinstance(value, dict):
        raise UnconvertibleError(value)
    try:
        return CONVERTERS[type_](value)
    except (TypeError, ValueError, OverflowError) as refused:
        raise UnconvertibleError(value) from refused


TypedAttribute = tuple[str, list[str], str]
"""Path, its keys, and the type."""


@dataclass(slots=True)
class CustomerConversions:
    """One customer's attributes that have a type. `problems`: why others cannot be read, by the attribute's id."""

    typed: list[TypedAttribute] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversions:
    """The attributes that have a type, by customer."""

    customers: PerCustomer[CustomerConversions]

    def apply(self, customer: int, data: dict[str, Any]) -> list[str]:
        """Convert the customer's typed attributes in `data`, in place.

        Takes out the values that cannot be converted, and returns their paths. Called for every event.
        """
        refused = []
        for path, keys, type_ in self.customers.of(customer).typed:
            place = data if len(keys) == 1 else holder(data, keys)
            value = None if place is None else place.get(keys[-1])
            if place is None or value is None or type(value) in RIGHT_TYPES[type_]:
                continue
            try:
                place[keys[-1]] = convert(value, type_)
            except UnconvertibleError:
                del place[keys[-1]]
                refused.append(path)
        return refused

    def convert_kept(self, customer: int, attributes: dict[str, Any]) -> set[str]:
        """Convert what a profile holds, in place. What cannot be converted stays as it is.

        Returns the top-level names whose values changed.
        """
        changed = set()
        for _, keys, type_ in self.customers.of(customer).typed:
            place = holder(attributes, keys)
            value = None if place is None else place[keys[-1]]
            if place is None or value is None:
                continue
            try:
                place[keys[-1]] = convert(value, type_)
            except UnconvertibleError:
                continue
            if not same(place[keys[-1]], value):
                changed.add(keys[0])
        return changed


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
    rows = Attribute.objects.filter(enabled=True, customer_id__in=customers).order_by("path")
    for key, customer, path, type_ in rows.values_list("id", "customer_id", "path", "type"):
        fault = fault_of(path, type_)
        if fault is not None:
            loaded[customer].problems[key] = fault
        elif type_ != Attribute.Type.MIXED:
            loaded[customer].typed.append((path, list(split_path(path)), type_))
    return loaded
