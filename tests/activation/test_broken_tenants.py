"""Whatever stands in one tenant's configuration: everybody else's events, deliveries and retention go on."""

from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import msgspec
import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from activation.models import Delivery
from core import buckets, clock
from core.configuration import ConfigurationVersion
from core.database import connect
from core.keys import KeyRing
from core.models import ConfigurationProblem, Customer
from core.wakeups import DELIVER, wakeups
from integrations.models import Platform
from pipeline import deliver
from pipeline.privacy import retention
from pipeline.sweeper import Sweeper
from profiles.models import Attribute, Pixel
from tests.support.delivery_stage import DeliveryStage
from tests.support.edge_process import until
from tests.support.shop import rule, somebody

# text that PostgreSQL can hold
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.sampled_from(["", ".", "a..b", "none", "http", "{{nothing", "P1X", "null", "-1"]) | st.text(characters)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(["attribute.city", "attribute.gone", "audience", "pixel.1.count", "platform", "event.x", "a"])
operators = st.sampled_from(["=", "in", "between", "withinLast", "null", "sounds like"])
rules = st.builds(rule, fields, operators, documents | st.just(999_999))
calls = st.fixed_dictionaries({"method": texts, "url": texts, "body": documents})
days = st.integers(0, 32_767)
foreign = KeyRing([Fernet.generate_key().decode()])


def short(length: int) -> st.SearchStrategy[str]:
    return texts.map(lambda text: text[:length])


def as_json(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return values.map(lambda value: msgspec.json.encode(value).decode().replace("\\u0000", ""))


sealed = st.binary(max_size=40) | documents.map(foreign.seal)
Place = tuple[str, str]
NONSENSE: dict[Place, st.SearchStrategy[Any]] = {
    ("audience", "rule"): as_json(documents | rules),
    ("audience", "ttl"): short(40),
    ("attribute", "path"): short(400),
    ("attribute", "type"): short(7),
    ("platform", "connector"): short(40),
    ("platform", "settings"): as_json(documents | st.fixed_dictionaries({"add": calls})),
    ("platform", "limits"): as_json(documents | st.fixed_dictionaries({"per_second": documents})),
    ("platform", "credentials"): sealed,
    ("platform", "sync_secrets"): sealed,
    ("activation", "settings"): as_json(documents),
    ("activation", "segment_id"): as_json(documents),
    ("activation", "status"): short(7),
    ("pixel", "user_key"): short(200),
    ("customer", "keep_users_days"): days,
    ("customer", "keep_activity_days"): days,
    ("customer", "keep_logs_days"): days,
}
JSON = {"rule", "settings", "limits", "segment_id"}


class OddTenant:
    """A second customer who has one of everything, in rows that hold nonsense for a while."""

    def __init__(self, stage: DeliveryStage) -> None:
        shop, others = stage.shop, (stage.shop.customer, stage.shop.pixel)
        self.stage = stage
        shop.customer = self.customer = Customer.objects.create(m=2, name="odd")
        shop.pixel = self.pixel = Pixel.objects.create(customer=shop.customer, name="page", user_key="UserId")
        shop.attribute("amount", "number")
        city = shop.attribute("city", "string")
        local = shop.audience("local", rule("attribute.city", "=", "Bonn"))
        self.platform = stage.platform("b")
        activation = stage.activation(stage.audience("odd"), self.platform)
        shop.customer, shop.pixel = others
        self.rows: dict[str, tuple[str, int]] = {
            "audience": ("id", local.id),
            "attribute": ("id", city.id),
            "platform": ("pl", self.platform.pl),
            "activation": ("id", activation.id),
            "pixel": ("id", self.pixel.id),
            "customer": ("m", self.customer.m),
        }

    def read(self, place: Place) -> Any:
        (table, column), (key, number) = place, self.rows[place[0]]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {column}{'::text' * (column in JSON)} FROM {table} WHERE {key} = %s", [number])
            return cursor.fetchone()[0]

    def write(self, place: Place, value: Any) -> None:
        (table, column), (key, number) = place, self.rows[place[0]]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET {column} = %s WHERE {key} = %s", [value, number])
            ConfigurationVersion.raise_([self.customer.m])

    def event(self) -> None:
        shop, others = self.stage.shop, (self.stage.shop.customer, self.stage.shop.pixel)
        shop.customer, shop.pixel = self.customer, self.pixel
        user = somebody()
        shop.sync(user, self.platform, str(user))
        shop.event(user, {"amount": 500, "city": "Bonn"})
        shop.customer, shop.pixel = others


@pytest.fixture
def sweep() -> Iterator[Callable[[], None]]:
    """A round of the sweeper, in which nobody else works in any lane."""
    sweeper = Sweeper()

    def sweep() -> None:
        for platform, lane in deliver.lanes():
            wakeups(settings.REDIS_URL).sleep(DELIVER, platform, lane)
        sweeper.sweep()

    yield sweep
    sweeper.run(lambda: False)


@pytest.fixture
def odd(stage: DeliveryStage) -> OddTenant:
    return OddTenant(stage)


@given(data=st.data(), places=st.sets(st.sampled_from(sorted(NONSENSE)), min_size=1, max_size=4))
@hypothesis.settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_nonsense_in_one_tenants_rows__events_deliveries_and_retention_of_others_go_on(
    odd: OddTenant, ads: Platform, sweep: Callable[[], None], data: st.DataObject, places: set[Place]
) -> None:
    shop, before = odd.stage.shop, {place: odd.read(place) for place in places}
    for place in sorted(places):
        odd.write(place, data.draw(NONSENSE[place], ".".join(place)))
    odd.event()
    user = somebody()
    shop.sync(user, ads, str(user))
    shop.event(user, {"amount": 500})
    shop.absorb()

    def is_delivered() -> bool:
        sweep()
        return Delivery.objects.filter(platform_user_id=str(user), platform_id=ads.pl, acknowledged=True).exists()

    until(is_delivered)
    deliver.renew()
    with connect(durable=False) as own:
        assert retention.sweep_bucket(own, buckets.of_user(user), clock.now())
    shop.absorb()
    assert shop.bad_rows() == []
    assert {row.customer_id for row in ConfigurationProblem.objects.all()} <= {odd.customer.m}

    Attribute.objects.filter(customer=odd.customer, enabled=False).delete()  # seen while another path stood there
    for place, value in before.items():
        odd.write(place, value)
    sweep()
    shop.absorb()
    assert not ConfigurationProblem.objects.exists()
