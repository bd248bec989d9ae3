"""Commands to every bucket cost little where most buckets hold nobody, and leave what they would have left."""

from activation import services as activations
from activation.models import Backfill
from audiences import services as audiences
from audiences.models import AudienceBucket
from core.buckets import BUCKETS
from core.models import Inbox
from integrations.models import Platform
from pipeline import counts
from pipeline.privacy import erasures
from tests.support.shop import Shop, rule, somebody

FEW = 8


def batches(shop: Shop) -> int:
    """How many times the absorber had to look until nothing waited."""
    taken = 0
    while Inbox.objects.exists():
        shop.absorber.absorb()
        taken += 1
    return taken


def test_commands_to_every_bucket__where_nobody_is__are_done_in_few_batches(shop: Shop, ads: Platform) -> None:
    shop.absorb()
    audience = audiences.create_audience(shop.customer, "buyers", rule("attribute.amount", ">", 100))
    assert Inbox.objects.count() == BUCKETS
    assert batches(shop) < FEW
    assert AudienceBucket.objects.filter(audience_id=audience.id, version=audience.version).count() == BUCKETS

    activation = activations.activate(audience, ads, {"segment_id": 1})
    assert batches(shop) < FEW
    assert not Backfill.objects.exists()
    assert activations.backfill_percent(activation.id) == 100


def test_commands_to_every_bucket__where_somebody_is__find_them(shop: Shop, ads: Platform) -> None:
    users = [somebody() for _ in range(3)]
    for number, user in enumerate(users):
        shop.sync(user, ads, f"x{number}")
        shop.event(user, {"amount": 50 + 100 * number})
    shop.absorb()

    audience = shop.audience("buyers", rule("attribute.amount", ">", 100))
    activation = shop.activation(audience, ads)

    assert shop.members(audience) == set(users[1:])
    assert shop.wanted(activation) == {"x1", "x2"}
    assert counts.check() == []


def test_members_counted_before_a_backfill__who_are_gone_when_it_comes__are_counted_no_more(
    shop: Shop, ads: Platform
) -> None:
    """The count of the activation has noted a leaver whom it had never noted as a member."""
    user = somebody()
    shop.sync(user, ads, "x")
    shop.event(user, {"amount": 500})
    audience = shop.audience("buyers", rule("attribute.amount", ">", 100))
    activation = activations.activate(audience, ads, {"segment_id": 1})
    erasures.request(shop.customer.m, user, "a test")  # it is taken before the backfill
    shop.absorb()

    assert shop.wanted(activation) == set()
    assert counts.check() == []
