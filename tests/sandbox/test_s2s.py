"""Audience files by SFTP, and the log of their processing."""

import gzip
import time
from typing import Any

import paramiko
import pytest
import requests

from tests.support.sandbox_process import SandboxProcess
from tests.support.sandbox_uploads import EXAMPLE, example, put, s2s_text, sftp

ONE = "2c3753c5-9a67-4600-f044-a5d7e0c5f6d7"


def log(sandbox: SandboxProcess, offset: int = 0) -> dict[str, Any]:
    address = f"{sandbox.url}/mediamath/s2s/log"
    answer = requests.get(address, params={"offset": offset}, auth=("foo", "foo-secret"), timeout=5)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_example__uploaded_and_renamed__is_held_and_logged(sandbox: SandboxProcess) -> None:
    with sftp(sandbox, "foo") as client:
        put(client, EXAMPLE, example())
        assert client.listdir("/upload") == [EXAMPLE]
    held = sandbox.held("mediamath-s2s", "foo")
    assert held["display"]["ep"] == {
        "10001": [ONE],
        "10002": ["4a5124c5-aab1-3222-1154-a2d7f2a33ef9", "4e2754c5-5562-4601-1742-a9d7e2c3fef9"],
        "10003": [ONE],
        "10005": [ONE],
    }
    assert held["users"]["ep"][ONE]["10005"] == 1406850980
    assert (held["mobile"], held["unfinished"], held["violations"]) == ({}, [], [])
    (entry,) = log(sandbox)["results"]
    assert entry.items() >= {"file": EXAMPLE, "status": "processed", "rows": 5, "error": None}.items()


def test_upload__under_a_passing_name__is_not_processed_before_it_is_renamed(sandbox: SandboxProcess) -> None:
    with sftp(sandbox, "foo") as client:
        with client.open(f"/{EXAMPLE}.tmp", "wb") as file:
            file.write(gzip.compress(example().encode()))
        assert log(sandbox)["total"] == 0
        assert sandbox.held("mediamath-s2s", "foo")["unfinished"] == [f"/{EXAMPLE}.tmp"]
        client.posix_rename(f"/{EXAMPLE}.tmp", f"/{EXAMPLE}")
    assert log(sandbox)["total"] == 1


def test_file__that_breaks_a_rule__is_refused_in_the_log_with_its_line(sandbox: SandboxProcess) -> None:
    name = "Partner_202601022359.log.gz"
    with sftp(sandbox, "foo") as client:
        put(client, name, s2s_text(name, f"{ONE} 1:0\n{ONE} 2:0\n"))
    (entry,) = log(sandbox)["results"]
    assert (entry["status"], entry["line"]) == ("refused", 10)
    held = sandbox.held("mediamath-s2s", "foo")
    assert held["display"] == {}
    assert held["rejected"] == 1
    assert held["violations"] == [f"{name}, line 10: {entry['error']}"]


def test_files__one_after_another__replay_to_the_wanted_state(sandbox: SandboxProcess) -> None:
    later = int(time.time()) + 3600
    rows = [f"{ONE} 1:0 2:0 3:{later}\n", f"{ONE} 1:-1 4:0\n", f"{ONE} -1 5:0\n"]
    seen = []
    with sftp(sandbox, "foo") as client:
        for minute, row in enumerate(rows):
            name = f"Partner_20260102000{minute}.log.gz"
            put(client, name, s2s_text(name, row))
            seen.append(sorted(sandbox.held("mediamath-s2s", "foo")["display"]["ep"]))
    assert seen == [["1", "2"], ["2", "4"], ["5"]]


def test_mobile__is_held_apart(sandbox: SandboxProcess) -> None:
    name = "Partner_202601020000.log.gz"
    with sftp(sandbox, "foo") as client:
        put(client, name, s2s_text(name, f"{ONE} 1:0\n", Mobile="1"))
    held = sandbox.held("mediamath-s2s", "foo")
    assert (held["display"], held["mobile"]) == ({}, {"ep": {"1": [ONE]}})


def test_quota__more_than_twenty_files_in_an_hour__are_refused(sandbox: SandboxProcess) -> None:
    hour = time.time() // 3600
    with sftp(sandbox, "foo") as client:
        for minute in range(21):
            name = f"Partner_2026010200{minute:02}.log.gz"
            put(client, name, s2s_text(name, f"{ONE} 1:0\n"))
    refused = [entry["error"] for entry in log(sandbox)["results"] if entry["status"] == "refused"]
    assert refused == ["more than 20 files in this hour"] or time.time() // 3600 != hour


def test_name__used_before__is_refused(sandbox: SandboxProcess) -> None:
    with sftp(sandbox, "foo") as client:
        put(client, EXAMPLE, example())
        with client.open(f"/{EXAMPLE}", "wb") as file:
            file.write(gzip.compress(example().encode()))
    assert [entry["status"] for entry in log(sandbox)["results"]] == ["processed", "refused"]
    assert [entry["id"] for entry in log(sandbox, offset=1)["results"]] == [2]


def test_log__without_the_password__is_401(sandbox: SandboxProcess) -> None:
    answer = requests.get(f"{sandbox.url}/mediamath/s2s/log", auth=("foo", "bar-secret"), timeout=5)
    assert answer.status_code == 401


def test_password__wrong__is_not_let_in(sandbox: SandboxProcess) -> None:
    with pytest.raises(paramiko.AuthenticationException), sftp(sandbox, "foo", "wrong"):
        pass


def test_host_key__told__is_the_one_shown(sandbox: SandboxProcess) -> None:
    door = sandbox.sftp_door()
    transport = paramiko.Transport((door["host"], door["port"]))
    try:
        transport.start_client(timeout=10)
        key = transport.get_remote_server_key()
        assert door["host_key"] == f"{key.get_name()} {key.get_base64()}"
    finally:
        transport.close()


def test_fault__status__fails_the_renaming_and_the_next_try_succeeds(sandbox: SandboxProcess) -> None:
    sandbox.faults(target="mediamath-s2s/foo", status=500, times=1)
    with sftp(sandbox, "foo") as client:
        with pytest.raises(OSError, match="Failure"):
            put(client, EXAMPLE, example())
        put(client, EXAMPLE, example())
    held = sandbox.held("mediamath-s2s", "foo")
    assert ([entry["status"] for entry in held["files"]], held["faulted"]) == (["processed"], 1)


def test_fault__drop_for_one_user__breaks_the_connection(sandbox: SandboxProcess) -> None:
    sandbox.faults(target="mediamath-s2s", drop=True, userid=ONE)
    with pytest.raises((OSError, EOFError, paramiko.SSHException)), sftp(sandbox, "foo") as client:
        put(client, EXAMPLE, example())
    assert sandbox.held("mediamath-s2s", "foo")["files"] == []


def test_folders__are_made_listed_and_needed(sandbox: SandboxProcess) -> None:
    with sftp(sandbox, "foo") as client:
        with pytest.raises(FileNotFoundError):
            client.open("/in/x.log.gz.part", "wb")
        client.mkdir("/in")
        client.open("/in/x.log.gz.part", "wb").close()
        assert client.listdir("/in") == ["x.log.gz.part"]
        client.remove("/in/x.log.gz.part")
        assert client.listdir("/in") == []
