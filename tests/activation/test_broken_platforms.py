"""A platform that cannot be used as it is configured says so, and keeps no other from being delivered to."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.db import connection, transaction

from activation.delivery.lanes import CREATION, LANES
from activation.models import Activation
from core.configuration import ConfigurationVersion
from core.keys import KeyRing
from core.models import ConfigurationProblem
from core.wakeups import DELIVER, wakeups
from integrations.models import Platform
from pipeline import catalogue, deliver
from pipeline.sweeper import Sweeper
from tests.support.delivery_stage import DeliveryStage
from tests.support.edge_process import until


def _sql(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        ConfigurationVersion.raise_()


def no_connector(platform: Platform) -> None:
    _sql("UPDATE platform SET connector = 'gone' WHERE pl = %s", platform.pl)


def no_key(platform: Platform) -> None:
    foreign = KeyRing([Fernet.generate_key().decode()]).seal({"type": "none"})
    _sql("UPDATE platform SET credentials = %s, sync_secrets = %s WHERE pl = %s", foreign, foreign, platform.pl)


def wrong_settings(platform: Platform) -> None:
    _sql("""UPDATE platform SET settings = '{"add": 1}' WHERE pl = %s""", platform.pl)


def wrong_limits(platform: Platform) -> None:
    _sql("UPDATE platform SET limits = '[]' WHERE pl = %s", platform.pl)


@pytest.mark.parametrize("break_", [no_connector, no_key, wrong_settings, wrong_limits])
def test_platform_cannot_be_used__the_others_are_delivered_to_and_it_is_again_once_mended(
    stage: DeliveryStage, break_: Callable[[Platform], None]
) -> None:
    audience = stage.audience()
    broken, healthy = stage.platform("a"), stage.platform("b")
    activation = stage.activation(audience, broken)
    stage.activation(audience, healthy)
    as_it_was = Platform.objects.get(pl=broken.pl)
    break_(broken)
    stage.user("x", broken)
    stage.user("y", healthy)
    stage.shop.absorb()
    for platform in (broken, healthy):
        for lane in (CREATION, *range(LANES)):
            wakeups(settings.REDIS_URL).sleep(DELIVER, platform.pl, lane)

    sweeper = Sweeper()
    until(lambda: _acknowledged_after(sweeper, healthy) == {"y"})
    deliver.renew()

    assert stage.shop.bad_rows() == []
    assert _acknowledged(broken) == set()
    problem = ConfigurationProblem.objects.get()
    assert (problem.subject, problem.number) == ("platform", broken.pl)
    Platform.objects.get(pl=broken.pl).save()  # as the console would: what cannot be read is kept
    assert ConfigurationProblem.objects.count() == 1

    as_it_was.save()
    until(lambda: _acknowledged_after(sweeper, broken) == {"x"})
    activation.refresh_from_db()
    assert activation.status == Activation.Status.LIVE
    assert not ConfigurationProblem.objects.exists()


def test_platform_that_is_no_longer_asked_to_create_segments__those_that_exist_are_filled(stage: DeliveryStage) -> None:
    ads = stage.platform()
    stage.activation(stage.audience(), ads)
    ads.settings = {name: call for name, call in ads.settings.items() if name != "create"}
    ads.save()
    stage.user("x", ads)

    stage.deliver_all(ads)
    assert stage.held() == {"x"}
    assert not ConfigurationProblem.objects.exists()


def test_settings_of_one_activation_do_not_fit__the_others_of_the_platform_are_delivered(stage: DeliveryStage) -> None:
    ads = stage.platform()
    broken = stage.activation(stage.audience("huge", 200), ads)
    _sql("UPDATE activation SET settings = '[1]' WHERE id = %s", broken.id)
    stage.activation(stage.audience("big", 100), ads)
    stage.user("x", ads)

    def is_delivered() -> bool:
        stage.deliver(ads)
        return stage.held("big") == {"x"}

    until(is_delivered)
    assert stage.held("huge") == set()
    problem = ConfigurationProblem.objects.get()
    assert (problem.subject, problem.number) == ("activation", broken.id)

    broken.save()
    stage.deliver_all(ads)
    assert stage.held("huge") == {"x"}
    catalogue.refresh()
    assert not ConfigurationProblem.objects.exists()


def _acknowledged_after(sweeper: Sweeper, platform: Platform) -> set[str]:
    sweeper.sweep()
    return _acknowledged(platform)


def _acknowledged(platform: Platform) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT platform_user_id FROM delivery WHERE platform_id = %s AND acknowledged", [platform.pl])
        return {found for (found,) in cursor.fetchall()}
