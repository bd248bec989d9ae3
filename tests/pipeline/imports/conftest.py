from collections.abc import Iterator

import pytest

from tests.support.shop import Shop
from tests.support.tables import db

__all__ = ["db"]


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.absorber.close()
