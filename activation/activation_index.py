"""Which activations there are, in the form in which absorb looks them up: by audience and by platform."""

from dataclasses import dataclass, field

from django.core.exceptions import ValidationError

from activation.models import Activation
from integrations.models import Platform
from integrations.services import connector_of


@dataclass(slots=True)
class ActivationIndex:
    """Every activation of the hub that does not end, as (id, platform or audience) by audience and by platform.

    `own`: the platforms that know users by the ids of the hub. `platforms`: all that there are.
    """

    by_id: dict[int, tuple[int, int]] = field(default_factory=dict)  # audience, platform
    by_audience: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    by_platform: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)
    platforms: frozenset[int] = frozenset()


def load() -> ActivationIndex:
    """Read the index. Paused and broken activations are in it too: what is wanted goes on changing."""
    loaded = ActivationIndex()
    rows = Activation.objects.exclude(status=Activation.Status.ENDING)
    for key, audience, platform in rows.values_list("id", "audience_id", "platform_id"):
        loaded.by_id[key] = (audience, platform)
        loaded.by_audience.setdefault(audience, []).append((key, platform))
        loaded.by_platform.setdefault(platform, []).append((key, audience))
    activated = Platform.objects.filter(pl__in=loaded.by_platform)
    loaded.own = {platform.pl for platform in activated if _takes_own(platform)}
    loaded.platforms = frozenset(Platform.objects.values_list("pl", flat=True))
    return loaded


def _takes_own(platform: Platform) -> bool:
    """False for a platform whose settings no longer fit its connector."""
    try:
        return connector_of(platform).own_ids
    except ValidationError:
        return False
