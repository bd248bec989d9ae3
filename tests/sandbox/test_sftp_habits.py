"""Habits of SFTP servers, on demand: seen by paramiko's own client."""

import gzip

import paramiko
import pytest
import requests

from tests.support.sandbox_process import SandboxProcess
from tests.support.sandbox_uploads import sftp

ACCOUNT = "files-a"
NAME = "Mapp_dmp_7_2026_3_1_12_0.tsv.gz"
CONTENT = gzip.compress(b"u1\n")


def write(client: paramiko.SFTPClient, name: str) -> None:
    with client.open(f"/upload/{name}", "wb") as file:
        file.write(CONTENT)


def test_sizes__are_told_as_they_are_asked_for(sandbox: SandboxProcess) -> None:
    told: dict[str, object] = {}
    for habit in ("told", "zero", "absent", "refused"):
        sandbox.sftp_habits(account=ACCOUNT, stat=habit)
        with sftp(sandbox, ACCOUNT) as client:
            write(client, ".x.part")
            try:
                told[habit] = client.stat("/upload/.x.part").st_size
            except PermissionError:
                told[habit] = "permission denied"
    assert told == {"told": len(CONTENT), "zero": 0, "absent": None, "refused": "permission denied"}


@pytest.mark.parametrize(
    ("habit", "extension", "own"),
    [
        ("both", None, None),
        ("plain", OSError, None),
        ("refused", PermissionError, PermissionError),
        ("unsupported", OSError, OSError),
        ("fails", OSError, OSError),
    ],
)
def test_renaming__by_both_requests__does_as_it_is_told(
    sandbox: SandboxProcess, habit: str, extension: type[OSError] | None, own: type[OSError] | None
) -> None:
    sandbox.sftp_habits(account=ACCOUNT, rename=habit)
    with sftp(sandbox, ACCOUNT) as client:
        for rename, raised in ((client.posix_rename, extension), (client.rename, own)):
            write(client, ".x.part")
            if raised is None:
                rename("/upload/.x.part", f"/upload/{rename.__name__}.part")
            else:
                with pytest.raises(raised):
                    rename("/upload/.x.part", "/upload/y.part")


def test_names__with_a_dot__are_refused(sandbox: SandboxProcess) -> None:
    taken: dict[str, list[str]] = {}
    for habit in ("any", "visible", "plain"):
        sandbox.sftp_habits(account=ACCOUNT, names=habit)
        with sftp(sandbox, ACCOUNT) as client:
            for name in (".x.part", "x.part", "x_part"):
                try:
                    write(client, name)
                except PermissionError:
                    continue
                taken[habit] = [*taken.get(habit, []), name]
    assert taken == {"any": [".x.part", "x.part", "x_part"], "visible": ["x.part", "x_part"], "plain": ["x_part"]}


def test_drop_box__takes_files_away_and_processes_them_under_any_name(sandbox: SandboxProcess) -> None:
    sandbox.sftp_habits(account=ACCOUNT, taken=True)
    with sftp(sandbox, ACCOUNT) as client:
        write(client, NAME)
        write(client, ".x.part")
        assert client.listdir("/upload") == []
    held = sandbox.held("files", ACCOUNT)
    assert held["segments"]["7"]["members"] == ["u1"]
    assert [(one["file"], one["status"]) for one in held["files"]] == [(NAME, "processed"), (".x.part", "refused")]


def test_habits__that_are_none__are_refused(sandbox: SandboxProcess) -> None:
    wrong = [
        {"stat": "sometimes"},
        {"account": "a b"},
        {"unknown": 1},
        {"account": "a", "exchanges": ["x"]},
        {"breaks": 1},
    ]
    for order in wrong:
        assert requests.post(f"{sandbox.url}/sftp/habits", json=order, timeout=5).status_code == 400, order
    assert requests.get(f"{sandbox.url}/sftp/habits", timeout=5).json() == []


def test_reset__ends_all_habits(sandbox: SandboxProcess) -> None:
    assert sandbox.sftp_habits(account=ACCOUNT, stat="zero") == [{"account": ACCOUNT, "stat": "zero"}]
    sandbox.reset()
    assert requests.get(f"{sandbox.url}/sftp/habits", timeout=5).json() == []
