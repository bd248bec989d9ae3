"""A connector with a mistake in it holds up what it fails over, and nothing else."""

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import pytest

from activation import services
from activation.models import Activation, DeadLetter, Delivery
from integrations.connectors.base import Member, Operation
from integrations.connectors.http.connector import HttpConnector
from integrations.connectors.registry import all_connectors
from integrations.errors import IntegrationError
from integrations.http import Request, Response
from integrations.models import Platform
from tests.support.delivery_stage import DeliveryStage, forget_backoff


class FrailConnector(HttpConnector):
    """Fails over members of which `fails` says so, and over responses where `reads` is off."""

    key = "frail"
    fails: Callable[[Member], bool] = staticmethod(lambda member: False)
    reads = True

    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        if any(map(FrailConnector.fails, members)):
            raise KeyError("a secret word")
        return super().push(operation, members, timestamp)

    def outcomes(
        self, operation: Operation, members: Sequence[Member], response: Response
    ) -> Sequence[IntegrationError | None]:
        found = super().outcomes(operation, members, response)
        return found if FrailConnector.reads else cast("Sequence[IntegrationError | None]", iter(found))


@pytest.fixture
def frail(stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A platform whose connector may fail, with an activation of “big”."""
    monkeypatch.setitem(all_connectors(), "frail", FrailConnector)
    platform = stage.platform(connector="frail")
    stage.activation(stage.audience(), platform)
    yield platform
    FrailConnector.fails, FrailConnector.reads = staticmethod(lambda member: False), True


def fail(over: Callable[[Member], bool]) -> None:
    FrailConnector.fails = staticmethod(over)


def state(activation: Activation) -> tuple[str, str]:
    activation.refresh_from_db()
    return activation.status, activation.last_error


@pytest.mark.parametrize("batched", [True, False])
def test_connector_failing_over_an_activation__breaks_that_one_and_the_others_go_on(
    stage: DeliveryStage, frail: Platform, batched: bool
) -> None:
    if not batched:
        frail.settings |= {"strategy": "no_batch"}
        frail.save()
    huge = stage.activation(stage.audience("huge", 400), frail)
    users = {f"x{number}" for number in range(6)}
    for x in users:
        stage.user(x, frail)
    fail(lambda member: member.segment.activation == huge.id)

    stage.deliver_all_of_live(frail)

    assert stage.held() == users
    status, words = state(huge)
    assert (status, words) == (Activation.Status.BROKEN, "the connector has a fault (push raised KeyError)")
    assert state(frail.activations.get(audience__name="big"))[0] == Activation.Status.LIVE
    waiting = {
        row.platform_user_id: (row.attempts, row.acknowledged, row.claim)
        for row in Delivery.objects.filter(activation_id=huge.id)
    }
    assert waiting == dict.fromkeys(users, (0, False, None))

    fail(lambda member: False)
    services.resume(huge)
    stage.deliver_all(frail)
    assert stage.held("huge") == users


def test_connector_failing_over_a_user__refuses_that_one_and_sends_the_others(
    stage: DeliveryStage, frail: Platform
) -> None:
    users = {f"x{number}" for number in range(20)}
    for x in users:
        stage.user(x, frail)
    fail(lambda member: member.platform_user_id == "x7")

    stage.deliver_all(frail)

    assert stage.held() == users - {"x7"}
    assert state(frail.activations.get())[0] == Activation.Status.LIVE
    letter = DeadLetter.objects.get()
    assert (letter.platform_user_id, letter.reason) == ("x7", "the connector has a fault (push raised KeyError)")


def test_connector_failing_over_the_answer__breaks_the_activation_and_says_nothing_of_the_rows(
    stage: DeliveryStage, frail: Platform
) -> None:
    stage.user("x", frail)
    FrailConnector.reads = False

    stage.deliver(frail)

    status, words = state(frail.activations.get())
    assert status == Activation.Status.BROKEN
    assert words.startswith("the connector has a fault (outcomes returned")
    row = stage.delivery("x")
    assert (row.acknowledged, row.claim, row.dead, row.due_at is None) == (None, None, False, False)
    FrailConnector.reads = True
    services.resume(frail.activations.get())
    forget_backoff()
    stage.deliver_all(frail)
    assert stage.held() == {"x"}
    assert stage.delivery("x").acknowledged
