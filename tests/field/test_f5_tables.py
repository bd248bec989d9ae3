"""F5: what tables write where a key should be."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from profiles.models import Profile
from tests.support.import_files import WRITERS, imported, written
from tests.support.shop import Shop
from tests.support.tables import db

__all__ = ["db"]

KEYS = ["C-1", "NULL", "\\N", "#N/A", "${ID}", "nan", "None", "0", "1.23457E+11", "C-2"]


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.absorber.close()


@pytest.mark.parametrize("format_", ["csv", "ndjson", "parquet"])
def test_f5__keys_that_name_nobody__are_refused_rows(shop: Shop, tmp_path: Path, format_: str) -> None:
    rows = [{"UserId": key, "City": "Rome"} for key in KEYS]

    row = imported(shop, written(tmp_path, f"people.{format_}", WRITERS[format_](rows)), format_)
    shop.absorb()

    row.refresh_from_db()
    assert (row.stored, row.errors) == (2, 8)
    assert Profile.objects.count() == 2
