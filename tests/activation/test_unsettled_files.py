"""Files of which nobody knows whether they arrived: who left since is removed all the same."""

import gzip
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from activation import services
from activation.delivery.lanes import FILES
from activation.models import Activation, Batch, Delivery, Lane
from activation.stores.deliveries import NOBODY
from integrations.models import Platform
from pipeline import deliver
from tests.support.deliverers import Deliverers, deliverers
from tests.support.delivery_stage import DeliveryStage, forget_backoff
from tests.support.platform_trouble import forget_waits
from tests.support.sftp_server import PASSWORD, USER, SftpServer

__all__ = ["deliverers"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    with SftpServer(tmp_path) as server:
        yield server


@pytest.fixture
def files(stage: DeliveryStage, server: SftpServer) -> Platform:
    settings = {"target": "sftp", "host": "127.0.0.1", "port": server.port, "path": "in", "interval_minutes": 1}
    operations = {"operation_column": True, "removal": "operation"}
    credentials = {"username": USER, "password": PASSWORD}
    return stage.shop.platform("files", connector="file", settings=settings | operations, credentials=credentials)


def write(platform: Platform) -> None:
    """As if the interval, and every wait, were over."""
    forget_waits()
    Lane.objects.filter(lane=FILES).update(leased_until=None)
    deliver.work(platform.pl, FILES, lambda: True)


def holds(server: SftpServer) -> set[str]:
    """What the platform holds: every file that arrived whole, one after another."""
    held: set[str] = set()
    arrived = [path for path in server.folder.iterdir() if not path.name.startswith(".")]
    for path in sorted(arrived, key=lambda one: one.stat().st_mtime_ns):
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            x, operation = line.split("\t")
            held = held | {x} if operation == "add" else held - {x}
    return held


def taken_in(server: SftpServer) -> set[str]:
    """What the platform holds, now that it has taken its files away: none is overwritten by a later one."""
    for path in list(server.folder.iterdir()):
        if not path.name.startswith((".", "taken")):
            path.rename(path.with_name(f"taken-{path.stat().st_mtime_ns}"))
    return holds(server)


def members(stage: DeliveryStage, platform: Platform) -> dict[str, UUID]:
    users = {x: stage.user(x, platform) for x in ("x0", "x1", "x2")}
    stage.shop.absorb()
    return users


def test_upload__whose_answer_was_lost__is_taken_back_for_who_leaves_before_the_next(
    stage: DeliveryStage, files: Platform, server: SftpServer
) -> None:
    stage.activation(stage.audience(), files)
    users = members(stage, files)
    server.forgets_to_answer = True
    write(files)
    assert taken_in(server) == {"x0", "x1", "x2"}
    assert set(Delivery.objects.values_list("acknowledged", flat=True)) == {None}

    stage.change(users["x1"], 1)
    server.forgets_to_answer = False
    write(files)

    assert holds(server) == {"x0", "x2"}
    assert not Delivery.objects.filter(due_at__isnull=False).exists()


def test_sender_that_dies_after_its_upload__and_a_round_without_the_activation__nobody_stays(
    stage: DeliveryStage, files: Platform, server: SftpServer, deliverers: Deliverers
) -> None:
    activation = stage.activation(stage.audience(), files)
    stage.activation(stage.audience("huge", 1000), files)
    users = members(stage, files)
    assert deliverers.start(files, DIE="after_upload", LANES=str(FILES), HASTY="").wait(20) == -signal.SIGKILL
    assert taken_in(server) == {"x0", "x1", "x2"}

    services.pause(activation)
    stage.user("rich", files, amount=5000)
    stage.shop.absorb()
    write(files)
    stage.change(users["x1"], 1)
    services.resume(activation)
    write(files)

    assert holds(server) == {"x0", "x2", "rich"}
    assert not Delivery.objects.filter(due_at__isnull=False).exists()
    assert set(Batch.objects.filter(operation="file").values_list("status", flat=True)) == {"unknown", "done"}


def test_activation__ended_while_a_file_of_it_is_unsettled__leaves_nobody(
    stage: DeliveryStage, files: Platform, server: SftpServer, deliverers: Deliverers
) -> None:
    activation = stage.activation(stage.audience(), files)
    members(stage, files)
    assert deliverers.start(files, DIE="after_upload", LANES=str(FILES), HASTY="").wait(20) == -signal.SIGKILL

    services.deactivate(activation)
    stage.shop.absorb()
    assert stage.create(files) == 0
    write(files)
    forget_backoff()
    stage.create(files)

    assert holds(server) == set()
    assert not Activation.objects.filter(id=activation.id).exists()


def test_upload_that_was_refused_for_certain__changes_nothing_and_says_so(
    stage: DeliveryStage, files: Platform, server: SftpServer
) -> None:
    activation = stage.activation(stage.audience(), files)
    users = members(stage, files)
    files.credentials = {**files.credentials, "password": "not-the-one"}
    files.save()
    write(files)
    activation.refresh_from_db()
    assert activation.status == Activation.Status.BROKEN

    stage.change(users["x1"], 1)

    assert stage.delivery("x1").due_at is None


def test_test_of_a_member__who_leaves_before_his_turn__is_taken_back(stage: DeliveryStage, ads: Platform) -> None:
    user = stage.user("x", ads)
    stage.shop.absorb()
    services.test(ads.activations.get(), "x")
    assert stage.held() == {"x"}

    stage.change(user, 1)
    stage.deliver_all(ads)

    assert stage.held() == set()


def test_test_of_a_stranger__whose_removal_fails__is_removed_later(stage: DeliveryStage, ads: Platform) -> None:
    stage.sandbox.faults(target="generic/a", status=500, times=1, applied=True)
    stage.sandbox.faults(target="generic/a", status=500, times=1)

    services.test(ads.activations.get(), "stranger")
    assert stage.held() == {"stranger"}
    forget_waits()
    stage.deliver_all(ads)

    assert stage.held() == set()
    assert stage.delivery("stranger").user_id == NOBODY
