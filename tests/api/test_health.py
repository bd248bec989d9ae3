"""`health` in the API: the words of platforms are for those who may see persons; a list takes no more statements."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activation.models import Activation
from audiences.models import Audience
from core.models import ApiKey, Customer
from integrations.models import Platform
from profiles.models import Pixel
from tests.support.api_caller import Caller, caller

FIELDS = {"state", "reason", "since", "people", "action"}
RULE = {"combinator": "and", "rules": [{"field": "audience", "operator": "notIn", "value": 0}]}


@pytest.fixture
def broken(shop: Customer) -> Activation:
    platform = Platform.objects.create(customer=shop, name="Ads", connector="http", settings={})
    audience = Audience.objects.create(customer=shop, name="big", rule=RULE)
    return Activation.objects.create(
        audience=audience, platform=platform, status="broken", trouble="refused", last_error="no user mail@x.example"
    )


def test_health__says_the_platforms_words_to_those_who_may_see_persons(admin: Caller, broken: Activation) -> None:
    analyst = caller(ApiKey.Role.ANALYST)
    for asking, reason in ((admin, "every id refused: no user mail@x.example"), (analyst, "every id refused")):
        for address in (f"activations/{broken.pk}/", f"platforms/{broken.platform_id}/"):
            health = asking.get(address).body["health"]
            assert health.keys() == FIELDS
            assert (health["state"], health["reason"]) == ("broken", reason)
            assert health["action"]


def test_health__of_a_list__takes_as_many_statements_as_of_one_row(
    admin: Caller, shop: Customer, broken: Activation
) -> None:
    def statements(address: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert all(row["health"].keys() == FIELDS for row in admin.get(address).body["results"])
        return len([one for one in found if "health" in one["sql"] or "pixel_activity" in one["sql"]])

    addresses = ("activations/", "platforms/", "pixels/", "imports/")
    Pixel.objects.create(customer=shop, name="0")
    few = [statements(address) for address in addresses]
    for number in range(5):
        Pixel.objects.create(customer=shop, name=f"{number}")
        Activation.objects.create(audience=broken.audience, platform=broken.platform, name=f"{number}")
        Platform.objects.create(customer=shop, name=f"{number}", connector="none")

    assert [statements(address) for address in addresses] == few


def test_activation__of_the_same_audience_and_platform__needs_another_name(admin: Caller, broken: Activation) -> None:
    same = {"audience": broken.audience_id, "platform": broken.platform_id}
    assert admin.post("activations/", same).status == 400
