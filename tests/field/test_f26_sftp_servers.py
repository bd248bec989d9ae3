"""F26, F27, F35: SFTP servers as they are. A file arrives whole, or somebody reads why not; nothing is left behind."""

from typing import Any

import pytest
from django.db import connection

from activation.delivery.lanes import FILES
from activation.models import Activation, Batch, Delivery
from integrations.connectors.file.connector import FileDrop
from integrations.models import Platform
from integrations.services import check
from pipeline import deliver
from tests.activation.conftest import private_targets, running_sandbox, sandbox, shop, stage
from tests.support.delivery_stage import DeliveryStage, forget_backoff
from tests.support.sandbox_process import SandboxProcess
from tests.support.tables import db

__all__ = ["db", "private_targets", "running_sandbox", "sandbox", "shop", "stage"]

ACCOUNT = "files-a"
MEMBERS = ["x0", "x1", "x2"]


@pytest.fixture
def files(stage: DeliveryStage) -> Platform:
    """A platform that takes files, with three members to tell it of."""
    return platform_of(stage)


def platform_of(stage: DeliveryStage, **settings: Any) -> Platform:
    door = stage.sandbox.sftp_door()
    where = {"target": "sftp", "host": door["host"], "port": door["port"], "path": "/upload", "interval_minutes": 1}
    user, password = stage.sandbox.credentials(ACCOUNT)
    credentials = {"username": user, "password": password, "host_key": door["host_key"]}
    platform = stage.shop.platform("files", connector="file", settings={**where, **settings}, credentials=credentials)
    stage.activation(stage.audience(), platform)
    for member in MEMBERS:
        stage.user(member, platform)
    stage.shop.absorb()
    return platform


def write(platform: Platform) -> Activation:
    """One round of files, as if the interval were over. Returns the activation as it is after that."""
    forget_backoff()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE lane SET leased_until = NULL WHERE lane = %s", [FILES])
    deliver.work(platform.pl, FILES, lambda: True)
    return Activation.objects.get()


def held(sandbox: SandboxProcess) -> tuple[list[str], list[str]]:
    """The members that the platform has, and the names of what lies there and is no finished file."""
    account = sandbox.held("files", ACCOUNT)
    return sorted({x for one in account["segments"].values() for x in one["members"]}), account["unfinished"]


def acknowledged() -> int:
    return Delivery.objects.filter(acknowledged=True).count()


HABITS: list[dict[str, Any]] = [
    {"stat": "refused"},
    {"stat": "zero"},
    {"stat": "absent"},
    {"rename": "plain"},
    {"names": "visible"},
    {"removal": False},
    {"names": "visible", "stat": "refused", "rename": "plain", "removal": False},
    {"exchanges": ["diffie-hellman-group14-sha256"]},
    {"exchanges": ["curve25519-sha256"]},
    {"exchanges": ["mlkem768x25519-sha256"]},
]


def test_f26__server_that_lacks_something__gets_the_file_all_the_same(
    stage: DeliveryStage, files: Platform, sandbox: SandboxProcess
) -> None:
    for number, habits in enumerate(HABITS):
        sandbox.sftp_habits(**habits)
        stage.user(f"y{number}", files)
        stage.shop.absorb()

        activation = write(files)

        members, unfinished = held(sandbox)
        assert (f"y{number}" in members, unfinished) == (True, []), habits
        assert (activation.status, activation.last_error) == (Activation.Status.LIVE, ""), habits
    assert acknowledged() == len(MEMBERS) + len(HABITS)


def test_f26__drop_box__gets_each_file_under_its_own_name(stage: DeliveryStage, sandbox: SandboxProcess) -> None:
    platform = platform_of(stage, drop_box=True)
    sandbox.sftp_habits(account=ACCOUNT, taken=True, stat="refused", rename="refused", names="visible", removal=False)

    activation = write(platform)

    assert (held(sandbox), acknowledged()) == ((MEMBERS, []), 3)
    assert (activation.status, activation.last_error) == (Activation.Status.LIVE, "")
    assert [one["status"] for one in sandbox.held("files", ACCOUNT)["files"]] == ["processed"]


def test_f26__drop_box_without_the_setting__breaks_and_names_it(files: Platform, sandbox: SandboxProcess) -> None:
    """What became of the file is not known: its rows are sent again, as they are wanted by then."""
    sandbox.sftp_habits(account=ACCOUNT, taken=True)

    activation = write(files)

    assert activation.status == Activation.Status.BROKEN
    assert "drop_box" in activation.last_error
    assert (acknowledged(), held(sandbox)[1]) == (0, [])
    assert not Delivery.objects.filter(acknowledged=False).exists()  # null: it is not known

    sandbox.reset()
    files.settings = {**files.settings, "drop_box": True}
    files.save()
    write(files)
    assert (held(sandbox)[0], acknowledged()) == (MEMBERS, 3)


@pytest.mark.parametrize("habit", ["refused", "unsupported"])
def test_f27__server_that_does_not_rename__is_left_clean_and_breaks(
    files: Platform, sandbox: SandboxProcess, habit: str
) -> None:
    sandbox.sftp_habits(account=ACCOUNT, rename=habit)

    activation = write(files)

    assert activation.status == Activation.Status.BROKEN
    assert "does not rename" in activation.last_error
    assert held(sandbox) == ([], [])


def test_f27__renaming_that_fails_for_a_while__is_said_and_tried_again(
    files: Platform, sandbox: SandboxProcess
) -> None:
    sandbox.sftp_habits(account=ACCOUNT, rename="fails")
    for _ in range(3):
        activation = write(files)
        assert (activation.status, held(sandbox)) == (Activation.Status.LIVE, ([], []))
        assert "does not rename" in activation.last_error

    sandbox.sftp_habits(account=ACCOUNT)
    assert write(files).last_error == ""
    assert (held(sandbox), acknowledged()) == ((MEMBERS, []), 3)


def test_full_disk__is_seen_and_nothing_is_left(files: Platform, sandbox: SandboxProcess) -> None:
    for full_at in ("write", "close"):
        for stat in ("told", "refused"):
            sandbox.sftp_habits(account=ACCOUNT, room=5, full_at=full_at, stat=stat)
            activation = write(files)
            assert (activation.status, held(sandbox), acknowledged()) == (Activation.Status.LIVE, ([], []), 0)
            assert "failure" in activation.last_error

    sandbox.sftp_habits(account=ACCOUNT)
    write(files)
    assert (held(sandbox), acknowledged()) == ((MEMBERS, []), 3)


def test_full_disk__of_a_drop_box__is_not_taken_for_success(stage: DeliveryStage, sandbox: SandboxProcess) -> None:
    platform = platform_of(stage, drop_box=True)
    sandbox.sftp_habits(account=ACCOUNT, room=5, full_at="close", stat="refused")
    activation = write(platform)
    assert (acknowledged(), "failure" in activation.last_error) == (0, True)
    assert held(sandbox) == ([], [])


def test_renaming_that_hangs__is_unknown_until_a_later_file_settles_it(
    files: Platform, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileDrop, "timeout", 0.7)
    sandbox.sftp_habits(account=ACCOUNT, rename="hangs")
    activation = write(files)
    assert Batch.objects.get(operation="file").status == Batch.Status.UNKNOWN
    assert (acknowledged(), activation.status) == (0, Activation.Status.LIVE)
    assert not Delivery.objects.filter(acknowledged=False).exists()
    assert "broke off while the file was renamed" in activation.last_error

    sandbox.sftp_habits(account=ACCOUNT)
    write(files)
    assert (held(sandbox), acknowledged()) == ((MEMBERS, []), 3)


@pytest.mark.parametrize("names", ["any", "visible"])
def test_connection_that_breaks__leaves_a_part_that_the_next_upload_removes(
    files: Platform, sandbox: SandboxProcess, names: str
) -> None:
    sandbox.sftp_habits(account=ACCOUNT, breaks_after=5, breaks=1, names=names)
    write(files)
    assert len(held(sandbox)[1]) == 1
    assert acknowledged() == 0

    write(files)

    assert (held(sandbox), acknowledged()) == ((MEMBERS, []), 3)
    assert "removed by a later upload" in Batch.objects.get(status=Batch.Status.UNKNOWN).response_excerpt


def test_exchanges__of_which_none_fits__are_named(files: Platform, sandbox: SandboxProcess) -> None:
    sandbox.sftp_habits(exchanges=["diffie-hellman-group1-sha1", "sntrup761x25519-sha512"])

    activation = write(files)

    assert activation.status == Activation.Status.BROKEN
    assert "diffie-hellman-group1-sha1, sntrup761x25519-sha512" in activation.last_error


CHECKS: list[tuple[dict[str, Any], dict[str, Any], bool, str]] = [
    ({}, {}, True, "renamed and removed"),
    ({"stat": "refused"}, {}, True, "does not tell the size"),
    ({"names": "visible"}, {}, True, "refuses names that begin with a dot"),
    ({"removal": False}, {}, True, "but not removed"),
    ({"rename": "refused"}, {}, False, "does not rename"),
    ({"taken": True}, {}, False, "took the file away"),
    ({"room": 2}, {}, False, "refuses to write"),
    ({"taken": True, "stat": "refused"}, {"drop_box": True}, True, "is a drop box: nothing was written"),
]


def test_check__of_a_file_server__says_what_it_found(stage: DeliveryStage, sandbox: SandboxProcess) -> None:
    platform = platform_of(stage)
    usual = platform.settings
    for habits, given, is_good, said in CHECKS:
        platform.settings = {**usual, **given}
        sandbox.sftp_habits(account=ACCOUNT, **habits)

        found = check(platform)

        assert found["ok"] is is_good, (habits, found)
        assert said in " ".join([*found["found"], found.get("error", "")]), habits
        if habits.get("removal", True):
            assert held(sandbox)[1] == []
        else:
            stage.sandbox.reset()


def test_f35__check__with_another_servers_key__is_refused(stage: DeliveryStage, sandbox: SandboxProcess) -> None:
    platform = platform_of(stage)
    platform.credentials = {**platform.credentials, "host_key": "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY="}
    platform.save()

    found = check(platform)

    assert (found["ok"], "another host key" in found["error"]) == (False, True)
