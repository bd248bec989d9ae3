"""The configuration as the stages use it, compiled once for each version."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from psycopg import Cursor

from activation import activation_index
from activation.activation_index import ActivationIndex
from audiences import catalogue as audiences
from audiences.catalogue import AudienceCatalogue
from core.models import Customer
from profiles.conversion import Conversions, load_conversions

VERSION = "SELECT version FROM configuration_version"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that absorb asks of the configuration. It never changes: a new version is another object."""

    version: int
    customers: frozenset[int]
    audiences: AudienceCatalogue
    activations: ActivationIndex
    conversions: Conversions


def current(cursor: Cursor[Any]) -> Catalogue:
    """Returns the configuration as of this statement or later.

    A transaction calls it after its last lock: then it is not older than what the held buckets were built with.
    """
    cursor.execute(VERSION)
    (version,) = cursor.fetchone() or (0,)
    return at_version(version)


@lru_cache(maxsize=1)  # it is large, and nobody asks for an older one
def at_version(version: int) -> Catalogue:
    """Returns the configuration as of `version` or later. Read on first use, kept until the version changes."""
    customers = frozenset(Customer.objects.values_list("m", flat=True))
    return Catalogue(version, customers, audiences.load(), activation_index.load(), load_conversions())
