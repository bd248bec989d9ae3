"""What the edge says of API keys is kept: when each was used from where, and refusals in the audit log."""

from datetime import timedelta

from core import buckets, clock
from core.clock import milliseconds
from core.inbox import InboxKind
from core.messages import KeyUsed, encode
from core.models import ApiKey, ApiKeyUse, AuditEntry
from tests.support.shop import Shop


def tell(shop: Shop, use: KeyUsed) -> None:
    shop.append(buckets.of_value(use.prefix), InboxKind.KEY_USED, encode(use))


def test_use__told_out_of_order__keeps_the_latest(shop: Shop) -> None:
    key, _ = ApiKey.issue("k", "marketer", shop.customer)
    now = clock.now()
    for ago in (0, 60):
        tell(shop, KeyUsed(key.prefix, "192.0.2.1", milliseconds(now - timedelta(seconds=ago))))
    tell(shop, KeyUsed("gone", "192.0.2.1", milliseconds(now)))
    shop.absorb()

    use = ApiKeyUse.objects.get()
    assert (use.api_key_id, use.address, milliseconds(use.used_at)) == (key.pk, "192.0.2.1", milliseconds(now))
    assert not shop.bad_rows()


def test_refused_use__is_an_entry_of_the_audit_log(shop: Shop) -> None:
    key, _ = ApiKey.issue("k", "marketer", shop.customer)
    tell(shop, KeyUsed(key.prefix, "192.0.2.1", milliseconds(clock.now()), refused=True))
    shop.absorb()

    entry = AuditEntry.objects.get(action="refuse")
    assert (entry.actor_number, entry.door, entry.address) == (key.prefix, "edge", "192.0.2.1")
    assert (entry.object, entry.object_number, entry.customer_id) == ("api_key", str(key.pk), shop.customer.m)
    assert not ApiKeyUse.objects.exists()
