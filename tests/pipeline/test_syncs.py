"""Platform ids: whose they are, and what is wanted of them."""

import msgspec
import pytest

from activation.messages import Want
from activation.models import Activation, Delivery
from core import buckets
from core.inbox import InboxKind
from integrations.models import Platform
from tests.support.shop import Shop, now_ms, rule, somebody
from usersync.models import UserMapping


def want(shop: Shop, activation: Activation, platform_user_id: str, wanted: bool, epoch: int, version: int) -> None:
    """A want on its way, as another bucket may have sent it long ago."""
    message = Want(
        shop.customer.m,
        activation.id,
        activation.platform_id,
        platform_user_id,
        somebody(),
        epoch,
        version,
        wanted,
    )
    shop.append(buckets.of_value(platform_user_id), InboxKind.WANT, msgspec.json.encode(message))
    shop.absorb()


def test_sync__stores_the_mapping_with_what_came_along(shop: Shop, ads: Platform) -> None:
    user = somebody()
    shop.sync(user, ads, "x", ttl_days=2, extra={"dc": "ewr"})
    shop.absorb()

    mapping = UserMapping.objects.get(user_id=user)
    assert (mapping.platform_user_id, mapping.extra, mapping.bucket) == ("x", {"dc": "ewr"}, buckets.of_user(user))
    assert mapping.expires_at is not None
    assert round((mapping.expires_at - mapping.synced_at).total_seconds()) == 2 * 86_400
    assert shop.profile(user).confirmed


def test_sync_again__by_the_same_user__keeps_the_owner_and_tells_nobody(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.sync(user, ads, "x")
    shop.absorb()
    shop.accept_all_deliveries()
    before = shop.delivery(buyers, "x")

    shop.sync(user, ads, "x")
    shop.absorb()

    after = shop.delivery(buyers, "x")
    assert (after.epoch, after.version, after.wanted, after.due_at) == (before.epoch, before.version, True, None)


def test_member__with_several_ids_on_a_platform__each_is_wanted(shop: Shop, ads: Platform, buyers: Activation) -> None:
    user = somebody()
    shop.sync(user, ads, "x-1")
    shop.sync(user, ads, "x-2")
    shop.event(user, {"amount": 150})
    shop.absorb()

    assert shop.wanted(buyers) == {"x-1", "x-2"}
    assert shop.due() == {("x-1", True), ("x-2", True)}


def test_member__first_then_synced__is_wanted(shop: Shop, ads: Platform, buyers: Activation) -> None:
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.absorb()
    assert shop.wanted(buyers) == set()

    shop.sync(user, ads, "x")
    shop.absorb()

    assert shop.wanted(buyers) == {"x"}


def test_clear__removes_the_mapping_and_tells_the_platform(shop: Shop, ads: Platform, buyers: Activation) -> None:
    user = somebody()
    other = shop.platform("other")
    shop.event(user, {"amount": 150})
    shop.sync(user, ads, "x")
    shop.sync(user, other, "y")
    shop.absorb()
    shop.accept_all_deliveries()

    shop.sync(user, ads, "")
    shop.absorb()

    assert shop.mappings(user) == {(other.pl, "y")}
    assert shop.named(f"platform:{ads.pl}", "x") is None
    assert shop.due() == {("x", False)}


def test_clear_and_sync_again__is_wanted_again(shop: Shop, ads: Platform, buyers: Activation) -> None:
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.sync(user, ads, "x")
    shop.absorb()
    shop.sync(user, ads, "")
    shop.absorb()

    shop.sync(user, ads, "x")
    shop.absorb()

    assert shop.wanted(buyers) == {"x"}
    assert shop.mappings(user) == {(ads.pl, "x")}


def test_id_that_changes_hands__and_is_synced_again_in_the_same_batch__is_wanted_no_more(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    member, stranger = somebody(), somebody()
    shop.event(member, {"amount": 150})
    shop.sync(member, ads, "x")
    shop.absorb()
    assert shop.wanted(buyers) == {"x"}

    shop.sync(stranger, ads, "x")
    shop.sync(stranger, ads, "x")
    shop.absorb()

    assert shop.wanted(buyers) == set()


def test_id_that_changes_hands__makes_no_delivery_where_nobody_ever_wanted_it(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    rich = [shop.activation(shop.audience(f"above {n}", rule("attribute.amount", ">", n)), ads) for n in (1000, 2000)]
    member, stranger = somebody(), somebody()
    shop.event(member, {"amount": 150})
    shop.event(stranger, {"amount": 50})
    shop.sync(member, ads, "x")
    shop.absorb()

    shop.sync(stranger, ads, "x")
    shop.absorb()

    assert shop.wanted(buyers) == set()
    assert not Delivery.objects.filter(activation_id__in=[one.id for one in rich]).exists()
    shop.event(stranger, {"amount": 1500})
    shop.absorb()
    assert (shop.wanted(buyers), shop.wanted(rich[0]), shop.wanted(rich[1])) == ({"x"}, {"x"}, set())


@pytest.mark.parametrize("at_once", [True, False])
def test_id_that_changes_hands__follows_its_new_owner(
    shop: Shop, ads: Platform, buyers: Activation, at_once: bool
) -> None:
    member, stranger = somebody(), somebody()
    shop.event(member, {"amount": 150})
    shop.event(stranger, {"amount": 50})
    for owner in (member, stranger, member, stranger):
        shop.sync(owner, ads, "x")
        if not at_once:
            shop.absorb()
    shop.absorb()
    assert shop.wanted(buyers) == set()
    assert shop.mappings(member) == set()
    assert shop.mappings(stranger) == {(ads.pl, "x")}

    shop.sync(member, ads, "x")
    shop.absorb()
    assert shop.wanted(buyers) == {"x"}
    assert shop.delivery(buyers, "x").user_id == member


def test_id_that_changes_hands_among_members__stays_in_the_segment(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    one, two = somebody(), somebody()
    for user in (one, two):
        shop.event(user, {"amount": 150})
    shop.sync(one, ads, "x")
    shop.absorb()
    shop.accept_all_deliveries()

    shop.sync(two, ads, "x")
    shop.absorb()

    assert shop.wanted(buyers) == {"x"}
    assert shop.due() == set()
    assert shop.delivery(buyers, "x").user_id == two


def test_former_owner_that_leaves_or_enters__moves_nothing(shop: Shop, ads: Platform, buyers: Activation) -> None:
    former, owner = somebody(), somebody()
    for user in (former, owner):
        shop.event(user, {"amount": 150}, at=now_ms() - 60_000)
    shop.sync(former, ads, "x")
    shop.absorb()
    shop.sync(owner, ads, "x")
    shop.absorb()

    shop.event(former, {"amount": 1})
    shop.absorb()
    assert shop.wanted(buyers) == {"x"}


@pytest.mark.parametrize(("epoch", "version"), [(1, 99), (2, 0), (2, 1)])
def test_want__of_a_former_owner_or_of_before__changes_nothing(
    shop: Shop, ads: Platform, buyers: Activation, epoch: int, version: int
) -> None:
    first, owner = somebody(), somebody()
    shop.event(owner, {"amount": 150})
    shop.sync(first, ads, "x")
    shop.sync(owner, ads, "x")
    shop.absorb()
    before = shop.delivery(buyers, "x")
    assert (before.epoch, before.version, before.wanted) == (2, 1, True)

    want(shop, buyers, "x", False, epoch, version)

    after = shop.delivery(buyers, "x")
    assert (after.epoch, after.version, after.wanted, after.due_at) == (2, 1, True, before.due_at)


def test_want__in_the_same_epoch_and_newer__holds(shop: Shop, ads: Platform, buyers: Activation) -> None:
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.sync(user, ads, "x")
    shop.absorb()

    want(shop, buyers, "x", False, 1, 2)

    assert shop.wanted(buyers) == set()


def test_enters_leaves_and_enters__before_anything_was_sent__is_one_addition(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    user = somebody()
    shop.sync(user, ads, "x")
    for amount in (150, 50, 151):
        shop.event(user, {"amount": amount})
        shop.absorb()
    assert shop.due() == {("x", True)}
    assert Delivery.objects.count() == 1


def test_enters_and_leaves__before_anything_was_sent__is_nothing(shop: Shop, ads: Platform, buyers: Activation) -> None:
    user = somebody()
    shop.sync(user, ads, "x")
    for amount in (150, 50):
        shop.event(user, {"amount": amount})
        shop.absorb()

    assert shop.due() == set()


def test_sync__guid_in_upper_case__is_the_one_in_lower_case(shop: Shop) -> None:
    platform = shop.platform(connector="mediamath_event", settings={"advertiser_id": 7})
    one, other = somebody(), somebody()
    guid = "6d92078a-8246-4ba4-ae5b-76104861e7dc"
    shop.sync(one, platform, guid.upper())
    shop.absorb()
    assert shop.mappings(one) == {(platform.pl, guid)}

    shop.sync(other, platform, guid)
    shop.absorb()
    assert (shop.mappings(one), shop.mappings(other)) == (set(), {(platform.pl, guid)})
