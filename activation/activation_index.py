"""Which activations there are, in the form in which absorb looks them up: by customer, audience and platform."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError

from activation.models import Activation
from core.per_customer import PerCustomer
from core.problems import words_of
from integrations import limits
from integrations.connectors.base import Connector
from integrations.models import Platform
from integrations.services import connector_of, validate_activation


@dataclass(slots=True)
class CustomerActivations:
    """One customer's activations that do not end, as (id, platform or audience) by audience and by platform.

    `own`: the platforms that know users by the ids of the hub. `guids`: those whose own ids are GUIDs.
    `platforms`: all that there are. `problems`: why
    platforms cannot be used, by `pl`; `refused`: why a platform that can be used does not take an activation, by id.
    """

    by_id: dict[int, tuple[int, int]] = field(default_factory=dict)  # audience, platform
    by_audience: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    by_platform: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)
    guids: set[int] = field(default_factory=set)
    platforms: set[int] = field(default_factory=set)
    problems: dict[int, str] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActivationIndex:
    """Finds activations by their customer, by id, and by platform."""

    customers: PerCustomer[CustomerActivations]
    platforms: PerCustomer[CustomerActivations]

    def of(self, customer: int) -> CustomerActivations:
        return self.customers.of(customer)

    def get(self, activation: int) -> tuple[int, int] | None:
        """Returns the audience and the platform of an activation."""
        return self.customers.holding(activation).by_id.get(activation)

    def of_platform(self, platform: int) -> Sequence[tuple[int, int]]:
        return self.platforms.holding(platform).by_platform.get(platform, ())


def load(customers: Collection[int]) -> dict[int, CustomerActivations]:
    """Read the index of these customers. Paused and broken activations are in it too: what is wanted goes on changing.

    Every platform is set up once, so that one that cannot be used is found before something is due there.
    """
    loaded = {customer: CustomerActivations() for customer in customers}
    read = ("pl", "customer_id", "enabled", "connector", "settings", "credentials", "limits")
    platforms = Platform.objects.filter(customer_id__in=customers).only(*read)
    connectors = {one.pl: _set_up(loaded[one.customer_id], one) for one in platforms}
    rows = Activation.objects.filter(audience__customer_id__in=customers).exclude(status=Activation.Status.ENDING)
    names = ("id", "audience__customer_id", "audience_id", "platform_id", "settings", "segment_id")
    for key, customer, audience, platform, settings, segment in rows.order_by("id").values_list(*names):
        index, connector = loaded[customer], connectors.get(platform)
        index.by_id[key] = (audience, platform)
        index.by_audience.setdefault(audience, []).append((key, platform))
        index.by_platform.setdefault(platform, []).append((key, audience))
        if connector is not None and connector.own_ids:
            index.own.add(platform)
        if connector is not None and (fault := fault_of(connector, settings, segment)) is not None:
            index.refused[key] = fault
    return loaded


def fault_of(connector: Connector, settings: Any, segment_id: Any) -> str | None:
    """Returns why nothing can be sent for an activation of these settings. None: something can.

    `segment_id`: of a segment that exists, which then need not be given by the settings.
    """
    if segment_id is not None and isinstance(settings, dict):
        named = "segment_id" in connector.activation_type.__struct_fields__
        settings = {**settings, "segment_id": segment_id} if named else settings
    try:
        validate_activation(connector, settings)
    except ValidationError as broken:
        return words_of(broken)
    return None


def _set_up(index: CustomerActivations, platform: Platform) -> Connector | None:
    """Returns the platform's connector; None where the platform cannot be used."""
    index.platforms.add(platform.pl)
    try:
        limits.check(platform.limits)
        connector = connector_of(platform)
    except ValidationError as broken:
        if platform.enabled:
            index.problems[platform.pl] = words_of(broken)
        return None
    if connector.has_guids:
        index.guids.add(platform.pl)
    return connector
