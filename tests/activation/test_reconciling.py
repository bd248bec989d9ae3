"""What a platform holds against what it confirmed to hold."""

import requests

from activation import reconciliation
from integrations.models import Platform
from tests.support.delivery_stage import DeliveryStage


def readable(stage: DeliveryStage) -> Platform:
    url = stage.sandbox.segments_url
    read = {"method": "GET", "url": url + "?id={{segment_id}}&after={{cursor}}", "ids": "userids", "next": "next"}
    return stage.platform(read=read)


def behind_our_back(stage: DeliveryStage, method: str, segment: object, x: str) -> None:
    login = stage.sandbox.credentials("a")
    answer = requests.request(
        method, stage.sandbox.segments_url, params={"id": str(segment), "userid": x}, auth=login, timeout=5
    )
    assert answer.ok


def test_difference__is_shown_and_repaired(stage: DeliveryStage) -> None:
    ads = readable(stage)
    activation = stage.activation(stage.audience(), ads)
    ids = {f"x{number}" for number in range(1100)}
    for x in ids:
        stage.user(x, ads)
    left = stage.user("left", ads)
    stage.deliver_all(ads)
    stage.change(left, 1)
    stage.deliver_all(ads)
    assert reconciliation.compare(activation).shown() | {"examples": {}} == {
        "held": 1100,
        "missing": 0,
        "unexpected": 0,
        "examples": {},
    }
    behind_our_back(stage, "DELETE", activation.segment_id, "x7")
    behind_our_back(stage, "POST", activation.segment_id, "left")
    behind_our_back(stage, "POST", activation.segment_id, "stranger")

    found = reconciliation.compare(activation)
    assert (found.missing, found.unexpected) == (["x7"], ["left", "stranger"])
    reconciliation.repair(activation, found)
    stage.deliver_all(ads)

    assert stage.held() == ids
    found = reconciliation.compare(activation)
    assert (found.missing, found.unexpected) == ([], [])
