"""Excel workbooks: what their cells become, and hostile ones."""

import resource
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from profiles.models import Profile
from tests.support.import_files import Serial, faults, imported, workbook, written
from tests.support.shop import Shop


def test_cells__of_every_kind__become_what_they_show(shop: Shop, tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        [None],
        [" UserId ", "N", "F", "T", "Day", "Moment", None],
        [4712, 5, 0.5, True, Serial(45000), Serial(45000.5)],
        [None],
        ["C-2", None, None, None, None, None, "beyond the header"],
        ["C-3", "text"],
    ]

    row = imported(shop, written(tmp_path, "p.xlsx", workbook(rows)), "xlsx")
    shop.absorb()

    assert (row.status, row.stored, row.errors) == ("done", 2, 1)
    assert list(faults(row)) == [3]
    found = {profile.attributes["UserId"]: profile.attributes for profile in Profile.objects.all()}
    assert found == {
        4712: {"UserId": 4712, "N": 5, "F": 0.5, "T": True, "Day": "2023-03-15", "Moment": "2023-03-15T12:00:00"},
        "C-3": {"UserId": "C-3", "N": "text"},
    }


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"PK no workbook", "no sound workbook"),
        (workbook([[None]]), "no header"),
        (workbook([["UserId", None, "A"], ["x"]]), "column 2 has no name"),
        (workbook([["City"], ["Rome"]]), ""),
    ],
)
def test_workbook__that_cannot_be_used__fails_with_the_reason(
    shop: Shop, tmp_path: Path, content: bytes, why: str
) -> None:
    row = imported(shop, written(tmp_path, "p.xlsx", content), "xlsx")

    assert why in row.error
    assert (row.status == "failed") == bool(why)
    assert row.stored == 0


def test_workbook__that_is_small_and_spans_a_billion_cells__cannot_be_read(shop: Shop, tmp_path: Path) -> None:
    sound, sink = zipfile.ZipFile(BytesIO(workbook([["UserId"], ["C-1"]]))), BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name in sound.namelist():
            archive.writestr(name, sound.read(name).replace(b'r="A2"', b'r="XFD1048576"'))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    row = imported(shop, written(tmp_path, "p.xlsx", sink.getvalue()), "xlsx")

    assert len(sink.getvalue()) < 5_000
    assert (row.status, row.error) == ("failed", "its rows need too much memory, or too much time")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB
