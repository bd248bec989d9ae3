"""Audiences that are being deleted: platforms are told first, then all is forgotten."""

from activation import services as activations
from activation.models import Activation
from audiences import services
from audiences.models import Audience


def go_on() -> int:
    """End the activations of audiences that are being deleted; delete those with none left; answers how many."""
    deleted = 0
    for audience in Audience.objects.filter(status=Audience.Status.DELETING):
        for activation in audience.activations.exclude(status=Activation.Status.ENDING):
            activations.deactivate(activation)
        if not audience.activations.exists():
            services.delete_audience(audience)
            deleted += 1
    return deleted
