"""Activations whose platform refuses us: broken until a person changes what it refuses."""

from hashlib import blake2b

import msgspec
from django.conf import settings

from activation.models import Activation
from integrations.models import Platform

FIXABLE = (Activation.Status.LIVE, Activation.Status.PENDING)


def broke(platform: int, activations: list[int], error: str) -> None:
    """The platform does not accept the credentials or settings with which these were sent."""
    row = Platform.objects.filter(pl=platform).first()
    if row is None:
        return
    rows = Activation.objects.filter(id__in=activations, status__in=FIXABLE)
    rows.update(status=Activation.Status.BROKEN, last_error=error, broken_by=_fingerprint(row))


def revive(platform: Platform) -> None:
    """Try those again that were broken by other settings or credentials than the platform has now."""
    broken = Activation.objects.filter(platform=platform, status=Activation.Status.BROKEN).exclude(
        broken_by=_fingerprint(platform)
    )
    for activation in broken:
        known = activation.segment_id is not None
        activation.status = Activation.Status.LIVE if known else Activation.Status.PENDING
        activation.last_error, activation.broken_by = "", ""
        activation.save(update_fields=["status", "last_error", "broken_by"])


def _fingerprint(platform: Platform) -> str:
    """Stands for settings and credentials, and tells nothing about them."""
    key = settings.SECRET_KEYS[0].encode()[:64]
    told = msgspec.json.encode([platform.connector, platform.settings, platform.credentials], order="deterministic")
    return blake2b(told, key=key, digest_size=32).hexdigest()
