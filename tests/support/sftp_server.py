"""A file server that speaks SFTP, in this process: with a key of its own, an account, and faults."""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.sftp import SFTP_FAILURE, SFTP_OK

from tests.support.listening import accepted

USER, PASSWORD = "ads", "ads-secret"


class SftpServer:
    """`with SftpServer(folder) as server:`; `dies_after`: bytes of an upload after which it hangs up.

    `forgets_to_answer`: it renames files, and hangs up. `on_open` is called when a file is opened. `log_ins`: how often
    somebody tried to log in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key: paramiko.PKey = paramiko.ECDSAKey.generate(bits=256)
        self.dies_after: int | None = None
        self.forgets_to_answer = False
        self.log_ins = 0
        self.on_open: Callable[[], None] = lambda: None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> "SftpServer":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def key_line(self) -> str:
        return f"{self.key.get_name()} {self.key.get_base64()}"

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}

    def _serve(self) -> None:
        for connection in accepted(self._listener):
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _ServedFolder, self, transport)
            try:
                transport.start_server(server=_Account(self))
            except (paramiko.SSHException, EOFError, OSError):
                transport.close()


class _Account(paramiko.ServerInterface):
    def __init__(self, owner: SftpServer) -> None:
        super().__init__()
        self._owner = owner

    def check_auth_password(self, username: str, password: str) -> int:
        self._owner.log_ins += 1
        known = (username, password) == (USER, PASSWORD)
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED


class _ServedFolder(paramiko.SFTPServerInterface):
    def __init__(self, server: Any, owner: SftpServer, transport: paramiko.Transport) -> None:
        super().__init__(server)
        self._owner, self._transport = owner, transport

    def _place(self, path: str) -> Path:
        return self._owner.folder / Path(path).name

    def open(self, path: str, flags: int, attr: Any) -> Any:
        handle = _Handle(self._owner, self._transport, flags)
        self._owner.on_open()
        handle.file = self._place(path).open("wb" if flags & os.O_WRONLY else "rb")
        handle.readfile = None if flags & os.O_WRONLY else handle.file
        return handle

    def list_folder(self, path: str) -> Any:
        return [paramiko.SFTPAttributes.from_stat(one.stat(), one.name) for one in self._owner.folder.iterdir()]

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._place(path).stat())
        except OSError as failure:
            return paramiko.SFTPServer.convert_errno(failure.errno or 0)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        self._place(oldpath).replace(self._place(newpath))
        if self._owner.forgets_to_answer:
            self._transport.close()
        return SFTP_OK

    def remove(self, path: str) -> int:
        self._place(path).unlink(missing_ok=True)
        return SFTP_OK


class _Handle(paramiko.SFTPHandle):
    def __init__(self, owner: SftpServer, transport: paramiko.Transport, flags: int) -> None:
        super().__init__(flags)
        self._owner, self._transport = owner, transport
        self.file: Any = None
        self.readfile: Any = None
        self._written = 0

    def write(self, offset: int, data: Any) -> int:
        self._written += len(data)
        if self._owner.dies_after is not None and self._written > self._owner.dies_after:
            self._transport.close()
            return SFTP_FAILURE
        self.file.seek(offset)
        self.file.write(data)
        return SFTP_OK

    def stat(self) -> Any:
        self.file.flush()
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.file.fileno()))

    def close(self) -> None:
        super().close()
        self.file.close()
