"""Whose data somebody may see: the one filter that every read for an API key or a person passes.

The doors never ask a table by itself: they ask their caller's `Scope` for its rows (`scope.of(Model)`). A model that
cannot be filtered by customer cannot be read this way at all, so a forgotten filter is an error, not a leak.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.apps import apps
from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)
CUSTOMER, BUCKET = "customer_id", "bucket"
# columns that name something that has a customer
OWNERS = {
    "platform_id": "integrations.Platform",
    "audience_id": "audiences.Audience",
    "attribute_id": "profiles.Attribute",
    "activation_id": "activation.Activation",
}


class UnscopedModelError(TypeError):
    """The rows of a model belong to no customer, as far as the model says."""

    def __init__(self, model: type[Model]) -> None:
        super().__init__(f"{model.__name__} has no customer: give it a `customer_path`")


class OutOfScopeError(LookupError):
    """What was asked for belongs to a customer whose data the caller may not see, or does not exist."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The customers whose data may be seen; `customers` is None for all of them."""

    customers: frozenset[int] | None

    @classmethod
    def of_customer(cls, customer: int | None) -> "Scope":
        """Return the scope of a single customer; None: of all."""
        return cls(None if customer is None else frozenset({customer}))

    @property
    def only(self) -> int | None:
        """The only customer whose data may be seen; None where there are several, or none."""
        return next(iter(self.customers)) if self.customers is not None and len(self.customers) == 1 else None

    def sees(self, customer: int | None) -> bool:
        """Whether the customer's data may be seen. What belongs to no customer (None) is seen by those who see all."""
        return self.customers is None or customer in self.customers

    def checked(self, customer: int) -> int:
        """Return the customer's number. Raises `OutOfScopeError` where its data may not be seen."""
        if not self.sees(customer):
            raise OutOfScopeError
        return customer

    def of(self, model: type[Row]) -> QuerySet[Row]:
        """Return the rows of the model that may be seen. Raises `UnscopedModelError` if it names no customer."""
        path = path_of(model)
        rows: QuerySet[Row] = model._default_manager.all()
        if self.customers is None:
            return rows
        if path in OWNERS:
            owners = self.of(apps.get_model(OWNERS[path])).order_by("pk").values_list("pk", flat=True)
            # of large tables they are read first: then an index on the column can be used
            return rows.filter(**{f"{path}__in": list(owners) if BUCKET in _columns(model) else owners})
        return rows.filter(**_among(path, self.customers))


def has_customer(model: type[Model]) -> bool:
    """Whether the model's rows belong to customers."""
    try:
        path_of(model)
    except UnscopedModelError:
        return False
    return True


@cache
def path_of(model: type[Model]) -> str:
    """Return the lookup that leads from a row to its customer: the model's `customer_path`, or a column that it has.

    A key of `OWNERS` means: the customer of what the column names.
    """
    declared: str | None = getattr(model, "customer_path", None)
    found = declared or next((name for name in (CUSTOMER, *OWNERS) if name in _columns(model)), None)
    if found is None:
        raise UnscopedModelError(model)
    return found


def _columns(model: type[Model]) -> frozenset[str]:
    return frozenset(field.attname for field in model._meta.concrete_fields)


def _among(path: str, customers: frozenset[int]) -> dict[str, Any]:
    """Equality where there is one customer: indexes that begin with the customer keep their order then."""
    if len(customers) == 1:
        return {path: next(iter(customers))}
    return {f"{path}__in": sorted(customers)}


EVERYTHING = Scope(None)
NOTHING = Scope(frozenset())
