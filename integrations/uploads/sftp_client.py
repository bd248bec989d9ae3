"""An SFTP client that misses no refusal (draft-ietf-secsh-filexfer-02, which is version 3 of the protocol).

paramiko's `put` does not read the answers to the last writes, nor to the closing: it asks for the size afterwards. Many
servers do not tell it, or take the file away as soon as it is closed. So a full disk would not be seen.
"""

from collections.abc import Callable
from typing import Any, BinaryIO

import paramiko
from paramiko.message import Message
from paramiko.sftp import (
    CMD_CLOSE,
    CMD_HANDLE,
    CMD_OPEN,
    CMD_WRITE,
    SFTP_FAILURE,
    SFTP_FLAG_CREATE,
    SFTP_FLAG_TRUNC,
    SFTP_FLAG_WRITE,
    SFTP_NO_SUCH_FILE,
    SFTP_OK,
    SFTP_OP_UNSUPPORTED,
    SFTP_PERMISSION_DENIED,
    int64,
)

CHUNK = 32_768  # the most that every server takes (§ 3)
MOST_UNDER_WAY = 64
LONGEST_TEXT = 100
_LIBRARYS: Any = paramiko.SFTPClient  # of which parts are used that its types do not name
_NAMES = {
    SFTP_NO_SUCH_FILE: "no such file",
    SFTP_PERMISSION_DENIED: "permission denied",
    SFTP_FAILURE: "failure",
    SFTP_OP_UNSUPPORTED: "operation unsupported",
}
LASTING = frozenset({SFTP_NO_SUCH_FILE, SFTP_PERMISSION_DENIED, SFTP_OP_UNSUPPORTED})
"""What is no better the next time. A full disk is a failure, for which this version has no code of its own."""


class SftpStatusError(Exception):
    """The server answered with another status than OK (§ 7)."""

    def __init__(self, code: int, text: str) -> None:
        known = _NAMES.get(code, f"status {code}")
        said = "".join(sign for sign in text[:LONGEST_TEXT] if sign.isprintable())
        super().__init__(known if said.lower().strip() in {"", known} else f"{known} ({said})")
        self.code = code


class _WriteAnswers:
    """The answers to writes that are under way, in whatever order they come."""

    def __init__(self, client: "UploadClient") -> None:
        self._client = client
        self._failure: SftpStatusError | None = None
        self.under_way = 0

    def _async_response(self, _kind: int, message: Message, _number: int) -> None:
        self.under_way -= 1
        try:
            self._client._convert_status(message)
        except SftpStatusError as refusal:
            self._failure = self._failure or refusal

    def wait(self, most: int) -> None:
        """Wait until so many are under way at most. Raises SftpStatusError for the first write that was refused."""
        while self.under_way > most:
            _LIBRARYS._read_response(self._client)
        if self._failure is not None:
            raise self._failure


class UploadClient(paramiko.SFTPClient):
    """Every call raises SftpStatusError for a refusal, and what paramiko or the socket raise for a broken connection.

    `create`, `write` and `close_file` belong together.
    """

    def _convert_status(self, message: Message) -> None:
        code, text = message.get_int(), message.get_text()
        if code != SFTP_OK:
            raise SftpStatusError(code, text)

    def create(self, path: str) -> bytes:
        """Create the file, or empty the one that is there. Returns its handle."""
        flags = SFTP_FLAG_WRITE | SFTP_FLAG_CREATE | SFTP_FLAG_TRUNC
        kind, message = _LIBRARYS._request(self, CMD_OPEN, path.encode(), flags, paramiko.SFTPAttributes())
        if kind != CMD_HANDLE:
            raise paramiko.SFTPError("the server opened a file and gave no handle")
        handle: bytes = message.get_binary()
        return handle

    def write(self, handle: bytes, source: BinaryIO, on_progress: Callable[[], None]) -> int:
        """Write all of the source, many chunks at once. Returns how many bytes the server has confirmed."""
        answers = _WriteAnswers(self)
        offset = 0
        while chunk := source.read(CHUNK):
            _LIBRARYS._async_request(self, answers, CMD_WRITE, handle, int64(offset), chunk)
            answers.under_way += 1
            offset += len(chunk)
            answers.wait(MOST_UNDER_WAY)
            on_progress()
        answers.wait(0)
        return offset

    def close_file(self, handle: bytes) -> None:
        """Close the file. A server may find out only now that there is no room for it."""
        _LIBRARYS._request(self, CMD_CLOSE, handle)

    def size(self, path: str) -> int | None:
        """Returns the size that the server tells; None where it tells none, or 0, as some do until later."""
        try:
            told: Any = self.stat(path).st_size
        except SftpStatusError:
            return None
        return told or None

    def is_gone(self, path: str) -> bool:
        """Whether the server says that there is no such file."""
        try:
            self.stat(path)
        except SftpStatusError as refusal:
            return refusal.code == SFTP_NO_SUCH_FILE
        return False

    def discard(self, path: str) -> bool:
        """Remove a file. Returns whether it was there and is removed."""
        try:
            self.remove(path)
        except SftpStatusError:
            return False
        return True
