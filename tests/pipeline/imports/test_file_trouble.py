"""A file that changes or goes while it is imported: the import ends with a reason, what it stored stays."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.imports import files, reading, services
from pipeline.imports.run import run
from pipeline.models import Import
from tests.support.import_files import Hurry, as_csv, written
from tests.support.shop import Shop

ROWS = [{"UserId": f"C-{number}", "City": "Rome"} for number in range(4_000)]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 500)


class Meddler(Hurry):
    """Does something to the file before the second batch."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        self._meddle = meddle
        self._batches = 0

    def wait(self) -> None:
        self._batches += 1
        if self._batches == 2:
            self._meddle()


def meddled(shop: Shop, path: Path, meddle: Callable[[], object]) -> Import:
    row = services.import_of(path, shop.pixel, "csv", dry_run=False)
    run(row, Meddler(meddle))
    row.refresh_from_db()
    return row


def test_file__removed_while_it_is_imported__is_imported_to_its_end(
    shop: Shop, tmp_path: Path, small_batches: None
) -> None:
    path = written(tmp_path, "people.csv", as_csv(ROWS))
    row = meddled(shop, path, path.unlink)

    assert (row.status, row.stored) == (Import.Status.DONE, len(ROWS))


def test_upload__removed_before_it_is_imported__fails_with_the_reason_and_the_next_one_has_its_turn(
    shop: Shop, tmp_path: Path
) -> None:
    uploads = []
    for name in ("first.csv", "second.csv"):
        draft = written(files.folder(), name, as_csv(ROWS[:10]))
        uploads.append(services.keep_upload(draft, shop.pixel, name, "csv", dry_run=False))
    files.kept_file(uploads[0].pk).unlink()

    while services.work_off():
        pass

    for row in uploads:
        row.refresh_from_db()
    assert [row.status for row in uploads] == [Import.Status.FAILED, Import.Status.DONE]
    assert "No such file" in uploads[0].error
