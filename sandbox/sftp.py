"""The SFTP server of the sandbox: accounts with passwords, a new host key at each start, files in memory.

A file is processed when it is closed, or renamed to its final name: `*.gz` without a dot before it. The `status` of a
fault lets the renaming fail. If a file was written under its final name, the fault breaks the connection. What else
servers do is ordered by `sandbox.sftp_habits`.
"""

import logging
import os
import posixpath
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED, OPEN_SUCCEEDED
from paramiko.kex_curve25519 import KexCurve25519
from paramiko.message import Message
from paramiko.sftp import (
    CMD_CLOSE,
    SFTP_FAILURE,
    SFTP_NO_SUCH_FILE,
    SFTP_OK,
    SFTP_OP_UNSUPPORTED,
    SFTP_PERMISSION_DENIED,
)

from sandbox.authentication import is_secret_of
from sandbox.files import Folder, Intake, is_finished
from sandbox.s2s import LARGEST_FILE
from sandbox.sftp_habits import HabitsOfAccounts, SftpHabits

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # senders that close the connection are not worth a message

BACKLOG = 50
_TRANSPORT: Any = paramiko.Transport  # of which parts are used that its types do not name
_SERVER: Any = paramiko.SFTPServer
_REFUSALS = {"refused": SFTP_PERMISSION_DENIED, "unsupported": SFTP_OP_UNSUPPORTED, "fails": SFTP_FAILURE}


class SftpDoor:
    """Listens from the start. Raises OSError if the port is taken. Port 0 picks a free one."""

    def __init__(self, intake: Intake, habits: HabitsOfAccounts, host: str, port: int) -> None:
        self._intake = intake
        self._habits = habits
        self._key = paramiko.ECDSAKey.generate()
        self._listener = socket.create_server((host, port), backlog=BACKLOG)
        self._transports: list[paramiko.Transport] = []
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        Thread(target=self._accept, name="sftp", daemon=True).start()

    @property
    def description(self) -> dict[str, str | int]:
        """What a client needs: `{"host", "port", "host_key"}`. The key is an OpenSSH line."""
        key = f"{self._key.get_name()} {self._key.get_base64()}"
        return {"host": self.address[0], "port": self.address[1], "host_key": key}

    def close(self) -> None:
        self._listener.close()
        for transport in self._transports:
            transport.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            with suppress(paramiko.SSHException, OSError, EOFError):
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        transport = _Transport(connection)
        transport.offer(self._habits.exchanges)
        transport.add_server_key(self._key)
        transport.set_subsystem_handler("sftp", _Server, _FolderInterface)
        self._transports = [*filter(paramiko.Transport.is_active, self._transports), transport]
        transport.start_server(event=None, server=_LoginInterface(self._intake, self._habits, transport))


class _Transport(paramiko.Transport):
    """Offers key exchanges by name, also one that this library does not know: then a client must not choose it."""

    _kex_info: Mapping[str, Any] = {**_TRANSPORT._kex_info, "curve25519-sha256": KexCurve25519}
    _preferred_kex: tuple[str, ...] = _TRANSPORT._preferred_kex

    def offer(self, exchanges: list[str] | None) -> None:
        if exchanges is not None:
            self._preferred_kex = tuple(exchanges)


class _Server(paramiko.SFTPServer):
    """Refuses to close a file for which there is no room, which the library does not."""

    def _process(self, kind: int, number: int, message: Message) -> None:
        if kind == CMD_CLOSE:
            handle = message.get_binary()
            opened = self.file_table.get(handle)
            if isinstance(opened, _OpenFile) and opened.is_beyond_room:
                self.file_table.pop(handle)
                _SERVER._send_status(self, number, SFTP_FAILURE, "no space left on device")
                return
            message.rewind()
            message.get_int()
        _SERVER._process(self, kind, number, message)


class _LoginInterface(paramiko.ServerInterface):
    def __init__(self, intake: Intake, habits: HabitsOfAccounts, transport: paramiko.Transport) -> None:
        self.intake = intake
        self.all_habits = habits
        self.transport = transport
        self.account = ""
        self._gone = Event()

    def check_auth_password(self, username: str, password: str) -> int:
        if not is_secret_of(username, password):
            return AUTH_FAILED
        self.account = username
        return AUTH_SUCCESSFUL

    def wait_until_closed(self) -> None:
        """Never answer: until the client has gone."""
        while self.transport.is_active():
            self._gone.wait(0.05)

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class _OpenFile(paramiko.SFTPHandle):
    """An open file. `changed` means that it may have been written to; `is_beyond_room`: to more than there is room."""

    def __init__(self, files: "_FolderInterface", path: str, flags: int) -> None:
        super().__init__(flags)
        self._files = files
        self.path = path
        self.changed = bool(flags & (os.O_WRONLY | os.O_RDWR))
        self.is_beyond_room = False

    def write(self, offset: int, data: "ReadableBuffer") -> int:
        folder, habits = self._files.folder, self._files.habits
        end = offset + len(bytes(data))
        if habits.breaks_after is not None and end > habits.breaks_after and self._files.breaks():
            self._files.hang_up()
            return SFTP_FAILURE
        if habits.room is not None and end > habits.room:
            self.is_beyond_room = habits.full_at == "close"
            if not self.is_beyond_room:
                return SFTP_FAILURE
        with folder.lock:
            content = folder.files.get(self.path)
            if content is None or not self.changed:
                return SFTP_PERMISSION_DENIED
            written = bytes(data)
            if offset + len(written) > LARGEST_FILE:
                return SFTP_FAILURE
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(written)] = written
        return SFTP_OK

    def read(self, offset: int, length: int) -> bytes:
        folder = self._files.folder
        with folder.lock:
            return bytes(folder.files.get(self.path, b"")[offset : offset + length])

    def stat(self) -> paramiko.SFTPAttributes | int:
        return self._files.stat(self.path)

    def chattr(self, attr: paramiko.SFTPAttributes) -> int:
        return SFTP_OK

    def close(self) -> None:
        super().close()
        taken = self._files.habits.taken
        if self.changed and (taken or is_finished(self.path)) and self._files.process(self.path) != SFTP_OK:
            self._files.hang_up()
        if self.changed and taken:
            self._files.take_away(self.path)


class _FolderInterface(paramiko.SFTPServerInterface):
    def __init__(self, server: _LoginInterface) -> None:
        super().__init__(server)
        self._login = server

    @property
    def folder(self) -> Folder:
        return self._login.intake.folder(self._login.account)

    @property
    def habits(self) -> SftpHabits:
        return self._login.all_habits.of(self._login.account)

    def breaks(self) -> bool:
        return self._login.all_habits.breaks(self._login.account)

    def take_away(self, path: str) -> None:
        with self.folder.lock:
            self.folder.files.pop(path, None)

    def hang_up(self) -> None:
        self._login.transport.close()

    def process(self, path: str) -> int:
        """Process a finished file. Return SFTP_FAILURE if a fault acts on it."""
        folder = self.folder
        with folder.lock:
            content = bytes(folder.files.get(path, b""))
        effect = self._login.intake.finished(self._login.account, path, content)
        if effect.drop:
            self.hang_up()
        return SFTP_FAILURE if effect.spoils else SFTP_OK

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> "_OpenFile | int":
        path, folder = _absolute(path), self.folder
        if flags & os.O_CREAT and not self.habits.takes_name(posixpath.basename(path)):
            return SFTP_PERMISSION_DENIED
        with folder.lock:
            if path in folder.folders or posixpath.dirname(path) not in folder.folders:
                return SFTP_NO_SUCH_FILE
            if path not in folder.files and not flags & os.O_CREAT:
                return SFTP_NO_SUCH_FILE
            if path in folder.files and flags & os.O_EXCL:
                return SFTP_FAILURE
            if path not in folder.files or flags & os.O_TRUNC:
                folder.files[path] = bytearray()
        return _OpenFile(self, path, flags)

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        path, folder, told = _absolute(path), self.folder, self.habits.stat
        if told == "refused":
            return SFTP_PERMISSION_DENIED
        with folder.lock:
            found = _attributes(folder, path)
        if isinstance(found, paramiko.SFTPAttributes) and told != "told":
            found.st_size = 0 if told == "zero" else None
        return found

    lstat = stat

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        path, folder = _absolute(path), self.folder
        with folder.lock:
            if path not in folder.folders:
                return SFTP_NO_SUCH_FILE
            inside = sorted({*folder.folders, *folder.files} - {"/"})
            found = [_attributes(folder, name) for name in inside if posixpath.dirname(name) == path]
        return [entry for entry in found if isinstance(entry, paramiko.SFTPAttributes)]

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        path, folder = _absolute(path), self.folder
        with folder.lock:
            if path in folder.files or path in folder.folders or posixpath.dirname(path) not in folder.folders:
                return SFTP_FAILURE
            folder.folders.add(path)
        return SFTP_OK

    def remove(self, path: str) -> int:
        folder = self.folder
        if not self.habits.removal:
            return SFTP_PERMISSION_DENIED
        with folder.lock:
            gone = folder.files.pop(_absolute(path), None)
        return SFTP_NO_SUCH_FILE if gone is None else SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> int:
        """Rename as the protocol does: an existing name is refused."""
        with self.folder.lock:
            taken = _absolute(newpath) in self.folder.files
        return SFTP_FAILURE if taken else self._rename(oldpath, newpath)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        """OpenSSH's extension: an existing name is replaced. A server that lacks it says so."""
        return SFTP_OP_UNSUPPORTED if self.habits.rename == "plain" else self._rename(oldpath, newpath)

    def _rename(self, oldpath: str, newpath: str) -> int:
        habit = self.habits.rename
        if habit in _REFUSALS:
            return _REFUSALS[habit]
        outcome = self._give_name(oldpath, newpath)
        if habit == "hangs":
            self._login.wait_until_closed()
        return outcome

    def _give_name(self, oldpath: str, newpath: str) -> int:
        old, new, folder = _absolute(oldpath), _absolute(newpath), self.folder
        with folder.lock:
            if old not in folder.files or posixpath.dirname(new) not in folder.folders or new in folder.folders:
                return SFTP_NO_SUCH_FILE
            folder.files[new] = folder.files.pop(old)
        if not is_finished(new) or is_finished(old):
            return SFTP_OK
        outcome = self.process(new)
        if outcome != SFTP_OK:
            with folder.lock:
                folder.files[old] = folder.files.pop(new)
        return outcome

    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        return SFTP_OK


def _absolute(path: str) -> str:
    return posixpath.normpath(f"/{path.lstrip('/')}")


def _attributes(folder: Folder, path: str) -> paramiko.SFTPAttributes | int:
    attributes = paramiko.SFTPAttributes()
    attributes.filename = posixpath.basename(path)
    if path in folder.folders:
        attributes.st_mode, attributes.st_size = stat.S_IFDIR | 0o755, 0
    elif path in folder.files:
        attributes.st_mode, attributes.st_size = stat.S_IFREG | 0o644, len(folder.files[path])
    else:
        return SFTP_NO_SUCH_FILE
    return attributes
