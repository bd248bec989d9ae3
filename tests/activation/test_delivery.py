"""Members are added and removed; pausing, resuming, sending again."""

from activation import services
from activation.delivery import lanes
from activation.models import Batch, Delivery
from integrations.models import Platform
from tests.support.telling import Telling


def test_members__are_added_and_removed_in_bounded_batches(telling: Telling) -> None:
    ads = telling.platform(batch_size=10)
    telling.activation(telling.audience(), ads)
    users = {f"x{number}": telling.user(f"x{number}", ads) for number in range(95)}
    telling.user("small", ads, amount=5)

    telling.tell_all(ads)
    assert telling.held() == set(users)

    for number in range(0, 95, 2):
        telling.shop.event(users[f"x{number}"], {"amount": 1})
    telling.tell_all(ads)

    assert telling.held() == {f"x{number}" for number in range(1, 95, 2)}
    sizes = Batch.objects.exclude(operation="create").values_list("rows", "accepted", "status")
    assert all(rows <= 10 and accepted == rows and status == "done" for rows, accepted, status in sizes)
    assert telling.sandbox.state("a")["generic"]["a"]["repeats"] == 0


def test_several_segments__share_requests(telling: Telling, ads: Platform) -> None:
    telling.activation(telling.audience("huge", 1000), ads)
    for number in range(20):
        telling.user(f"x{number}", ads, amount=5000)

    telling.tell_all(ads)

    assert telling.held("big") == telling.held("huge") == {f"x{number}" for number in range(20)}
    assert telling.calls() <= lanes.LANES
    assert any(len(batch.activations) == 2 for batch in Batch.objects.exclude(operation="create"))


def test_no_batch__one_call_a_user(telling: Telling) -> None:
    url = telling.sandbox.segments_url + "?id={{segment_id}}&userid={{userid}}"
    ads = telling.platform(
        strategy="no_batch", add={"method": "POST", "url": url}, remove={"method": "DELETE", "url": url}
    )
    telling.activation(telling.audience(), ads)
    awkward = {"plain", "a b&c=d", "ü/é?#", "100%"}
    users = {one: telling.user(one, ads) for one in awkward}
    telling.tell_all(ads)
    assert telling.held() == awkward
    assert telling.calls() == 4

    telling.change(users["100%"], 1)
    telling.tell_all(ads)
    assert telling.held() == awkward - {"100%"}


def test_id_that_changes_hands__ends_where_its_owner_belongs(telling: Telling, ads: Platform) -> None:
    telling.user("x", ads)
    stranger = telling.user("y", ads, amount=1)
    telling.tell_all(ads)
    assert telling.held() == {"x"}

    telling.shop.sync(stranger, ads, "x")
    telling.tell_all(ads)

    assert telling.held() == set()


def test_paused__sends_nothing_and_resumed_sends_today_only(telling: Telling, ads: Platform) -> None:
    goes, comes = telling.user("goes", ads), telling.user("comes", ads, amount=1)
    telling.tell_all(ads)
    activation = ads.activations.get()
    services.pause(activation)
    telling.change(goes, 1)
    telling.change(comes, 900)
    telling.user("comes and goes", ads)
    telling.shop.absorb()
    flighty = Delivery.objects.get(platform_user_id="comes and goes").user_id
    telling.change(flighty, 1)
    calls = telling.calls()
    assert telling.tell(ads) == 0
    assert (telling.held(), telling.calls()) == ({"goes"}, calls)

    services.resume(activation)
    telling.tell_all(ads)

    assert telling.held() == {"comes"}
    received = {(operation, x) for _, _, operation, _, x in telling.sandbox.received("a")}
    assert received == {("add", "goes"), ("remove", "goes"), ("add", "comes")}


def test_resync__fills_a_segment_that_lost_its_members(telling: Telling, ads: Platform) -> None:
    telling.user("x", ads)
    telling.user("small", ads, amount=1)
    telling.tell_all(ads)
    activation = ads.activations.get()
    telling.sandbox.reset()
    telling.create(ads)

    from tests.support.sandbox_account import GenericAccount

    assert GenericAccount(telling.sandbox, "a").create("big") == activation.segment_id
    services.resync(activation)
    telling.tell_all(ads)

    assert telling.held() == {"x"}


def test_disabled_platform__is_sent_nothing(telling: Telling, ads: Platform) -> None:
    telling.user("x", ads)
    ads.enabled = False
    ads.save()
    assert telling.tell(ads) == 0

    ads.enabled = True
    ads.save()
    telling.tell_all(ads)
    assert telling.held() == {"x"}
