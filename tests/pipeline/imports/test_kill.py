"""Imports whose process is killed: the next goes on, and every row is in the inbox once."""

import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from core.models import Inbox
from pipeline.models import Import
from tests.support import forked
from tests.support.import_files import WRITERS, faults, written
from tests.support.shop import Shop

ROWS = 4_600
BAD = {7, 1_001, 2_469, ROWS}


def importer(shop: Shop, database_url: str, path: Path, format_: str, **how: str) -> int:
    """The exit status of a process that imports the file."""
    importing = forked.start("tests.support.importing", [str(shop.pixel.pk), str(path), format_], database_url, how)
    try:
        return importing.wait(120)
    finally:
        importing.kill()


@pytest.mark.parametrize(
    ("format_", "packed", "deaths"),
    [
        ("csv", "", [("transaction", "1"), ("after", "0"), ("after", "2")]),
        ("ndjson", ".gz", [("after", "1"), ("transaction", "0"), ("transaction", "2")]),
        ("parquet", "", [("transaction", "2"), ("after", "1")]),
    ],
)
def test_import__killed_again_and_again__stores_each_row_once_and_tells_each_error_once(
    shop: Shop, database_url: str, tmp_path: Path, format_: str, packed: str, deaths: list[tuple[str, str]]
) -> None:
    rows = [{"UserId": "" if n in BAD else f"C-{n}", "A": "x" * 20} for n in range(1, ROWS + 1)]
    path = written(tmp_path, f"p.{format_}{packed}", WRITERS[format_](rows))

    for place, batches in deaths:
        status = importer(shop, database_url, path, format_, DIE_IN=place, DIE_AT=batches)
        assert status == -signal.SIGKILL
    assert importer(shop, database_url, path, format_) == 0

    (row,) = Import.objects.all()
    assert (row.status, row.position, row.stored, row.errors) == ("done", ROWS, ROWS - len(BAD), len(BAD))
    assert set(faults(row)) == BAD
    found = Counter(
        re.findall(rb'"user","(C-\d+)"', b"\n".join(bytes(q) for q in Inbox.objects.values_list("query", flat=True)))
    )
    assert len(found) == ROWS - len(BAD)
    assert set(found.values()) == {1}
