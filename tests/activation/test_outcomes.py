"""Each row ends as the platform wants it: delivered, waiting, or dead with a reason, and none because of another."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from activation import dead_letters, services
from activation.delivery import outcomes
from activation.delivery.circuit_breaker import Condition
from activation.delivery.platform_client import wait_of
from activation.models import Activation, Batch, DeadLetter, Health
from core.configuration import ConfigurationVersion
from integrations.errors import RateLimitedError
from integrations.http import MAX_WAIT_SECONDS, retry_after
from integrations.models import Platform
from tests.support.telling import Telling, forget_backoff


def sent(telling: Telling) -> Counter[tuple[str, str]]:
    """How often each (operation, id) was applied."""
    return Counter((operation, x) for _, _, operation, _, x in telling.sandbox.received("a"))


def test_one_poison_row_in_a_thousand__999_are_delivered_and_one_is_dead(telling: Telling, ads: Platform) -> None:
    for number in range(1000):
        telling.user(f"x{number}", ads)
    telling.sandbox.faults(target="generic/a", status=400, body="no such user", userid="x617")

    telling.tell_all(ads, 60)

    assert telling.held() == {f"x{number}" for number in range(1000)} - {"x617"}
    [letter] = DeadLetter.objects.all()
    assert (letter.platform_user_id, letter.operation, letter.attempts) == ("x617", "add", 1)
    assert "no such user" in letter.reason
    assert letter.response_excerpt == "no such user"
    assert telling.sandbox.state("a")["generic"]["a"]["repeats"] == 0
    telling.user("later", ads)
    telling.tell_all(ads)
    assert "later" in telling.held()


def test_several_culprits__each_is_found(telling: Telling, ads: Platform) -> None:
    for number in range(60):
        telling.user(f"x{number}", ads)
    culprits = {"x3", "x4", "x59"}
    for x in culprits:
        telling.sandbox.faults(target="generic/a", status=422, userid=x)

    telling.tell_all(ads)

    assert telling.held() == {f"x{number}" for number in range(60)} - culprits
    assert set(DeadLetter.objects.values_list("platform_user_id", flat=True)) == culprits
    assert Batch.objects.filter(status=Batch.Status.PARTIAL).exists()


def test_answers_by_the_script__cost_exactly_the_attempts_they_should(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "MOST_ATTEMPTS", 4)
    url = telling.sandbox.segments_url + "?id={{segment_id}}&userid={{userid}}"
    ads = telling.platform(
        strategy="no_batch", add={"method": "POST", "url": url}, remove={"method": "DELETE", "url": url}
    )
    telling.activation(telling.audience(), ads)
    for x in ("fine", "recovers", "fails", "refused"):
        telling.user(x, ads)
    telling.sandbox.faults(target="generic/a", status=500, userid="recovers", times=2)
    telling.sandbox.faults(target="generic/a", status=500, userid="fails")
    telling.sandbox.faults(target="generic/a", status=400, userid="refused")

    for _ in range(6):
        forget_backoff()
        telling.tell(ads)

    assert telling.held() == {"fine", "recovers"}
    assert sent(telling) == {("add", "fine"): 1, ("add", "recovers"): 1}
    letters = dict(DeadLetter.objects.values_list("platform_user_id", "attempts"))
    assert letters == {"fails": 4, "refused": 1}
    assert telling.calls() == 1 + 3 + 4 + 1


def test_row_that_makes_the_platform_fail__is_alone_in_the_end(telling: Telling, ads: Platform) -> None:
    for number in range(100):
        telling.user(f"x{number}", ads)
    telling.sandbox.faults(target="generic/a", status=500, userid="x7")

    for _ in range(40):
        forget_backoff()
        telling.tell(ads)
        if DeadLetter.objects.exists():
            break
    forget_backoff()
    telling.tell_all(ads)

    assert telling.held() == {f"x{number}" for number in range(100)} - {"x7"}
    assert [(letter.platform_user_id, letter.attempts) for letter in DeadLetter.objects.all()] == [("x7", 12)]


def test_request_that_is_too_large__is_halved_until_it_fits(telling: Telling, ads: Platform) -> None:
    for number in range(40):
        telling.user(f"x{number}", ads)
    telling.sandbox.faults(target="generic/a", status=413, times=2)

    telling.tell_all(ads)

    assert telling.held() == {f"x{number}" for number in range(40)}
    assert not DeadLetter.objects.exists()


def test_add_remove_add_in_an_outage__is_one_add(telling: Telling, ads: Platform) -> None:
    telling.sandbox.faults(target="generic/a", status=503)
    user = telling.user("x", ads)
    telling.tell(ads)
    for amount in (1, 900, 1, 900):
        telling.change(user, amount)
        telling.tell(ads)
    telling.sandbox.faults(clear=True)
    forget_backoff()

    telling.tell_all(ads)

    assert telling.held() == {"x"}
    assert sent(telling) == {("add", "x"): 1}


def test_replay_of_an_old_add__after_a_newer_remove__adds_nobody(telling: Telling, ads: Platform) -> None:
    telling.sandbox.faults(target="generic/a", status=400, userid="x")
    user = telling.user("x", ads)
    telling.user("y", ads)
    telling.tell_all(ads)
    assert DeadLetter.objects.count() == 1
    telling.sandbox.faults(clear=True)
    telling.change(user, 1)

    dead_letters.replay(DeadLetter.objects.all())
    telling.tell_all(ads)

    assert telling.held() == {"y"}
    assert ("add", "x") not in sent(telling)
    assert not DeadLetter.objects.exists()


def test_replay__sends_what_was_refused_and_the_letter_is_gone(telling: Telling, ads: Platform) -> None:
    telling.sandbox.faults(target="generic/a", status=400, times=3)
    telling.user("x", ads)
    telling.tell_all(ads)
    [letter] = DeadLetter.objects.all()
    telling.sandbox.faults(clear=True)

    named = dead_letters.named(DeadLetter.objects.all(), [dead_letters.key(dead_letters.name(letter))])
    assert dead_letters.replay(named) == 1
    telling.tell_all(ads)

    assert telling.held() == {"x"}
    assert not DeadLetter.objects.exists()


DATE = format_datetime(datetime.now(UTC) + timedelta(seconds=3000), usegmt=True)


@pytest.mark.parametrize(
    ("header", "judged"),
    [
        ("7", lambda wait: wait == 7),
        (DATE, lambda wait: 2000 < wait <= 3000),
        ("garbage", lambda wait: wait <= 1),
        (None, lambda wait: wait <= 1),
        ("-5", lambda wait: wait == 0),
        ("1e300", lambda wait: wait == MAX_WAIT_SECONDS),
        ("nan", lambda wait: wait <= 1),
        ("99999999999", lambda wait: wait == MAX_WAIT_SECONDS),
    ],
)
def test_429_of_any_kind__is_a_bounded_wait(header: str | None, judged: Callable[[float], bool]) -> None:
    assert judged(wait_of(RateLimitedError("slow down", retry_after(header)), already=0))


def test_429_right_after_a_wait__waits_as_the_platform_documents_it() -> None:
    assert wait_of(RateLimitedError("limit", 30, again_after=900), already=0) == 30
    assert wait_of(RateLimitedError("limit", 30, again_after=900), already=1) == 900


def test_429__holds_every_lane_of_the_platform_and_slows_it_down(telling: Telling, ads: Platform) -> None:
    for number in range(40):
        telling.user(f"x{number}", ads)
    telling.sandbox.faults(target="generic/a", status=429, retry_after=1, times=1)

    telling.tell(ads)
    assert telling.calls() == 1
    assert telling.tell(ads) == 0
    health = Health.objects.get(platform_id=ads.pl)
    assert health.slowed_to is not None

    telling.tell_all(ads)
    assert telling.held() == {f"x{number}" for number in range(40)}
    assert not DeadLetter.objects.exists()


def test_credentials_refused__activation_is_broken_until_they_change(telling: Telling, ads: Platform) -> None:
    activation = ads.activations.get()
    right, ads.credentials = ads.credentials, {**ads.credentials, "password": "not-the-one"}
    ads.save()
    telling.user("x", ads)
    telling.tell(ads)
    activation.refresh_from_db()
    assert (activation.status, activation.last_error[:8]) == (Activation.Status.BROKEN, "HTTP 401")
    calls = telling.calls()
    ConfigurationVersion.raise_()
    assert (telling.tell(ads), telling.calls()) == (0, calls)

    ads.credentials = right
    ads.save()
    telling.tell_all(ads)

    activation.refresh_from_db()
    assert (activation.status, activation.last_error) == (Activation.Status.LIVE, "")
    assert telling.held() == {"x"}


def test_breaker__opens_lets_one_through_and_closes(telling: Telling, ads: Platform) -> None:
    telling.sandbox.faults(target="generic/a", status=503)
    for number in range(40):
        telling.user(f"x{number}", ads)
    for _ in range(4):
        telling.tell(ads)
        with_backoff_over(ads, breaker=False)
    health = Health.objects.get(platform_id=ads.pl)
    assert (health.state, health.failures) == (Health.State.OPEN, 8)
    calls = telling.calls()
    assert (telling.tell(ads), telling.calls()) == (0, calls)

    with_backoff_over(ads, breaker=True)
    telling.tell(ads)
    assert telling.calls() == calls + 1
    health.refresh_from_db()
    assert (health.state, health.openings) == (Health.State.OPEN, 2)

    telling.sandbox.faults(clear=True)
    with_backoff_over(ads, breaker=True)
    telling.tell_all(ads)
    health.refresh_from_db()
    assert (health.state, health.failures, health.reason) == (Health.State.CLOSED, 0, "")
    assert telling.held() == {f"x{number}" for number in range(40)}


def with_backoff_over(platform: Platform, *, breaker: bool) -> None:
    until = Health.objects.filter(platform_id=platform.pl).values_list("until", flat=True).first()
    forget_backoff()
    if not breaker:
        Health.objects.filter(platform_id=platform.pl).update(until=until)


def test_ended__removes_everybody_and_is_gone(telling: Telling, ads: Platform) -> None:
    users = [telling.user(f"x{number}", ads) for number in range(10)]
    telling.tell_all(ads)
    activation = ads.activations.get()

    services.deactivate(activation)
    telling.change(users[0], 900)  # nobody comes back in
    assert telling.create(ads) == 0
    telling.tell_all(ads)
    telling.create(ads)

    assert telling.held() == set()
    assert not Activation.objects.filter(id=activation.id).exists()
    telling.user("late", ads)
    telling.tell_all(ads)
    assert telling.held() == set()


def test_condition__of_a_platform_that_nothing_is_known_of__is_well() -> None:
    assert not Condition().holds_back(datetime.now(UTC))
    assert not Condition().is_troubled
