"""Files: what changed, written in a stream, where it belongs, and nothing twice."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from activation import services
from activation.delivery.lanes import FILES
from activation.models import Activation, Batch, DeadLetter
from core import buckets
from integrations.models import Platform
from integrations.validation import check_connector
from pipeline import deliver
from tests.support.delivery_stage import DeliveryStage

PLATFORM = 4711


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.FILES_ROOT = tmp_path
    return tmp_path / "1" / str(PLATFORM) / "ads"


def file_platform(stage: DeliveryStage, **more: Any) -> Platform:
    settings = {"target": "folder", "path": "ads", "interval_minutes": 1, **more}
    return stage.shop.platform("files", connector="file", settings=settings, pl=PLATFORM)


def write(platform: Platform) -> int:
    """As if the interval were over."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE lane SET leased_until = NULL WHERE lane = %s", [FILES])
    return deliver.work(platform.pl, FILES, lambda: True)


def texts(folder: Path) -> dict[str, list[str]]:
    """The lines of every file, by its name."""
    return {path.name: gzip.decompress(path.read_bytes()).decode().splitlines() for path in folder.iterdir()}


def test_file__holds_what_changed_and_nothing_else(stage: DeliveryStage, folder: Path) -> None:
    ads = file_platform(stage, operation_column=True, removal="operation")
    activation = stage.activation(stage.audience(), ads)
    users = {f"x{number}": stage.user(f"x{number}", ads) for number in range(30)}
    stage.shop.absorb()

    assert write(ads) == 30
    [(name, lines)] = texts(folder).items()
    assert name.startswith(f"Mapp_dmp_{activation.segment_id}_20")
    assert name.endswith(".tsv.gz")
    assert sorted(lines) == sorted(f"{x}\tadd" for x in users)
    assert write(ads) == 0

    stage.change(users["x3"], 1)
    assert write(ads) == 1
    assert sorted(line for lines in texts(folder).values() for line in lines if "remove" in line) == ["x3\tremove"]
    assert services.counts(activation) | {"kept": 0} == {
        "wanted": 29,
        "acknowledged": 29,
        "due": 0,
        "waiting_for_mapping": 0,
        "dead": 0,
        "kept": 0,
    }
    assert set(Batch.objects.filter(operation="file").values_list("status", flat=True)) == {"done"}


def test_file__one_a_segment_and_no_more_than_one_round_an_interval(stage: DeliveryStage, folder: Path) -> None:
    ads = file_platform(stage, interval_minutes=60)  # longer than the test takes, however busy the machine is
    first = stage.activation(stage.audience("big"), ads)
    second = stage.activation(stage.audience("huge", 1000), ads)
    stage.user("x", ads, amount=500)
    stage.user("y", ads, amount=5000)
    stage.shop.absorb()

    assert write(ads) == 3
    found = {name.split("_")[2]: sorted(lines) for name, lines in texts(folder).items()}
    assert found == {str(first.segment_id): ["x", "y"], str(second.segment_id): ["y"]}

    stage.user("z", ads)
    stage.shop.absorb()
    assert deliver.work(ads.pl, FILES, lambda: True) == 0


@pytest.mark.parametrize("bad", ["bad\tid", "bad\nid", "\nbad", "bad\n", "\n"])
def test_file__an_id_that_breaks_the_line__is_dead_and_the_others_go(
    stage: DeliveryStage, folder: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    monkeypatch.setattr(buckets, "of_value", lambda _: 7)  # all in one list
    ads = file_platform(stage)
    stage.activation(stage.audience(), ads)
    for x in ("good", bad, "better"):
        stage.user(x, ads)
    stage.shop.absorb()

    write(ads)

    assert sorted(line for lines in texts(folder).values() for line in lines) == ["better", "good"]
    assert list(DeadLetter.objects.values_list("platform_user_id", flat=True)) == [bad]


def test_leavers__where_the_platform_cannot_be_told__stay_and_are_shown(stage: DeliveryStage, folder: Path) -> None:
    ads = file_platform(stage)
    activation = stage.activation(stage.audience(), ads)
    user = stage.user("x", ads)
    stage.shop.absorb()
    write(ads)

    stage.change(user, 1)
    write(ads)

    assert services.counts(activation)["kept"] == 1
    assert services.counts(activation)["due"] == 0


@pytest.mark.parametrize("path", ["../elsewhere", "a/../../b"])
def test_path__out_of_the_folder__is_refused_when_saved(path: str) -> None:
    with pytest.raises(ValidationError, match="inside"):
        check_connector("file", {"target": "folder", "path": path}, {})


def test_path__out_of_the_folder_by_a_link__writes_nothing(stage: DeliveryStage, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / "outside"
    outside.mkdir(exist_ok=True)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(outside)
    ads = file_platform(stage)
    activation = stage.activation(stage.audience(), ads)
    stage.user("x", ads)
    stage.shop.absorb()

    write(ads)

    assert list(outside.iterdir()) == []
    activation.refresh_from_db()
    assert (activation.status, "out of the platform" in activation.last_error) == (Activation.Status.BROKEN, True)
