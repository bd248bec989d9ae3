"""Generic HTTP, end to end: data in, an audience, and the platform holds exactly its members."""

from typing import Any

import pytest

from activation.models import Batch
from integrations import services
from integrations.connectors.http.connector import HttpConnector
from integrations.errors import RetriableError
from integrations.models import Platform
from tests.support.delivery_stage import DeliveryStage
from tests.support.platform_trouble import PlatformTrouble
from tests.support.shop import somebody


def oauth(stage: DeliveryStage, given: str = "a-secret") -> Platform:
    platform = stage.platform()
    platform.credentials = {
        "type": "oauth2",
        "token_url": f"{stage.sandbox.url}/generic/token",
        "client_id": "a",
        "client_secret": given,
    }
    platform.save()
    return platform


def filled(stage: DeliveryStage, platform: Platform) -> PlatformTrouble:
    stage.activation(stage.audience(), platform)
    users = {name: stage.user(name, platform) for name in ("stays", "leaves")}
    stage.user("poor", platform, amount=5)
    stage.deliver_all(platform)
    assert stage.held() == set(users)
    stage.change(users["leaves"], 1)
    stage.deliver_all(platform)
    assert stage.held() == {"stays"}
    return PlatformTrouble(stage, platform, "generic/a", stage.held)


def test_members__arrive_leave_and_outlast_every_storm(stage: DeliveryStage) -> None:
    platform = stage.platform()
    storm = filled(stage, platform)
    expected = {"stays"}
    for number, survive in enumerate((storm.busy, storm.falling_over, storm.shut_out)):
        stage.user(f"late {number}", platform)
        expected |= {f"late {number}"}
        survive(expected)
    assert platform.activations.get().status == "live"


def test_tokens__are_fetched_and_fetched_anew(stage: DeliveryStage) -> None:
    platform = oauth(stage)
    assert services.check(platform)["ok"]
    filled(stage, platform)


def test_tokens__with_a_wrong_secret_are_told_by_the_check(stage: DeliveryStage) -> None:
    found = services.check(oauth(stage, "wrong"))
    assert not found["ok"]
    assert "token endpoint" in found["error"]


def test_own_ids__need_no_match(stage: DeliveryStage) -> None:
    platform = stage.platform(id_source="own")
    stage.activation(stage.audience(), platform)
    one, other = somebody(), somebody()
    for user in (one, other):
        stage.shop.event(user, {"amount": 500})
    stage.deliver_all(platform)
    assert stage.held() == {str(one), str(other)}
    stage.change(other, 1)
    stage.deliver_all(platform)
    assert stage.held() == {str(one)}


def test_attributes__travel_with_members(stage: DeliveryStage) -> None:
    url = stage.sandbox.segments_url
    body = [{"segment": "{{segment_id}}", "userid": "{{attribute.loyalty.card}}"}]
    platform = stage.platform(add={"method": "POST", "url": url, "body": body}, removal="none", remove=None)
    stage.shop.attribute("loyalty.card", "string")
    stage.activation(stage.audience(), platform)
    user = stage.user("x", platform)
    stage.shop.event(user, {"loyalty": {"card": "C-7"}})
    stage.deliver_all(platform)
    assert stage.held() == {"C-7"}


def test_answer__that_fails_the_test_is_a_dead_letter_with_its_words(stage: DeliveryStage) -> None:
    platform = stage.platform(success="status == 'FINE'")
    stage.activation(stage.audience(), platform_without_test(platform))
    platform.refresh_from_db()
    platform.settings = {**platform.settings, "success": "status == 'FINE'"}
    platform.save()
    stage.user("x", platform)
    stage.deliver(platform)
    row = stage.delivery("x")
    assert row.dead
    assert "does not pass the test" in row.error


def platform_without_test(platform: Platform) -> Any:
    """Creating the segment would fail it too."""
    platform.settings = {**platform.settings, "success": ""}
    platform.save()
    return platform


def test_answer__that_nobody_understands_is_told_on_the_batch(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> list[None]:
        raise RetriableError("the answer is Greek")

    platform = stage.platform()
    stage.activation(stage.audience(), platform)
    stage.user("x", platform)
    with monkeypatch.context() as patched:
        patched.setattr(HttpConnector, "outcomes", unreadable)
        stage.deliver(platform)
    row = stage.delivery("x")
    assert (row.error, row.claim, row.dead) == ("the answer is Greek", None, False)
    assert row.due_at is not None
    assert Batch.objects.get(operation="add").error == "the answer is Greek"
    stage.deliver_all(platform)
    assert stage.delivery("x").acknowledged
