"""Which activations there are, in the form in which absorb looks them up: by customer, audience and platform."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError

from activation.models import Activation
from core.per_customer import PerCustomer
from core.problems import words_of
from integrations import limits
from integrations.models import Platform
from integrations.services import connector_of


@dataclass(slots=True)
class CustomerActivations:
    """One customer's activations that do not end, as (id, platform or audience) by audience and by platform.

    `own`: the platforms that know users by the ids of the hub. `platforms`: all that there are. `problems`: why
    platforms cannot be used, by `pl`.
    """

    by_id: dict[int, tuple[int, int]] = field(default_factory=dict)  # audience, platform
    by_audience: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    by_platform: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)
    platforms: set[int] = field(default_factory=set)
    problems: dict[int, str] = field(default_factory=dict)


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
    rows = Activation.objects.filter(audience__customer_id__in=customers).exclude(status=Activation.Status.ENDING)
    for key, customer, audience, platform in rows.order_by("id").values_list(
        "id", "audience__customer_id", "audience_id", "platform_id"
    ):
        index = loaded[customer]
        index.by_id[key] = (audience, platform)
        index.by_audience.setdefault(audience, []).append((key, platform))
        index.by_platform.setdefault(platform, []).append((key, audience))
    names = ("pl", "customer_id", "enabled", "connector", "settings", "credentials", "limits")
    for one in Platform.objects.filter(customer_id__in=customers).only(*names):
        index = loaded[one.customer_id]
        index.platforms.add(one.pl)
        try:
            connector = connector_of(one)
            if connector.own_ids and one.pl in index.by_platform:
                index.own.add(one.pl)
            limits.check(one.limits)
        except ValidationError as broken:
            if one.enabled:
                index.problems[one.pl] = words_of(broken)
    return loaded
