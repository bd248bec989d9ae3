"""Files by SFTP: whole or not at all, and only to the server that is known."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from django.db import connection

from activation.delivery.lanes import FILES
from activation.models import Activation, DeadLetter, Delivery, HostKey
from integrations.models import Platform
from pipeline import deliver
from tests.support.delivery_stage import DeliveryStage, forget_backoff
from tests.support.sftp_server import PASSWORD, USER, SftpServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    with SftpServer(tmp_path) as server:
        yield server


@pytest.fixture
def ads(stage: DeliveryStage, server: SftpServer) -> Platform:
    """A platform with three members to tell it of."""
    settings = {"target": "sftp", "host": "127.0.0.1", "port": server.port, "path": "in", "interval_minutes": 1}
    credentials = {"username": USER, "password": PASSWORD}
    platform = stage.shop.platform("files", connector="file", settings=settings, credentials=credentials)
    stage.activation(stage.audience(), platform)
    for x in ("x0", "x1", "x2"):
        stage.user(x, platform)
    stage.shop.absorb()
    return platform


def write(platform: Platform) -> None:
    forget_backoff()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE lane SET leased_until = NULL WHERE lane = %s", [FILES])
    deliver.work(platform.pl, FILES, lambda: True)


def test_upload__arrives_whole_under_its_own_name_and_pins_the_key(ads: Platform, server: SftpServer) -> None:
    write(ads)

    [name] = server.files()
    assert sorted(gzip.decompress((server.folder / name).read_bytes()).split()) == [b"x0", b"x1", b"x2"]
    assert dict(HostKey.objects.values_list("host", "key")) == {f"127.0.0.1:{server.port}": server.key_line}
    assert Delivery.objects.filter(acknowledged=True).count() == 3


def test_server_that_dies_in_the_middle__gets_the_file_later(ads: Platform, server: SftpServer) -> None:
    server.dies_after = 10
    write(ads)
    assert not any(not name.startswith(".") for name in server.files())
    assert not Delivery.objects.filter(acknowledged=True).exists()
    assert set(Delivery.objects.values_list("attempts", "dead")) == {(0, False)}

    server.dies_after = None
    write(ads)
    assert [name for name in server.files() if not name.startswith(".")] != []
    assert Delivery.objects.filter(acknowledged=True).count() == 3
    assert not DeadLetter.objects.exists()


def test_host_key_that_changed__breaks_the_activation_and_sends_no_password(ads: Platform, server: SftpServer) -> None:
    HostKey.objects.create(
        platform_id=ads.pl, host=f"127.0.0.1:{server.port}", key=server.key_line, seen_at="2026-01-01T00:00:00Z"
    )
    server.key = paramiko.ECDSAKey.generate(bits=256)

    write(ads)

    activation = Activation.objects.get()
    assert activation.status == Activation.Status.BROKEN
    assert "another host key" in activation.last_error
    assert server.files() == set()

    ads.credentials = {**ads.credentials, "host_key": server.key_line}
    ads.save()
    write(ads)
    assert len(server.files()) == 1


def test_wrong_password__breaks_the_activation(ads: Platform, server: SftpServer) -> None:
    ads.credentials = {**ads.credentials, "password": "not-the-one"}
    ads.save()

    write(ads)

    activation = Activation.objects.get()
    assert (activation.status, "log-in" in activation.last_error) == (Activation.Status.BROKEN, True)
    assert "not-the-one" not in activation.last_error
