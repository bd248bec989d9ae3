from typing import Any

import pytest

from audiences.models import Audience
from core.models import ApiKey, Customer
from integrations.models import Platform
from profiles.models import Pixel
from tests.support.api_caller import Caller, caller


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Every test of the API talks to the database."""


@pytest.fixture
def shop() -> Customer:
    return Customer.objects.create(m=1, name="Shop")


@pytest.fixture
def rival() -> Customer:
    return Customer.objects.create(m=2, name="Rival")


@pytest.fixture
def admin() -> Caller:
    return caller(ApiKey.Role.ADMIN)


@pytest.fixture
def pixel(shop: Customer) -> Pixel:
    return Pixel.objects.create(id=7, customer=shop, name="Front page", user_key="UserId")


@pytest.fixture
def rule(pixel: Pixel) -> dict[str, Any]:
    return {"combinator": "and", "rules": [{"field": f"pixel.{pixel.pk}.count", "operator": ">=", "value": 1}]}


@pytest.fixture
def platform(shop: Customer) -> Platform:
    return Platform.objects.create(customer=shop, name="Ads", connector="none", sync_secrets=["verysecure"])


@pytest.fixture
def audience(shop: Customer, rule: dict[str, Any]) -> Audience:
    return Audience.objects.create(customer=shop, name="Visitors", rule=rule, status=Audience.Status.LIVE)
