"""Replays of many dead letters: a fixed set, in the background, each letter once."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from activation import dead_letters
from activation.models import Activation, DeadLetter, Delivery, LetterReplay
from core.buckets import BUCKETS
from core.models import ApiKey
from integrations.models import Platform
from pipeline import deliver
from tests.support.api_caller import caller
from tests.support.delivery_stage import DeliveryStage

LETTERS = 3 * dead_letters.PAGE

DIE = """
WITH died AS (
    INSERT INTO delivery (bucket, activation_id, platform_user_id, platform_id, user_id, epoch, version, wanted, dead,
                          attempts, changed_at)
    SELECT n %% %(buckets)s, %(activation)s, 'x' || n, %(platform)s, gen_random_uuid(), 1, 1, true, true, 1, now()
    FROM generate_series(1, %(letters)s) AS n RETURNING *)
INSERT INTO dead_letter (bucket, activation_id, platform_user_id, platform_id, user_id, operation, reason,
                         response_excerpt, attempts, died_at)
SELECT bucket, activation_id, platform_user_id, platform_id, user_id, 'add', 'HTTP 400: bad', '', 1, now() FROM died
"""
# as the platform refuses them once more
DIE_AGAIN = """
WITH died AS (
    UPDATE delivery SET dead = true, due_at = NULL, attempts = attempts + 1 WHERE due_at IS NOT NULL RETURNING *)
INSERT INTO dead_letter (bucket, activation_id, platform_user_id, platform_id, user_id, operation, reason,
                         response_excerpt, attempts, died_at)
SELECT bucket, activation_id, platform_user_id, platform_id, user_id, 'add', 'HTTP 400: bad', '', attempts,
       clock_timestamp() FROM died
"""


@pytest.fixture
def refused(stage: DeliveryStage, ads: Platform) -> Activation:
    """An activation with many dead letters."""
    activation = ads.activations.get()
    values = {"buckets": BUCKETS, "activation": activation.id, "platform": ads.pl, "letters": LETTERS}
    with connection.cursor() as cursor:
        cursor.execute(DIE, values)
    return activation


@pytest.fixture
def console(db: None) -> Iterator[Client]:
    user = User.objects.create(username="boss", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    yield client
    user.delete()


def die_again() -> int:
    with connection.cursor() as cursor:
        cursor.execute(DIE_AGAIN)
        return int(cursor.rowcount)


def test_f37_replay_of_all__while_the_letters_die_again__sends_each_once_and_says_how_far_it_is(
    stage: DeliveryStage, refused: Activation
) -> None:
    admin = caller(ApiKey.Role.ADMIN)

    answer = admin.post("dead-letters/replay/", {"activation": refused.id})
    assert (answer.status, answer.body["replayed"]) == (200, LETTERS)
    assert DeadLetter.objects.count() == LETTERS  # in the background

    sent, percents = 0, []
    while stage.shop.absorber.absorb():
        sent += die_again()
        [shown] = admin.get("dead-letters/replays/").body
        assert shown["replayed"] == sent
        percents.append(shown["percent"])

    assert sent == LETTERS
    assert (percents[-1], percents == sorted(percents), len(set(percents)) > 2) == (100, True, True)
    assert shown | {"requested_at": ""} == {
        "id": answer.body["replay"],
        "activation": refused.id,
        "requested_at": "",
        "letters": LETTERS,
        "replayed": LETTERS,
        "percent": 100,
        "done": True,
    }
    assert DeadLetter.objects.count() == LETTERS
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


def test_replay_of_all__of_another_customers_key__shows_nothing(stage: DeliveryStage, refused: Activation) -> None:
    from core.models import Customer

    rival = Customer.objects.create(m=2, name="Rival")
    caller(ApiKey.Role.ADMIN).post("dead-letters/replay/", {"activation": refused.id})

    assert caller(ApiKey.Role.ADMIN, rival).get("dead-letters/replays/").body == []
    assert len(caller(ApiKey.Role.ADMIN, stage.shop.customer).get("dead-letters/replays/").body) == 1


def test_replay_of_all__in_the_console__replays_what_the_filter_found_and_shows_progress(
    stage: DeliveryStage, refused: Activation, console: Client
) -> None:
    DeadLetter.objects.filter(bucket__lt=20).update(reason="another reason")
    letters = DeadLetter.objects.exclude(reason="another reason").count()

    assert console.post("/dead-letters/?reason=BAD", {"all": "1"}).status_code == 302
    stage.shop.absorb()

    assert set(DeadLetter.objects.values_list("reason", flat=True)) == {"another reason"}
    shown = console.get("/dead-letters/").content.decode()
    assert f"{letters:,} of {letters:,} letters were sent again (done)" in shown


def test_replays__are_forgotten_after_a_while(stage: DeliveryStage, refused: Activation) -> None:
    dead_letters.replay_all(DeadLetter.objects.all())
    LetterReplay.objects.update(requested_at="2026-01-01T00:00:00Z")

    deliver.delete_old_records()
    stage.shop.absorb()  # its commands change nothing any more

    assert not LetterReplay.objects.exists()
    assert DeadLetter.objects.count() == LETTERS
