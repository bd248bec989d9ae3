"""Members are added and removed; pausing, resuming, sending again."""

from activation import services
from activation.delivery import lanes
from activation.models import Batch, Delivery
from integrations.models import Platform
from tests.support.delivery_stage import DeliveryStage


def test_members__are_added_and_removed_in_bounded_batches(stage: DeliveryStage) -> None:
    ads = stage.platform(batch_size=10)
    stage.activation(stage.audience(), ads)
    users = {f"x{number}": stage.user(f"x{number}", ads) for number in range(95)}
    stage.user("small", ads, amount=5)

    stage.deliver_all(ads)
    assert stage.held() == set(users)

    for number in range(0, 95, 2):
        stage.shop.event(users[f"x{number}"], {"amount": 1})
    stage.deliver_all(ads)

    assert stage.held() == {f"x{number}" for number in range(1, 95, 2)}
    sizes = Batch.objects.exclude(operation="create").values_list("rows", "accepted", "status")
    assert all(rows <= 10 and accepted == rows and status == "done" for rows, accepted, status in sizes)
    assert stage.sandbox.state("a")["generic"]["a"]["repeats"] == 0


def test_several_segments__share_requests(stage: DeliveryStage, ads: Platform) -> None:
    stage.activation(stage.audience("huge", 1000), ads)
    for number in range(20):
        stage.user(f"x{number}", ads, amount=5000)

    stage.deliver_all(ads)

    assert stage.held("big") == stage.held("huge") == {f"x{number}" for number in range(20)}
    assert stage.calls() <= lanes.LANES
    assert any(len(batch.activations) == 2 for batch in Batch.objects.exclude(operation="create"))


def test_no_batch__one_call_a_user(stage: DeliveryStage) -> None:
    url = stage.sandbox.segments_url + "?id={{segment_id}}&userid={{userid}}"
    ads = stage.platform(
        strategy="no_batch", add={"method": "POST", "url": url}, remove={"method": "DELETE", "url": url}
    )
    stage.activation(stage.audience(), ads)
    awkward = {"plain", "a b&c=d", "ü/é?#", "100%"}
    users = {one: stage.user(one, ads) for one in awkward}
    stage.deliver_all(ads)
    assert stage.held() == awkward
    assert stage.calls() == 4

    stage.change(users["100%"], 1)
    stage.deliver_all(ads)
    assert stage.held() == awkward - {"100%"}


def test_id_that_changes_hands__ends_where_its_owner_belongs(stage: DeliveryStage, ads: Platform) -> None:
    stage.user("x", ads)
    stranger = stage.user("y", ads, amount=1)
    stage.deliver_all(ads)
    assert stage.held() == {"x"}

    stage.shop.sync(stranger, ads, "x")
    stage.deliver_all(ads)

    assert stage.held() == set()


def test_paused__sends_nothing_and_resumed_sends_today_only(stage: DeliveryStage, ads: Platform) -> None:
    goes, comes = stage.user("goes", ads), stage.user("comes", ads, amount=1)
    stage.deliver_all(ads)
    activation = ads.activations.get()
    services.pause(activation)
    stage.change(goes, 1)
    stage.change(comes, 900)
    stage.user("comes and goes", ads)
    stage.shop.absorb()
    flighty = Delivery.objects.get(platform_user_id="comes and goes").user_id
    stage.change(flighty, 1)
    calls = stage.calls()
    assert stage.deliver(ads) == 0
    assert (stage.held(), stage.calls()) == ({"goes"}, calls)

    services.resume(activation)
    stage.deliver_all(ads)

    assert stage.held() == {"comes"}
    received = {(operation, x) for _, _, operation, _, x in stage.sandbox.received("a")}
    assert received == {("add", "goes"), ("remove", "goes"), ("add", "comes")}


def test_resync__fills_a_segment_that_lost_its_members(stage: DeliveryStage, ads: Platform) -> None:
    stage.user("x", ads)
    stage.user("small", ads, amount=1)
    stage.deliver_all(ads)
    activation = ads.activations.get()
    stage.sandbox.reset()
    stage.create(ads)

    from tests.support.sandbox_account import GenericAccount

    assert GenericAccount(stage.sandbox, "a").create("big") == activation.segment_id
    services.resync(activation)
    stage.deliver_all(ads)

    assert stage.held() == {"x"}


def test_disabled_platform__is_sent_nothing(stage: DeliveryStage, ads: Platform) -> None:
    stage.user("x", ads)
    ads.enabled = False
    ads.save()
    assert stage.deliver(ads) == 0

    ads.enabled = True
    ads.save()
    stage.deliver_all(ads)
    assert stage.held() == {"x"}
