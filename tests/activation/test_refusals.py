"""A refusal that is nobody's own breaks the activation: nobody is buried, and few requests are made."""

import pytest

from activation import services
from activation.delivery.refusals import LEAST, RefusalHistory
from activation.models import Activation, DeadLetter, Delivery
from integrations.models import Platform
from tests.support.delivery_stage import DeliveryStage, forget_backoff
from tests.support.edge_process import until

IDS = {f"x{number}" for number in range(200)}
A_HANDFUL = 12


def joined(stage: DeliveryStage, platform: Platform) -> None:
    for x in IDS:
        stage.user(x, platform)
    stage.shop.absorb()


def assert_all_wait(stage: DeliveryStage, activation: Activation, words: str) -> None:
    activation.refresh_from_db()
    assert activation.status == Activation.Status.BROKEN
    assert words in activation.last_error
    assert stage.calls() <= A_HANDFUL
    assert not DeadLetter.objects.exists()
    assert Delivery.objects.filter(due_at__isnull=False, claim=None, dead=False).count() == len(IDS)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "segment 77 does not exist"),
        (410, "segment 77 is gone"),
        (400, "segment 77 is archived"),
        (405, "not allowed here"),
        (422, "segment 77 is full"),
    ],
)
def test_everybody_refused__the_activation_is_broken_with_the_words_and_goes_on_when_resumed(
    stage: DeliveryStage, ads: Platform, status: int, words: str
) -> None:
    joined(stage, ads)
    stage.sandbox.faults(target="generic/a", status=status, body=words)

    stage.deliver(ads)

    activation = ads.activations.get()
    assert_all_wait(stage, activation, words)
    stage.sandbox.faults(clear=True)
    services.resume(activation)
    stage.deliver_all(ads)
    assert stage.held() == IDS


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect__breaks_the_activation_at_once(stage: DeliveryStage, ads: Platform, status: int) -> None:
    joined(stage, ads)
    stage.sandbox.faults(target="generic/a", status=status)

    stage.deliver(ads)

    assert_all_wait(stage, ads.activations.get(), "redirects")
    assert stage.calls() == 1


def test_everybody_refused_one_a_request__breaks_the_activation(stage: DeliveryStage) -> None:
    url = stage.sandbox.segments_url + "?id={{segment_id}}&userid={{userid}}"
    call = {"method": "POST", "url": url}
    ads = stage.platform(strategy="no_batch", add=call, remove={**call, "method": "DELETE"})
    activation = stage.activation(stage.audience(), ads)
    joined(stage, ads)
    stage.sandbox.faults(target="generic/a", status=404, body="no such segment")

    stage.deliver(ads)

    assert_all_wait(stage, activation, "no such segment")


def test_refused_few_at_a_time__are_not_buried_for_ever(stage: DeliveryStage, ads: Platform) -> None:
    """A segment that is gone is found also where each claim holds one row."""
    stage.sandbox.faults(target="generic/a", status=404, body="no such segment")
    activation = ads.activations.get()
    numbers = iter(range(100))

    def is_broken() -> bool:
        stage.user(f"x{next(numbers)}", ads)
        forget_backoff()
        stage.deliver(ads)
        activation.refresh_from_db()
        return activation.status == Activation.Status.BROKEN

    until(is_broken)

    assert stage.calls() <= A_HANDFUL
    assert not DeadLetter.objects.exists()


def test_refused_one_by_one__are_due_again_once_it_is_known(stage: DeliveryStage, ads: Platform) -> None:
    stage.sandbox.faults(target="generic/a", status=400, body="archived")
    activation = ads.activations.get()
    for number in range(LEAST):
        stage.user(f"x{number}", ads)
        stage.deliver(ads)

    activation.refresh_from_db()
    assert (activation.status, "archived" in activation.last_error) == (Activation.Status.BROKEN, True)
    assert not DeadLetter.objects.exists()
    assert Delivery.objects.filter(due_at__isnull=False, dead=False).count() == LEAST


@pytest.mark.parametrize("status", [400, 404])
def test_row_that_is_refused_among_others__is_dead_alone(stage: DeliveryStage, ads: Platform, status: int) -> None:
    joined(stage, ads)
    for x in ("x7", "x8", "x9"):
        stage.sandbox.faults(target="generic/a", status=status, userid=x)

    stage.deliver_all(ads)

    assert stage.held() == IDS - {"x7", "x8", "x9"}
    assert set(DeadLetter.objects.values_list("platform_user_id", flat=True)) == {"x7", "x8", "x9"}
    assert ads.activations.get().status == Activation.Status.LIVE


def test_one_segment_of_two_is_gone__the_other_is_filled(stage: DeliveryStage, ads: Platform) -> None:
    gone = stage.activation(stage.audience("huge", 400), ads)
    gone.segment_id = 999
    gone.save()
    joined(stage, ads)

    stage.deliver_all_of_live(ads)

    gone.refresh_from_db()
    assert gone.status == Activation.Status.BROKEN
    assert stage.held() == IDS
    assert not DeadLetter.objects.exists()


def test_activation_that_ends__whose_segment_is_gone__is_over(stage: DeliveryStage, ads: Platform) -> None:
    joined(stage, ads)
    stage.deliver_all(ads)
    stage.sandbox.faults(target="generic/a", status=404, body="no such segment")

    services.deactivate(ads.activations.get())
    stage.deliver_all(ads)
    stage.create(ads)

    assert not Activation.objects.exists()


def test_history__of_an_activation_with_many_bad_rows__takes_longer_runs_for_chance() -> None:
    from activation.delivery.refusals import PlatformRefusal
    from integrations.errors import RefusedError

    words = PlatformRefusal.of(RefusedError("HTTP 400: bad id"), names_user=False)

    def run_until_everybodys(accepted: int, refused: int) -> int:
        history = RefusalHistory(accepted=accepted, refused=refused)
        while not history.is_everybodys:
            history.note_refused((0, 1, str(len(history.run))), words)
        return len(history.run)

    assert run_until_everybodys(0, 0) == LEAST
    assert run_until_everybodys(1_000_000, 10) == LEAST
    assert run_until_everybodys(700_000, 300_000) > 2 * LEAST
