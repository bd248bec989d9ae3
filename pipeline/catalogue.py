"""The configuration as the stages use it, compiled once per version."""

from dataclasses import dataclass

from activation import desired_state
from activation.desired_state import Activations
from audiences import catalogue as audiences
from audiences.catalogue import AudienceCatalogue
from core.models import Customer
from profiles.conversion import Conversions, load_conversions


@dataclass(frozen=True, slots=True)
class Catalogue:
    version: int
    customers: frozenset[int]
    audiences: AudienceCatalogue
    activations: Activations
    conversions: Conversions


_current: Catalogue | None = None


def at_version(version: int) -> Catalogue:
    """The configuration as of `version` or later. Loaded on first use, kept until the version changes."""
    global _current  # noqa: PLW0603 (one catalogue a process is the point: it is large and never changes)
    if _current is None or _current.version != version:
        customers = frozenset(Customer.objects.values_list("m", flat=True))
        _current = Catalogue(version, customers, audiences.load(), desired_state.load(), load_conversions())
    return _current
