from collections.abc import Iterator

import pytest

from activation.models import Activation
from integrations.models import Platform
from tests.support.shop import Shop, rule
from tests.support.tables import db

__all__ = ["db"]


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.absorber.close()


@pytest.fixture
def ads(shop: Shop) -> Platform:
    """A platform, in a shop whose users have an amount."""
    shop.attribute("amount", "number")
    return shop.platform()


@pytest.fixture
def buyers(shop: Shop, ads: Platform) -> Activation:
    """Everybody with an amount above 100, on the platform."""
    return shop.activation(shop.audience("buyers", rule("attribute.amount", ">", 100)), ads)
