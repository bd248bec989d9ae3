"""F14 to F17: files as people have them."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.uploads import split
from core.models import Inbox
from profiles.models import Profile
from tests.support.import_files import faults, imported, written
from tests.support.shop import Shop
from tests.support.tables import db

__all__ = ["db"]


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.absorber.close()


@pytest.mark.parametrize("others", ["q{},City {}\n", 'q{},"City {}"\n', '"q{}","City {}"\r\n'])
def test_f14__a_quote_that_never_closes__costs_its_own_row(shop: Shop, tmp_path: Path, others: str) -> None:
    rows = [others.format(n, n) for n in range(5_000)]
    rows[4] = 'q4,"City 4\n'

    row = imported(shop, written(tmp_path, "p.csv", f"UserId,City\n{''.join(rows)}".encode()))

    assert (row.status, row.stored, row.errors) == ("done", 4_999, 1)
    assert faults(row).keys() == {5}
    assert Inbox.objects.count() == 4_999


def test_f15__a_header_with_delimiters_in_quotes__is_a_comma_file(shop: Shop, tmp_path: Path) -> None:
    row = imported(shop, written(tmp_path, "p.csv", b'"UserId","a;b;c;d"\nC-1,x;y\n'))
    shop.absorb()

    assert (row.status, row.stored) == ("done", 1)
    assert Profile.objects.get().attributes == {"UserId": "C-1", "a;b;c;d": "x;y"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_f16__a_byte_order_mark_before_ndjson__is_passed_over(shop: Shop, tmp_path: Path, encoding: str) -> None:
    lines = "".join(json.dumps({"UserId": f"C-{n}", "City": "Málaga"}, ensure_ascii=False) + "\n" for n in range(3))

    row = imported(shop, written(tmp_path, "p.ndjson", lines.encode(encoding)), "ndjson")
    shop.absorb()

    assert (row.stored, row.errors) == (3, 0)
    assert {profile.attributes["City"] for profile in Profile.objects.all()} == {"Málaga"}


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize("raw", [b'{"a": 1}\n{"b": 2}\n', b"", b"\xef\xbb", b"\xef\xbb\xbf\n"])
def test_f16__a_byte_order_mark_before_a_match_table__is_passed_over(raw: bytes, size: int) -> None:
    def reader(body: bytes) -> list[bytes | None]:
        left = bytearray(body)

        def read(most: int) -> bytes:
            taken = bytes(left[: min(size, most)])
            del left[: len(taken)]
            return taken

        return list(split(read))

    assert reader(codecs.BOM_UTF8 + raw) == raw.splitlines()
