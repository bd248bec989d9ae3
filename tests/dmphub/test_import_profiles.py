"""`manage.py import_profiles`: a file from the command line."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.models import Inbox
from pipeline.imports import reading, services
from pipeline.models import Import
from tests.support.shop import Shop
from tests.support.tables import db

__all__ = ["db"]

PEOPLE = "UserId,City\nC-1,Rome\n,nobody\nC-2,Oslo\n"


@pytest.fixture
def shop(db: None) -> Any:
    shop = Shop()
    yield shop
    shop.absorber.close()


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE, encoding="utf-8")
    return path


def import_profiles(path: Path, shop: Shop, **more: Any) -> str:
    said = StringIO()
    call_command("import_profiles", str(path), pixel=shop.pixel.pk, stdout=said, stderr=said, **more)
    return said.getvalue()


def test_command__on_a_file__stores_good_rows_and_writes_the_errors(shop: Shop, people: Path, tmp_path: Path) -> None:
    said = import_profiles(people, shop, errors=tmp_path / "errors.ndjson")

    assert "2 rows stored, 1 refused" in said
    assert Inbox.objects.count() == 2
    assert json.loads((tmp_path / "errors.ndjson").read_text(encoding="utf-8"))["row"] == 2
    assert people.exists()


def test_command__as_a_dry_run__prints_what_would_change(shop: Shop, people: Path) -> None:
    report = json.loads(import_profiles(people, shop, dry_run=True))

    assert (report["good"], report["bad"], report["new_users"]) == (2, 1, 2)
    assert not Inbox.objects.exists()


def test_command__interrupted_and_given_again__goes_on_where_it_was(
    shop: Shop, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BATCH", 1)
    waited = []

    def interrupt(_: Any) -> None:
        waited.append(1)
        if len(waited) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr("pipeline.backlog.Backpressure.wait", interrupt)
        with pytest.raises(CommandError, match="the same command goes on"):
            import_profiles(people, shop)
    assert Inbox.objects.count() == 1
    assert not services.work_off()  # it is not the importer's

    assert "going on after row 2" in import_profiles(people, shop)
    assert Inbox.objects.count() == 2
    assert Import.objects.get().status == "done"


def test_command__on_a_file_that_changed_since__begins_anew(shop: Shop, people: Path) -> None:
    import_profiles(people, shop)
    people.write_text(PEOPLE + "C-3,Wien\n", encoding="utf-8")

    assert "3 rows stored" in import_profiles(people, shop)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [("people.xls", PEOPLE, "does not say what it is"), ("people.csv", "City\n", "names the user")],
)
def test_command__on_a_file_of_no_use__says_why(shop: Shop, tmp_path: Path, name: str, content: str, why: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")

    with pytest.raises(CommandError, match=why):
        import_profiles(path, shop)


def test_command__without_file_or_pixel__says_so(shop: Shop, people: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no file"):
        import_profiles(tmp_path / "missing.csv", shop)
    with pytest.raises(CommandError, match="no pixel 77"):
        call_command("import_profiles", str(people), pixel=77)
