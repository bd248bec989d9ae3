"""Each row ends as the platform wants it: delivered, waiting, or dead with a reason, and none because of another."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from activation import dead_letters, services
from activation.delivery.circuit_breaker import BreakerState
from activation.delivery.platform_client import wait_of
from activation.models import Activation, Batch, DeadLetter, Health
from activation.stores import outcomes
from core.configuration import ConfigurationVersion
from integrations.answers.waiting import MAX_WAIT_SECONDS, retry_after
from integrations.errors import RateLimitedError
from integrations.models import Platform
from tests.support.delivery_stage import DeliveryStage, forget_backoff


def sent(stage: DeliveryStage) -> Counter[tuple[str, str]]:
    """How often each (operation, id) was applied."""
    return Counter((operation, x) for _, _, operation, _, x in stage.sandbox.received("a"))


def test_one_poison_row_in_a_thousand__999_are_delivered_and_one_is_dead(stage: DeliveryStage, ads: Platform) -> None:
    for number in range(1000):
        stage.user(f"x{number}", ads)
    stage.sandbox.faults(target="generic/a", status=400, body="no such user", userid="x617")

    stage.deliver_all(ads)

    assert stage.held() == {f"x{number}" for number in range(1000)} - {"x617"}
    [letter] = DeadLetter.objects.all()
    assert (letter.platform_user_id, letter.operation, letter.attempts) == ("x617", "add", 1)
    assert "no such user" in letter.reason
    assert letter.response_excerpt == "no such user"
    assert stage.sandbox.state("a")["generic"]["a"]["repeats"] == 0
    stage.user("later", ads)
    stage.deliver_all(ads)
    assert "later" in stage.held()


def test_several_culprits__each_is_found(stage: DeliveryStage, ads: Platform) -> None:
    for number in range(60):
        stage.user(f"x{number}", ads)
    culprits = {"x3", "x4", "x59"}
    for x in culprits:
        stage.sandbox.faults(target="generic/a", status=422, userid=x)

    stage.deliver_all(ads)

    assert stage.held() == {f"x{number}" for number in range(60)} - culprits
    assert set(DeadLetter.objects.values_list("platform_user_id", flat=True)) == culprits
    assert Batch.objects.filter(status=Batch.Status.PARTIAL).exists()


def test_answers_by_the_script__cost_exactly_the_attempts_they_should(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "MOST_ATTEMPTS", 4)
    url = stage.sandbox.segments_url + "?id={{segment_id}}&userid={{userid}}"
    ads = stage.platform(
        strategy="no_batch", add={"method": "POST", "url": url}, remove={"method": "DELETE", "url": url}
    )
    stage.activation(stage.audience(), ads)
    for x in ("fine", "recovers", "fails", "refused"):
        stage.user(x, ads)
    stage.sandbox.faults(target="generic/a", status=500, userid="recovers", times=2)
    stage.sandbox.faults(target="generic/a", status=500, userid="fails")
    stage.sandbox.faults(target="generic/a", status=400, userid="refused")

    for _ in range(6):
        forget_backoff()
        stage.deliver(ads)

    assert stage.held() == {"fine", "recovers"}
    assert sent(stage) == {("add", "fine"): 1, ("add", "recovers"): 1}
    letters = dict(DeadLetter.objects.values_list("platform_user_id", "attempts"))
    assert letters == {"fails": 4, "refused": 1}
    assert stage.calls() == 1 + 3 + 4 + 1


def test_row_that_makes_the_platform_fail__is_alone_in_the_end(stage: DeliveryStage, ads: Platform) -> None:
    for number in range(100):
        stage.user(f"x{number}", ads)
    stage.sandbox.faults(target="generic/a", status=500, userid="x7")

    for _ in range(40):
        forget_backoff()
        stage.deliver(ads)
        if DeadLetter.objects.exists():
            break
    forget_backoff()
    stage.deliver_all(ads)

    assert stage.held() == {f"x{number}" for number in range(100)} - {"x7"}
    assert [(letter.platform_user_id, letter.attempts) for letter in DeadLetter.objects.all()] == [("x7", 12)]


def test_request_that_is_too_large__is_halved_until_it_fits(stage: DeliveryStage, ads: Platform) -> None:
    for number in range(40):
        stage.user(f"x{number}", ads)
    stage.sandbox.faults(target="generic/a", status=413, times=2)

    stage.deliver_all(ads)

    assert stage.held() == {f"x{number}" for number in range(40)}
    assert not DeadLetter.objects.exists()


def test_add_remove_add_in_an_outage__is_one_add(stage: DeliveryStage, ads: Platform) -> None:
    stage.sandbox.faults(target="generic/a", status=503)
    user = stage.user("x", ads)
    stage.deliver(ads)
    for amount in (1, 900, 1, 900):
        stage.change(user, amount)
        stage.deliver(ads)
    stage.sandbox.faults(clear=True)
    forget_backoff()

    stage.deliver_all(ads)

    assert stage.held() == {"x"}
    assert sent(stage) == {("add", "x"): 1}


def test_replay_of_an_old_add__after_a_newer_remove__adds_nobody(stage: DeliveryStage, ads: Platform) -> None:
    stage.sandbox.faults(target="generic/a", status=400, userid="x")
    user = stage.user("x", ads)
    stage.user("y", ads)
    stage.deliver_all(ads)
    assert DeadLetter.objects.count() == 1
    stage.sandbox.faults(clear=True)
    stage.change(user, 1)

    dead_letters.replay(DeadLetter.objects.all())
    stage.deliver_all(ads)

    assert stage.held() == {"y"}
    assert ("add", "x") not in sent(stage)
    assert not DeadLetter.objects.exists()


def test_replay__sends_what_was_refused_and_the_letter_is_gone(stage: DeliveryStage, ads: Platform) -> None:
    stage.sandbox.faults(target="generic/a", status=400, times=3)
    stage.user("x", ads)
    stage.deliver_all(ads)
    [letter] = DeadLetter.objects.all()
    stage.sandbox.faults(clear=True)

    named = dead_letters.named(DeadLetter.objects.all(), [dead_letters.key(dead_letters.name(letter))])
    assert dead_letters.replay(named) == 1
    stage.deliver_all(ads)

    assert stage.held() == {"x"}
    assert not DeadLetter.objects.exists()


A_DATE = "a date fifty minutes from now"


def as_sent(header: str | None) -> str | None:
    """Return the header as the platform sends it: a date counts from now, not from when tests are collected."""
    if header != A_DATE:
        return header
    return format_datetime(datetime.now(UTC) + timedelta(minutes=50), usegmt=True)


@pytest.mark.parametrize(
    ("header", "judged"),
    [
        ("7", lambda wait: wait == 7),
        pytest.param(A_DATE, lambda wait: 2000 < wait <= 3000, id="a date"),
        ("garbage", lambda wait: wait <= 1),
        (None, lambda wait: wait <= 1),
        ("-5", lambda wait: wait == 0),
        ("1e300", lambda wait: wait == MAX_WAIT_SECONDS),
        ("nan", lambda wait: wait <= 1),
        ("99999999999", lambda wait: wait == MAX_WAIT_SECONDS),
    ],
)
def test_429_of_any_kind__is_a_bounded_wait(header: str | None, judged: Callable[[float], bool]) -> None:
    assert judged(wait_of(RateLimitedError("slow down", retry_after(as_sent(header))), already=0))


def test_429_right_after_a_wait__waits_as_the_platform_documents_it() -> None:
    assert wait_of(RateLimitedError("limit", 30, again_after=900), already=0) == 30
    assert wait_of(RateLimitedError("limit", 30, again_after=900), already=1) == 900


def test_429__holds_every_lane_of_the_platform_and_slows_it_down(stage: DeliveryStage, ads: Platform) -> None:
    for number in range(40):
        stage.user(f"x{number}", ads)
    stage.sandbox.faults(target="generic/a", status=429, retry_after=1, times=1)

    stage.deliver(ads)
    assert stage.calls() == 1
    assert stage.deliver(ads) == 0
    health = Health.objects.get(platform_id=ads.pl)
    assert health.slowed_to is not None

    stage.deliver_all(ads)
    assert stage.held() == {f"x{number}" for number in range(40)}
    assert not DeadLetter.objects.exists()


def test_credentials_refused__activation_is_broken_until_they_change(stage: DeliveryStage, ads: Platform) -> None:
    activation = ads.activations.get()
    right, ads.credentials = ads.credentials, {**ads.credentials, "password": "not-the-one"}
    ads.save()
    stage.user("x", ads)
    stage.deliver(ads)
    activation.refresh_from_db()
    assert (activation.status, activation.last_error[:8]) == (Activation.Status.BROKEN, "HTTP 401")
    calls = stage.calls()
    ConfigurationVersion.raise_()
    assert (stage.deliver(ads), stage.calls()) == (0, calls)

    ads.credentials = right
    ads.save()
    stage.deliver_all(ads)

    activation.refresh_from_db()
    assert (activation.status, activation.last_error) == (Activation.Status.LIVE, "")
    assert stage.held() == {"x"}


def test_breaker__opens_lets_one_through_and_closes(stage: DeliveryStage, ads: Platform) -> None:
    stage.sandbox.faults(target="generic/a", status=503)
    for number in range(40):
        stage.user(f"x{number}", ads)
    for _ in range(4):
        stage.deliver(ads)
        with_backoff_over(ads, breaker=False)
    health = Health.objects.get(platform_id=ads.pl)
    assert (health.state, health.failures) == (Health.State.OPEN, 8)
    calls = stage.calls()
    assert (stage.deliver(ads), stage.calls()) == (0, calls)

    with_backoff_over(ads, breaker=True)
    stage.deliver(ads)
    assert stage.calls() == calls + 1
    health.refresh_from_db()
    assert (health.state, health.openings) == (Health.State.OPEN, 2)

    stage.sandbox.faults(clear=True)
    with_backoff_over(ads, breaker=True)
    stage.deliver_all(ads)
    health.refresh_from_db()
    assert (health.state, health.failures, health.reason) == (Health.State.CLOSED, 0, "")
    assert stage.held() == {f"x{number}" for number in range(40)}


def with_backoff_over(platform: Platform, *, breaker: bool) -> None:
    until = Health.objects.filter(platform_id=platform.pl).values_list("until", flat=True).first()
    forget_backoff()
    if not breaker:
        Health.objects.filter(platform_id=platform.pl).update(until=until)


def test_ended__removes_everybody_and_is_gone(stage: DeliveryStage, ads: Platform) -> None:
    users = [stage.user(f"x{number}", ads) for number in range(10)]
    stage.deliver_all(ads)
    activation = ads.activations.get()

    services.deactivate(activation)
    stage.change(users[0], 900)  # nobody comes back in
    assert stage.create(ads) == 0
    stage.deliver_all(ads)
    stage.create(ads)

    assert stage.held() == set()
    assert not Activation.objects.filter(id=activation.id).exists()
    stage.user("late", ads)
    stage.deliver_all(ads)
    assert stage.held() == set()


def test_condition__of_a_platform_that_nothing_is_known_of__is_well() -> None:
    assert not BreakerState().holds_back(datetime.now(UTC))
    assert not BreakerState().is_troubled
