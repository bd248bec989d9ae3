"""Segments are created at their platform by themselves."""

from activation import services
from activation.models import Activation, Batch
from tests.support.edge_process import until
from tests.support.telling import Telling


def test_activation__creates_its_segment_and_keeps_the_id_in_its_own_type(telling: Telling) -> None:
    ads = telling.platform()
    activation = services.activate(telling.audience("Käufer & Co."), ads, {})
    assert activation.status == Activation.Status.PENDING

    assert telling.create(ads) == 1

    activation.refresh_from_db()
    assert (activation.status, activation.last_error) == (Activation.Status.LIVE, "")
    segments = telling.sandbox.state("a")["generic"]["a"]["segments"]
    assert {number: segment["title"] for number, segment in segments.items()} == {
        str(activation.segment_id): "Käufer & Co."
    }
    assert isinstance(activation.segment_id, int)
    assert telling.create(ads) == 0


def test_creation__refused_once__is_tried_again_after_a_while(telling: Telling) -> None:
    ads = telling.platform()
    activation = telling.shop.activation(telling.audience(), ads)
    telling.sandbox.faults(target="generic/a", status=500, times=1)

    assert telling.create(ads) == 0
    assert telling.create(ads) == 0  # not at once
    assert Batch.objects.filter(operation="create").count() == 1
    activation.refresh_from_db()
    assert activation.status == Activation.Status.PENDING
    assert activation.last_error.startswith("HTTP 500")

    until(lambda: telling.create(ads) == 1, 5)
    activation.refresh_from_db()
    assert (activation.status, activation.last_error) == (Activation.Status.LIVE, "")


def test_creation__applied_but_unanswered__ends_with_one_segment(telling: Telling) -> None:
    ads = telling.platform()
    telling.shop.activation(telling.audience(), ads)
    telling.sandbox.faults(target="generic/a", drop=True, applied=True, times=1)

    telling.create(ads)
    until(lambda: telling.create(ads) == 1, 5)

    assert len(telling.sandbox.state("a")["generic"]["a"]["segments"]) == 1


def test_creation__answer_without_an_id__is_told_and_nothing_is_sent(telling: Telling) -> None:
    ads = telling.platform(
        create={"method": "POST", "url": telling.sandbox.segments_url + "?title={{name}}", "segment_id": "data.id"}
    )
    activation = telling.shop.activation(telling.audience(), ads)
    telling.user("x", ads)

    telling.create(ads)
    telling.tell(ads)

    activation.refresh_from_db()
    assert activation.status == Activation.Status.PENDING
    assert "data.id" in activation.last_error
    assert telling.calls() == 0


def test_one_segment_that_cannot_be_created__does_not_hold_up_the_others(telling: Telling) -> None:
    ads, other = telling.platform("a"), telling.platform("b")
    audience = telling.audience()
    telling.sandbox.faults(target="generic/a", status=500)
    for platform in (ads, other):
        telling.shop.activation(audience, platform)
        telling.user(f"x-{platform.name}", platform)
    telling.create(ads)

    assert telling.create(other) == 1
    telling.tell(other)

    assert telling.held("big", "b") == {"x-b"}


def test_given_segment_id__is_used_where_the_platform_creates_none(telling: Telling) -> None:
    creator = telling.platform()
    telling.activation(telling.audience(), creator)
    number = Activation.objects.get().segment_id
    ads = telling.platform(create=None)
    activation = telling.shop.activation(telling.audience("other", 5), ads, segment_id=number)
    telling.create(ads)
    telling.user("x", ads, amount=50)

    telling.tell(ads)

    activation.refresh_from_db()
    assert activation.segment_id == number
    assert telling.held("big") == {"x"}


def test_paused_while_its_segment_is_created__stays_paused(telling: Telling) -> None:
    ads = telling.platform()
    activation = telling.shop.activation(telling.audience(), ads)
    services.pause(activation)

    assert telling.create(ads) == 0

    services.resume(activation)
    assert telling.create(ads) == 1
