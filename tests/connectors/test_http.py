"""Generic HTTP, end to end: data in, an audience, and the platform holds exactly its members."""

from typing import Any

import pytest

from activation.models import Batch
from integrations import services
from integrations.connectors.http.connector import HttpConnector
from integrations.errors import RetriableError
from integrations.models import Platform
from tests.support.shop import somebody
from tests.support.storms import PlatformTrouble
from tests.support.telling import Telling


def oauth(telling: Telling, given: str = "a-secret") -> Platform:
    platform = telling.platform()
    platform.credentials = {
        "type": "oauth2",
        "token_url": f"{telling.sandbox.url}/generic/token",
        "client_id": "a",
        "client_secret": given,
    }
    platform.save()
    return platform


def filled(telling: Telling, platform: Platform) -> PlatformTrouble:
    telling.activation(telling.audience(), platform)
    users = {name: telling.user(name, platform) for name in ("stays", "leaves")}
    telling.user("poor", platform, amount=5)
    telling.tell_all(platform)
    assert telling.held() == set(users)
    telling.change(users["leaves"], 1)
    telling.tell_all(platform)
    assert telling.held() == {"stays"}
    return PlatformTrouble(telling, platform, "generic/a", telling.held)


def test_members__arrive_leave_and_outlast_every_storm(telling: Telling) -> None:
    platform = telling.platform()
    storm = filled(telling, platform)
    expected = {"stays"}
    for number, survive in enumerate((storm.busy, storm.falling_over, storm.shut_out)):
        telling.user(f"late {number}", platform)
        expected |= {f"late {number}"}
        survive(expected)
    assert platform.activations.get().status == "live"


def test_tokens__are_fetched_and_fetched_anew(telling: Telling) -> None:
    platform = oauth(telling)
    assert services.check(platform)["ok"]
    filled(telling, platform)


def test_tokens__with_a_wrong_secret_are_told_by_the_check(telling: Telling) -> None:
    found = services.check(oauth(telling, "wrong"))
    assert not found["ok"]
    assert "token endpoint" in found["error"]


def test_own_ids__need_no_match(telling: Telling) -> None:
    platform = telling.platform(id_source="own")
    telling.activation(telling.audience(), platform)
    one, other = somebody(), somebody()
    for user in (one, other):
        telling.shop.event(user, {"amount": 500})
    telling.tell_all(platform)
    assert telling.held() == {str(one), str(other)}
    telling.change(other, 1)
    telling.tell_all(platform)
    assert telling.held() == {str(one)}


def test_attributes__travel_with_members(telling: Telling) -> None:
    url = telling.sandbox.segments_url
    body = [{"segment": "{{segment_id}}", "userid": "{{attribute.loyalty.card}}"}]
    platform = telling.platform(add={"method": "POST", "url": url, "body": body}, removal="none", remove=None)
    telling.shop.attribute("loyalty.card", "string")
    telling.activation(telling.audience(), platform)
    user = telling.user("x", platform)
    telling.shop.event(user, {"loyalty": {"card": "C-7"}})
    telling.tell_all(platform)
    assert telling.held() == {"C-7"}


def test_answer__that_fails_the_test_is_a_dead_letter_with_its_words(telling: Telling) -> None:
    platform = telling.platform(success="status == 'FINE'")
    telling.activation(telling.audience(), platform_without_test(platform))
    platform.refresh_from_db()
    platform.settings = {**platform.settings, "success": "status == 'FINE'"}
    platform.save()
    telling.user("x", platform)
    telling.tell(platform)
    row = telling.delivery("x")
    assert row.dead
    assert "does not pass the test" in row.error


def platform_without_test(platform: Platform) -> Any:
    """Creating the segment would fail it too."""
    platform.settings = {**platform.settings, "success": ""}
    platform.save()
    return platform


def test_answer__that_nobody_understands_is_told_on_the_batch(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> list[None]:
        raise RetriableError("the answer is Greek")

    platform = telling.platform()
    telling.activation(telling.audience(), platform)
    telling.user("x", platform)
    with monkeypatch.context() as patched:
        patched.setattr(HttpConnector, "outcomes", unreadable)
        telling.tell(platform)
    row = telling.delivery("x")
    assert (row.error, row.claim, row.dead) == ("the answer is Greek", None, False)
    assert row.due_at is not None
    assert Batch.objects.get(operation="add").error == "the answer is Greek"
    telling.tell_all(platform)
    assert telling.delivery("x").acknowledged
