"""A check asks: it connects, logs in, writes and removes a file, and says what it found, or that nobody was asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from integrations.checks import NOBODY, try_connector
from integrations.connectors.file.connector import FileDrop
from integrations.connectors.http.connector import HttpConnector
from integrations.connectors.mediamath_event.connector import MediaMathEvent
from integrations.uploads.folder import FileOwner
from tests.activation.conftest import private_targets
from tests.sandbox.conftest import running_sandbox, sandbox
from tests.support.edge_process import free_port
from tests.support.sandbox_process import SandboxProcess
from tests.support.sftp_server import PASSWORD, USER, SftpServer

__all__ = ["private_targets", "running_sandbox", "sandbox"]

CALL = {"method": "POST", "url": "https://ads.example/{{segment_id}}/{{userid}}"}

OWNER = FileOwner(1, 7)


@pytest.fixture
def server(tmp_path: Path, private_targets: Any) -> Iterator[SftpServer]:
    with SftpServer(tmp_path) as server:
        yield server


def at(server: SftpServer, **more: str) -> FileDrop:
    settings = {"target": "sftp", "host": "127.0.0.1", "port": server.port, "path": "in"}
    return FileDrop(settings, {"username": USER, "password": PASSWORD} | more)


def test_sftp__writes_a_file_and_removes_it_and_says_which_server_it_was(server: SftpServer) -> None:
    written = list[set[str]]()
    server.on_open = lambda: written.append(server.files())
    result = try_connector(at(server), {})

    assert (result["ok"], len(written)) == (True, 1)
    key, log_in, file = result["found"]
    assert server.key_line in key
    assert USER in log_in
    assert "removed" in file
    assert server.files() == set()


@pytest.mark.parametrize("where", ["settings", "kept"])
def test_sftp__another_servers_host_key__is_refused_before_the_password_is_sent(server: SftpServer, where: str) -> None:
    other = paramiko.ECDSAKey.generate(bits=256)
    line = f"{other.get_name()} {other.get_base64()}"
    ready = at(server, host_key=line) if where == "settings" else at(server)
    result = try_connector(ready, {} if where == "settings" else {f"127.0.0.1:{server.port}": line})

    assert not result["ok"]
    assert "another host key" in result["error"]
    assert server.log_ins == 0

    known = try_connector(at(server, host_key=server.key_line), {})
    assert known["ok"]
    assert "known by" in known["found"][0]


def test_sftp__wrong_password__is_told_without_the_password(server: SftpServer) -> None:
    result = try_connector(at(server, password="not-the-one"), {})
    assert not result["ok"]
    assert "log-in" in result["error"]
    assert "not-the-one" not in str(result)
    assert "host key" in result["found"][0]


def test_sftp__nobody_there__is_told(private_targets: Any) -> None:
    settings = {"target": "sftp", "host": "127.0.0.1", "port": free_port(), "path": ""}
    result = try_connector(FileDrop(settings, {"username": USER, "password": PASSWORD}), {})
    assert not result["ok"]
    assert "could not be reached" in result["error"]


def test_folder__is_written_into(settings: Any, tmp_path: Path) -> None:
    settings.FILES_ROOT = tmp_path
    result = try_connector(FileDrop({"target": "folder", "path": "a/b"}, {}), {}, OWNER)
    assert result["ok"]
    assert "“1/7/a/b”" in result["found"][0]
    assert list((tmp_path / "1" / "7" / "a" / "b").iterdir()) == []
    assert try_connector(FileDrop({"target": "folder", "path": "a/b"}, {}), {})["ok"]

    (tmp_path / "1" / "7" / "file").write_text("in the way")
    result = try_connector(FileDrop({"target": "folder", "path": "file"}, {}), {}, OWNER)
    assert not result["ok"]
    assert not try_connector(FileDrop({"target": "folder", "path": "../8"}, {}), {}, OWNER)["ok"]


@pytest.mark.parametrize(("secret", "ok"), [("foo-secret", True), ("wrong", False)])
def test_object_store__takes_an_object_and_gives_it_up(
    sandbox: SandboxProcess, private_targets: Any, secret: str, ok: bool
) -> None:
    settings = {"target": "s3", "host": f"{sandbox.url}/s3", "bucket": "drop", "path": "in", "region": "eu-central-1"}
    result = try_connector(FileDrop(settings, {"username": "foo", "password": secret}), {})
    assert result["ok"] is ok, result
    assert not ok or "removed" in result["found"][-1]
    held = sandbox.held("files", "foo") if ok else {"unfinished": [], "violations": []}
    assert (held["unfinished"], held["violations"]) == ([], [])


def test_platform_that_cannot_be_asked__is_said_to_be_so() -> None:
    result = try_connector(MediaMathEvent({"advertiser_id": 1}, {}), {})
    assert (result["ok"], result["asked"], result["found"]) == (True, 0, [NOBODY])
    result = try_connector(HttpConnector({"add": CALL, "strategy": "no_batch", "removal": "none"}, {}), {})
    assert (result["ok"], result["asked"]) == (True, 0)


def test_generic_platform__is_asked_by_the_request_that_its_settings_name(
    sandbox: SandboxProcess, private_targets: Any
) -> None:
    for path, ok in (("/state", True), ("/nowhere", False)):
        check = {"method": "GET", "url": sandbox.url + path}
        settings = {"add": CALL, "strategy": "no_batch", "removal": "none", "check": check}
        HttpConnector.validate_settings(settings)
        result = try_connector(HttpConnector(settings, {}), {})
        assert (result["ok"], result["asked"]) == (ok, int(ok))
