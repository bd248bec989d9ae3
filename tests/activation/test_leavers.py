"""Platforms that are sent no removals: who leaves is kept there, and nobody else waits for it."""

from datetime import UTC, datetime, timedelta

import pytest

from activation import services
from activation.delivery import lanes
from activation.models import Activation, DeadLetter, Delivery
from activation.stores import deliveries, file_rows
from activation.stores.file_rows import FileScope
from core.buckets import of_value
from pipeline import deliver
from tests.support.delivery_stage import DeliveryStage
from tests.support.shop import recount

LANE = 1
IDS = [x for x in (f"x{number}" for number in range(1000)) if lanes.lane_of(of_value(x)) == LANE][:60]


def test_f36_member_who_leaves_while_the_lane_is_drained__is_kept_and_the_others_are_added(
    stage: DeliveryStage,
) -> None:
    ads = stage.platform(remove=None, removal="none", batch_size=10)
    activation = stage.activation(stage.audience(), ads)
    users = {x: stage.user(x, ads) for x in IDS}
    stage.shop.absorb()
    gone: list[str] = []

    def keep_on() -> bool:
        added = stage.held()
        if len(added) >= 20 and not gone:
            gone.append(min(added))
            stage.change(users[gone[0]], 1)
        return True

    deliver.work(ads.pl, LANE, keep_on)

    activation.refresh_from_db()
    assert (activation.status, activation.last_error) == (Activation.Status.LIVE, "")
    assert stage.held() == set(IDS)
    counts = services.counts(activation)
    assert (counts["wanted"], counts["kept"], counts["due"]) == (len(IDS) - 1, 1, 0)


def test_many_leavers__are_all_kept_and_nothing_stays_due(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "PAGE", 10)
    ads = stage.platform(remove=None, removal="none")
    activation = stage.activation(stage.audience(), ads)
    for x in IDS:
        stage.user(x, ads)
    stage.deliver_all(ads)
    Delivery.objects.update(wanted=False, due_at=datetime.now(UTC) - timedelta(seconds=1))
    recount()

    stage.deliver(ads)

    counts = services.counts(activation)
    assert (counts["kept"], counts["due"]) == (len(IDS), 0)


def test_file__of_a_platform_without_removals__holds_no_leaver_who_left_just_before(stage: DeliveryStage) -> None:
    ads = stage.platform(remove=None, removal="none")
    activation = stage.activation(stage.audience(), ads)
    for x in IDS:
        stage.user(x, ads)
    stage.shop.absorb()
    leaver = Delivery.objects.order_by("platform_user_id")[0]
    Delivery.objects.filter(platform_user_id=leaver.platform_user_id).update(wanted=False)
    at = datetime.now(UTC)

    with stage.connection().cursor(binary=True) as cursor:
        rows = {
            sent: file_rows.due(cursor, FileScope([activation.id], at, removals_sent=sent), leaver.bucket)
            for sent in (True, False)
        }
        lists = file_rows.id_lists(cursor, FileScope([activation.id], at, removals_sent=False), leaver.bucket)

    assert leaver.platform_user_id in {row[2] for row in rows[True]}
    assert leaver.platform_user_id not in {row[2] for row in rows[False]}
    assert all(one.wanted for one in lists or ())
    assert not DeadLetter.objects.exists()
