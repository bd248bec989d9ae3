"""What a platform holds against what it confirmed to hold."""

import requests

from activation import reconciliation
from integrations.models import Platform
from tests.support.telling import Telling


def readable(telling: Telling) -> Platform:
    url = telling.sandbox.segments_url
    read = {"method": "GET", "url": url + "?id={{segment_id}}&after={{cursor}}", "ids": "userids", "next": "next"}
    return telling.platform(read=read)


def behind_our_back(telling: Telling, method: str, segment: object, x: str) -> None:
    login = telling.sandbox.credentials("a")
    answer = requests.request(
        method, telling.sandbox.segments_url, params={"id": str(segment), "userid": x}, auth=login, timeout=5
    )
    assert answer.ok


def test_difference__is_shown_and_repaired(telling: Telling) -> None:
    ads = readable(telling)
    activation = telling.activation(telling.audience(), ads)
    ids = {f"x{number}" for number in range(1100)}
    for x in ids:
        telling.user(x, ads)
    left = telling.user("left", ads)
    telling.tell_all(ads, 30)
    telling.change(left, 1)
    telling.tell_all(ads)
    assert reconciliation.compare(activation).shown() | {"examples": {}} == {
        "held": 1100,
        "missing": 0,
        "unexpected": 0,
        "examples": {},
    }
    behind_our_back(telling, "DELETE", activation.segment_id, "x7")
    behind_our_back(telling, "POST", activation.segment_id, "left")
    behind_our_back(telling, "POST", activation.segment_id, "stranger")

    found = reconciliation.compare(activation)
    assert (found.missing, found.unexpected) == (["x7"], ["left", "stranger"])
    reconciliation.repair(activation, found)
    telling.tell_all(ads)

    assert telling.held() == ids
    found = reconciliation.compare(activation)
    assert (found.missing, found.unexpected) == ([], [])
