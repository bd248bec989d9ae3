"""An SFTP server over a folder: each user has a folder of its own there, and the password `<user>-secret`."""

import os
import socket
import threading
from pathlib import Path
from typing import Any

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.sftp import SFTP_OK


class _Access(paramiko.ServerInterface):
    def __init__(self) -> None:
        self.user = ""

    def check_auth_password(self, username: str, password: str) -> int:
        self.user = username
        right = username.isalpha() and password == f"{username}-secret"
        return AUTH_SUCCESSFUL if right else AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 (paramiko's)
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 (paramiko's)
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: Any, root: Path, *_: Any, **__: Any) -> None:
        super().__init__(server)
        self._root = Path(root, server.user)
        self._root.mkdir(exist_ok=True)

    def _path(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def open(self, path: str, flags: int, attr: Any) -> Any:  # noqa: ARG002 (paramiko's)
        try:
            number = os.open(self._path(path), flags, 0o600)
        except OSError as wrong:
            return paramiko.SFTPServer.convert_errno(wrong.errno or 0)
        handle = paramiko.SFTPHandle(flags)
        file = os.fdopen(number, "wb" if flags & os.O_WRONLY else "rb")
        handle.writefile = handle.readfile = file  # type: ignore[attr-defined]  # paramiko reads them by name
        return handle

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._path(path).stat())
        except OSError as wrong:
            return paramiko.SFTPServer.convert_errno(wrong.errno or 0)

    lstat = stat

    def remove(self, path: str) -> int:
        self._path(path).unlink(missing_ok=True)
        return SFTP_OK

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        self._path(oldpath).rename(self._path(newpath))
        return SFTP_OK


class SftpServer:
    """`port` of a server on 127.0.0.1 until `close`; `host_key` is its public-key line."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._key = paramiko.ECDSAKey.generate()
        self.host_key = f"{self._key.get_name()} {self._key.get_base64()}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._session, args=(connection,), daemon=True).start()

    def _session(self, connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transport.add_server_key(self._key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self._root)
        try:
            transport.start_server(server=_Access())
            transport.join()
        except (paramiko.SSHException, EOFError, OSError):
            transport.close()

    def close(self) -> None:
        self._listener.close()
