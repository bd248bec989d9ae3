"""Configuration by customer, as one batch may use it: what a batch needs must be as new as the locks that it holds.

Must not import Django: what is compiled for each customer is the business of other rooms.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Part = TypeVar("Part")


class OutdatedConfigurationError(Exception):
    """What the batch needs has changed since it was compiled: roll back, compile outside of the locks, try again.

    `version` is the configuration version that the batch has seen.
    """

    def __init__(self, version: int) -> None:
        super().__init__(f"the configuration that is needed is older than version {version}")
        self.version = version


class Everybody:
    """In place of a set of customers: all of them."""

    def __contains__(self, _customer: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Outdated:
    """The customers whose configuration has changed since it was compiled, as a batch has seen it in `version`."""

    version: int = 0
    customers: frozenset[int] | Everybody = frozenset()


@dataclass(frozen=True, slots=True)
class PerCustomer(Generic[Part]):
    """A part of the configuration for each customer; `nothing` for one that has none.

    `owners` names the customer of each thing that is known by its id.
    """

    parts: Mapping[int, Part]
    nothing: Part
    owners: Mapping[int, int]
    outdated: Outdated

    def of(self, customer: int) -> Part:
        """Returns the customer's part. Raises `OutdatedConfigurationError` where it has changed meanwhile."""
        if customer in self.outdated.customers:
            raise OutdatedConfigurationError(self.outdated.version)
        return self.parts.get(customer, self.nothing)

    def holding(self, number: int) -> Part:
        """Returns the part of the customer who owns the thing of this id; `nothing` where there is no such thing.

        Raises `OutdatedConfigurationError` where that is not certain, or the part has changed meanwhile.
        """
        customer = self.owners.get(number)
        if customer is not None:
            return self.of(customer)
        if self.outdated.customers:
            raise OutdatedConfigurationError(self.outdated.version)
        return self.nothing
