"""Dead letters through the API: seen by their owner, replayed as they are wanted today; what holds a platform back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from activation.models import Activation, DeadLetter, Delivery, Health
from audiences.models import Audience
from core.buckets import of_value
from core.models import ApiKey, Customer
from integrations.models import Platform
from tests.support.api_caller import Caller, caller

AWKWARD = "ü/é?#.x y"


@pytest.fixture
def activation(audience: Audience, platform: Platform) -> Activation:
    return Activation.objects.create(audience=audience, platform=platform, status="live", segment_id=1)


def letter(activation: Activation, x: str, *, wanted: bool = True) -> DeadLetter:
    """Of an id that is dead."""
    now = datetime.now(UTC)
    shared = {
        "bucket": of_value(x),
        "activation_id": activation.id,
        "platform_user_id": x,
        "platform_id": activation.platform_id,
        "user_id": UUID(int=7),
    }
    Delivery.objects.create(**shared, epoch=1, version=1, wanted=wanted, dead=True, changed_at=now)
    return DeadLetter.objects.create(**shared, operation="add", reason="HTTP 400", attempts=1, died_at=now)


def test_replay__by_id__has_the_row_sent_as_it_is_wanted_today(admin: Caller, activation: Activation) -> None:
    letter(activation, AWKWARD, wanted=False)
    letter(activation, "other")
    listed = admin.get(f"dead-letters/?activation={activation.id}").body["results"]
    assert {(row["platform_user_id"], row["operation"], row["reason"]) for row in listed} == {
        (AWKWARD, "add", "HTTP 400"),
        ("other", "add", "HTTP 400"),
    }
    [name] = [row["id"] for row in listed if row["platform_user_id"] == AWKWARD]

    assert admin.post("dead-letters/replay/", {"ids": [name]}).body == {"replayed": 1}

    row = Delivery.objects.get(platform_user_id=AWKWARD)
    assert (row.dead, row.wanted, row.due_at is not None) == (False, False, True)
    assert admin.post("dead-letters/replay/", {"activation": activation.id}).body == {"replayed": 1}
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": ["1"], "activation": 1}, {"ids": ["x.y.z"]}, {"idz": []}])
def test_replay__of_nothing_that_can_be_meant__is_400(admin: Caller, activation: Activation, body: object) -> None:
    assert admin.post("dead-letters/replay/", body).status == 400


def test_letters_of_another_customer__are_not_there(activation: Activation, rival: Customer) -> None:
    kept = letter(activation, "x")
    stranger = caller(ApiKey.Role.ADMIN, rival)

    assert stranger.get("dead-letters/").body["results"] == []
    assert stranger.post("dead-letters/replay/", {"activation": activation.id}).status == 400
    assert DeadLetter.objects.filter(pk=kept.pk).exists()


def test_breaker__is_told_with_its_reason(admin: Caller, platform: Platform) -> None:
    assert admin.get(f"platforms/{platform.pl}/").body["breaker"] is None
    until = datetime.now(UTC) + timedelta(minutes=1)
    Health.objects.create(
        platform_id=platform.pl, state="open", failures=8, openings=1, until=until, reason="HTTP 503", changed_at=until
    )

    told = admin.get(f"platforms/{platform.pl}/").body["breaker"]

    assert (told["state"], told["failures"], told["reason"]) == ("open", 8, "HTTP 503")


def test_breaker__of_a_slowed_platform__shows_the_rate_that_its_limits_allow_now(
    admin: Caller, platform: Platform
) -> None:
    now = datetime.now(UTC)
    Health.objects.create(
        platform_id=platform.pl, slowed_to=2, slowed_at=now - timedelta(minutes=5), changed_at=now, reason="HTTP 429"
    )
    admin.patch(f"platforms/{platform.pl}/", {"limits": {"per_second": 3}})

    shown = admin.get(f"platforms/{platform.pl}/").body["breaker"]

    assert (shown["state"], shown["per_second"]) == ("slowed", 3)


def test_activation__deleted__is_ending(admin: Caller, audience: Audience, shop: Customer) -> None:
    call = {"method": "POST", "url": "https://ads.example/", "body": [{"s": "{{segment_id}}", "u": "{{userid}}"}]}
    ads = Platform.objects.create(
        customer=shop, name="Ads", connector="http", settings={"add": call, "remove": {**call, "method": "DELETE"}}
    )
    activation = Activation.objects.create(audience=audience, platform=ads, status="live", segment_id=1)

    answer = admin.delete(f"activations/{activation.id}/")

    assert (answer.status, answer.body["status"]) == (202, "ending")
    assert admin.post(f"activations/{activation.id}/resume/").status == 400
