"""Imports that are repeated: files of an SFTP server, of a store like S3, of a folder, each imported once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from core import clock
from core.models import Inbox
from integrations.models import Platform
from pipeline.imports import files, schedules, services
from pipeline.models import FetchedFile, Import, ImportSchedule
from tests.support.sandbox_process import SandboxProcess
from tests.support.sftp_server import PASSWORD, USER, SftpServer
from tests.support.shop import Shop

PEOPLE = b"UserId,City\nC-1,Rome\nC-2,Oslo\n"
Put = Callable[[str, bytes], None]


@pytest.fixture(autouse=True)
def _places(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.ALLOW_PRIVATE_TARGETS = True
    settings.FILES_ROOT = tmp_path / "files"
    yield
    for path in files.folder().iterdir():
        path.unlink()


@pytest.fixture(scope="module")
def store() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


def scheduled(shop: Shop, settings: dict[str, Any], credentials: dict[str, str], **more: Any) -> ImportSchedule:
    made = {"customer": shop.customer, "name": "Files", "connector": "file"}
    platform = Platform.objects.create(**made, settings=settings, credentials=credentials)
    values = {"pixel": shop.pixel, "platform": platform, "pattern": "people-*.csv", "due_at": clock.now(), **more}
    return ImportSchedule.objects.create(customer=shop.customer, name="Nightly", **values)


@pytest.fixture(params=["folder", "sftp", "s3"])
def place(request: Any, shop: Shop, tmp_path: Path) -> Iterator[tuple[ImportSchedule, Put]]:
    """A schedule, and what puts a file where it looks."""
    folder = tmp_path / "in"
    folder.mkdir()

    def put(name: str, content: bytes) -> None:
        (folder / name).write_bytes(content)

    if request.param == "folder":
        schedule = scheduled(shop, {"target": "folder", "path": "in"}, {})
        folder = tmp_path / "files" / str(shop.customer.pk) / str(schedule.platform_id) / "in"
        folder.mkdir(parents=True)
        yield schedule, put
    elif request.param == "sftp":
        with SftpServer(folder) as server:
            where = {"target": "sftp", "host": "127.0.0.1", "port": server.port, "path": "in"}
            yield scheduled(shop, where, {"username": USER, "password": PASSWORD}), put
    else:
        sandbox: SandboxProcess = request.getfixturevalue("store")
        where = {"target": "s3", "host": f"{sandbox.url}/s3", "bucket": "drop", "path": "in", "region": "eu-central-1"}
        client: Any = boto3.client(
            "s3",
            endpoint_url=f"{sandbox.url}/s3",
            aws_access_key_id="foo",
            aws_secret_access_key="foo-secret",
            region_name="eu-central-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, proxies={}),
        )
        yield (
            scheduled(shop, where, {"username": "foo", "password": "foo-secret"}),
            lambda name, content: client.put_object(Bucket="drop", Key=f"in/{name}", Body=content),
        )


def look(schedule: ImportSchedule) -> str:
    """Let the schedule look now; returns what was wrong."""
    ImportSchedule.objects.filter(pk=schedule.pk).update(due_at=clock.now())
    assert schedules.run_due()
    assert not schedules.run_due()
    schedule.refresh_from_db()
    return schedule.error


def test_files__that_fit_the_pattern__are_imported_once_each(place: tuple[ImportSchedule, Put]) -> None:
    schedule, put = place
    put("people-1.csv", PEOPLE)
    put("other.csv", PEOPLE)
    put("people-2.csv.part", PEOPLE)
    put(".people-3.csv", PEOPLE)

    assert look(schedule) == ""
    assert look(schedule) == ""
    assert [row.name for row in Import.objects.all()] == ["people-1.csv"]

    put("people-1.csv", PEOPLE + b"C-3,Ulm\n")  # the same name, another content
    put("people-2.csv", PEOPLE)  # the same content, another name
    assert look(schedule) == ""
    assert look(schedule) == ""

    assert sorted(row.name for row in Import.objects.all()) == ["people-1.csv", "people-1.csv", "people-2.csv"]
    assert FetchedFile.objects.count() == 3
    while services.work_off():
        pass
    assert {row.status for row in Import.objects.all()} == {"done"}
    assert Inbox.objects.count() == 2 + 3 + 2


def test_fetching__that_dies_before_the_import_is_made__fetches_again_and_imports_once(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = scheduled(shop, {"target": "folder", "path": ""}, {})
    folder = tmp_path / "files" / str(shop.customer.pk) / str(schedule.platform_id)
    folder.mkdir(parents=True)
    (folder / "people-1.csv").write_bytes(PEOPLE)
    rename = Path.rename

    def die(self: Path, target: Path) -> Path:
        rename(self, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", die)
        with pytest.raises(KeyboardInterrupt):
            schedules.run_due()
    assert not Import.objects.exists()
    assert not FetchedFile.objects.exists()

    assert look(schedule) == ""

    assert Import.objects.count() == FetchedFile.objects.count() == 1


def test_credentials__given_for_another_server__are_not_sent(shop: Shop, tmp_path: Path) -> None:
    with SftpServer(tmp_path) as server, SftpServer(tmp_path) as other:
        where = {"target": "sftp", "host": "127.0.0.1", "port": server.port, "path": ""}
        schedule = scheduled(shop, where, {"username": USER, "password": PASSWORD})
        Platform.objects.filter(pk=schedule.platform_id).update(settings={**where, "port": other.port})

        assert "enter them again" in look(schedule)
        assert other.log_ins == 0


def test_server__inside_the_private_network__is_not_called(shop: Shop, tmp_path: Path, settings: Any) -> None:
    settings.ALLOW_PRIVATE_TARGETS = False
    with SftpServer(tmp_path) as server:
        where = {"target": "sftp", "host": "127.0.0.1", "port": server.port, "path": ""}
        schedule = scheduled(shop, where, {"username": USER, "password": PASSWORD})

        assert "private network" in look(schedule)
        assert server.log_ins == 0
