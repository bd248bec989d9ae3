"""The time zone of a customer: one of the IANA's names, UTC where none is given, and every change is in the log."""

import pytest

from audiences.models import Audience
from core.models import AuditEntry, Customer
from profiles.models import Pixel
from tests.support.api_caller import Caller


def test_time_zone__of_a_customer__is_utc_until_another_is_given_and_the_log_tells_of_it(admin: Caller) -> None:
    assert admin.post("customers/", {"m": 1, "name": "Shop"}).body["time_zone"] == "UTC"

    changed = admin.patch("customers/1/", {"time_zone": "Asia/Kathmandu"})

    assert (changed.status, changed.body["time_zone"]) == (200, "Asia/Kathmandu")
    entry = AuditEntry.objects.latest("id")
    assert [side and side["time_zone"] for side in (entry.before, entry.after)] == ["UTC", "Asia/Kathmandu"]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("given", ["Mars/Olympus", "europe/berlin", "", "+02:00", 1, None])
def test_time_zone__that_is_none__is_refused_at_its_field(admin: Caller, given: object) -> None:
    answer = admin.patch("customers/1/", {"time_zone": given})

    assert answer.status == 400
    assert [place for place, _ in answer.places] == ["time_zone"]
    assert Customer.objects.get(m=1).time_zone == "UTC"


def test_time_zone__of_a_customer_that_changes__evaluates_audiences_again_that_ask_about_days(
    admin: Caller, pixel: Pixel, audience: Audience
) -> None:
    counts = {"field": f"pixel.{pixel.pk}.count", "operator": ">=", "value": 1, "days": 1}
    daily = admin.post("audiences/", {"customer": 1, "name": "Daily", "rule": {"combinator": "and", "rules": [counts]}})

    assert admin.patch("customers/1/", {"time_zone": "Europe/Berlin"}).status == 200

    assert admin.get(f"audiences/{daily.body['id']}/").body["status"] == "building"
    assert [Audience.objects.get(pk=one).version for one in (daily.body["id"], audience.pk)] == [2, 1]
    assert admin.patch("customers/1/", {"time_zone": "Europe/Berlin", "name": "Shops"}).status == 200
    assert Audience.objects.get(pk=daily.body["id"]).version == 2
