"""Each connector end to end: data in, an audience, the platform holds exactly its members, whatever it answers."""

from typing import Any

import pytest
from django.db import connection

from activation import services as activations
from activation.models import Batch, Delivery, Health
from integrations import services
from integrations.connectors.base import Connector
from integrations.connectors.mapp_webhook.connector import MappWebhook
from integrations.connectors.mediamath_batch.connector import MediaMathBatch
from integrations.models import Platform
from tests.support.connector_worlds import CASES, ConnectorWorld
from tests.support.delivery_stage import DeliveryStage, forget_backoff
from tests.support.platform_trouble import PlatformTrouble
from tests.support.sandbox_with_stand_ins import SandboxWithStandIns


@pytest.fixture(params=CASES, ids=lambda case: case.connector.key)
def world(
    request: Any, stage: DeliveryStage, sandbox: SandboxWithStandIns, monkeypatch: pytest.MonkeyPatch
) -> ConnectorWorld:
    monkeypatch.setattr(MediaMathBatch, "linger_ms", 0)
    monkeypatch.setattr(MappWebhook, "linger_ms", 0)
    return ConnectorWorld(stage, sandbox, request.param)


def test_members__arrive_and_leavers_leave_or_are_shown_as_kept(world: ConnectorWorld) -> None:
    activation = world.activate()
    joined = [world.joins() for _ in range(6)]
    world.stage.user(world.case.an_id(99), world.platform, amount=5)
    world.stage.deliver_all(world.platform)
    ids = {an_id for _, an_id in joined}
    assert world.held() == ids

    leaver, left = joined[0]
    world.stage.change(leaver, 1)
    world.stage.deliver_all(world.platform)
    assert world.held() == (ids - {left} if world.case.removes else ids)
    assert activations.counts(activation)["kept"] == (0 if world.case.removes else 1)
    assert activations.counts(activation)["dead"] == 0
    assert world.rejected() == 0


def test_storms__are_survived(world: ConnectorWorld) -> None:
    world.activate()
    storm = PlatformTrouble(world.stage, world.platform, f"{world.case.party}/{world.case.account}", world.held)
    _, first = world.joins()
    storm.busy({first})
    _, second = world.joins()
    storm.falling_over({first, second}, 4, world.case.overload)
    _, third = world.joins()
    storm.shut_out({first, second, third})
    assert world.platform.activations.get().status == "live"


def test_check__tells_right_from_wrong_credentials(world: ConnectorWorld) -> None:
    assert services.check(world.platform)["ok"]
    if world.case.connector.check_requests is Connector.check_requests:
        return
    world.platform.credentials = dict.fromkeys(world.case.credentials, "wrong")
    assert not services.check(world.platform)["ok"]


@pytest.mark.parametrize("world", CASES[2:], indirect=True, ids=lambda case: case.connector.key)
def test_mathtag__is_told_mapped_attributes_and_nothing_personal(world: ConnectorWorld) -> None:
    world.activate()
    _, an_id = world.joins(sku="A 7", mail="jane@example.com", secret="x")
    bad = world.stage.user("no-guid", world.platform)
    world.stage.deliver_all(world.platform)
    event = world.sandbox.account(world.case.party, world.case.account)["pixels"]["77"]["last"][an_id]
    assert (event["product_id"], event.get("mt_exem", "")) == ("A 7", "")
    assert world.held() == {an_id}
    row = world.stage.delivery("no-guid")
    assert row.user_id == bad
    assert row.dead
    assert "GUID" in row.error


@pytest.mark.parametrize("world", [CASES[3]], indirect=True)
def test_batches__are_full_when_there_is_work(world: ConnectorWorld) -> None:
    world.activate()
    ids = {world.joins()[1] for _ in range(450)}
    world.stage.deliver_all(world.platform)
    assert world.held() == ids
    assert world.stage.calls() <= 4 * 2  # of each lane's hundred and odd: one full request, and the rest


@pytest.mark.parametrize("world", [CASES[3]], indirect=True)
def test_unknown_mapping__is_a_dead_letter_and_no_neighbour_suffers(world: ConnectorWorld) -> None:
    world.activate()
    stage = world.stage
    other = activations.activate(stage.audience("huge", 100), world.platform, {"pixel_id": 78, "mapping_id": "nobody"})
    stage.shop.absorb()
    stage.create(world.platform)
    ids = {world.joins()[1] for _ in range(3)}
    stage.deliver_all(world.platform)
    assert world.held() == ids
    assert activations.counts(other)["dead"] == 3
    refused = Batch.objects.exclude(error="").first()
    assert refused is not None
    assert "Mapping not found" in refused.error


@pytest.mark.parametrize("world", [CASES[1]], indirect=True)
def test_contact_that_is_gone__cannot_be_added_and_need_not_be_removed(world: ConnectorWorld) -> None:
    activation = world.activate()
    user = world.stage.user("1000000000", world.platform)
    world.stage.deliver_all(world.platform)
    assert "NO_SUCH_OBJECT" in world.stage.delivery("1000000000").error
    activations.resync(activation)
    world.stage.change(user, 1)
    world.stage.deliver_all(world.platform)
    assert world.stage.delivery("1000000000").acknowledged is False
    assert not world.stage.delivery("1000000000").dead


@pytest.mark.parametrize("world", [CASES[1]], indirect=True)
def test_group__that_cannot_be_made_is_told_and_tried_again(world: ConnectorWorld) -> None:
    platform: Platform = world.platform
    platform.settings = {**platform.settings, "default_group_id": 9}
    platform.save()
    activation = activations.activate(world.stage.audience(), platform, {})
    world.stage.create(platform)
    activation.refresh_from_db()
    assert "NO_SUCH_OBJECT" in activation.last_error
    assert "no default group 9" in services.check(platform)["error"]


@pytest.mark.parametrize("world", [CASES[1]], indirect=True)
def test_overload__that_comes_again_is_given_a_quarter_of_an_hour(world: ConnectorWorld) -> None:
    world.activate()
    world.joins()
    world.sandbox.faults(target="cep/a", status=500, body=world.case.overload)
    waits = []
    for _ in range(2):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE platform_health SET until = NULL")
        forget_backoff()
        world.stage.deliver(world.platform)
        health = Health.objects.get(platform_id=world.platform.pl)
        assert health.until is not None
        waits.append(round((health.until - health.changed_at).total_seconds()))
    assert waits == [30, 900]
    assert Delivery.objects.get().attempts == 0
