"""The keys by which file servers are known: the first one that a server showed is kept, and another is refused."""

from django.db import transaction

from activation.models import HostKey
from core import audit, clock
from integrations.models import Platform


def known(platform: int, host: str) -> str:
    """Returns the key by which the file server was first known; empty where it was never seen."""
    row = HostKey.objects.filter(platform_id=platform, host=host).first()
    return "" if row is None else row.key


def pin(platform: int, host: str, key: str) -> None:
    """Keep the key of a file server that was seen for the first time."""
    with transaction.atomic():
        HostKey.objects.update_or_create(platform_id=platform, host=host, defaults={"key": key, "seen_at": clock.now()})
        customer = Platform.objects.filter(pk=platform).values_list("customer_id", flat=True).first()
        audit.record("pin host key", "platform", platform, customer=customer, after={"host": host, "key": key})
