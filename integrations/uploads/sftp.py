"""Uploading by SFTP: to a checked address, to a server with the expected key, first under a temporary name."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import paramiko

from integrations import addresses
from integrations.connectors.files import SftpDestination
from integrations.deadline import Deadline
from integrations.errors import MisconfiguredError, RetriableError, UnauthorizedError
from integrations.uploads.sftp_client import UploadClient
from integrations.uploads.sftp_files import BROKEN, SftpFolder
from integrations.uploads.sftp_transport import UploadTransport
from integrations.uploads.sftp_trial import try_folder

KEY_TYPES: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


class Uploaded(NamedTuple):
    """The key line of the server, and the files of which something was left there and is removed now."""

    key: str
    removed: Sequence[str] = ()


def upload(
    to: SftpDestination,
    path: Path,
    name: str,
    known_key: str,
    on_progress: Callable[[], None],
    deadline: Deadline,
    left_behind: Sequence[str] = (),
) -> Uploaded:
    """Upload the file. The key is `to.host_key`, `known_key`, or the first key seen.

    `left_behind`: files whose uploads may have left something there, by name. The deadline shuts the connection down,
    whatever the server does. Raises `integrations.errors`.
    """
    with _transport(to, known_key, deadline) as transport:
        key = _known_server(transport, to, known_key)
        _log_in(transport, to)
        folder = SftpFolder(_client(transport, to, deadline), to)
        removed = [] if to.drop_box else folder.remove_left_behind(left_behind)
        folder.put(path, name, on_progress)
        return Uploaded(key, removed)


def try_out(to: SftpDestination, name: str, known_key: str, found: list[str], deadline: Deadline) -> None:
    """Connect, compare the host key, log in, and try what an upload does. Raises `integrations.errors`."""
    with _transport(to, known_key, deadline) as transport:
        key = _known_server(transport, to, known_key)
        known = "it is known by" if to.host_key or known_key else f"{key}, which the first upload will keep"
        found.append(f"the server {to.address} shows the host key {known}")
        _log_in(transport, to)
        found.append(f"it accepts the log-in of “{to.username}”")
        try_folder(SftpFolder(_client(transport, to, deadline), to), to, name, found)


@contextmanager
def session(to: SftpDestination, known_key: str, deadline: Deadline) -> Iterator[tuple[paramiko.SFTPClient, str]]:
    """Connect and log in. Gives the client, and the key line of the server. Raises `integrations.errors`."""
    with _transport(to, known_key, deadline) as transport:
        key = _known_server(transport, to, known_key)
        _log_in(transport, to)
        client = paramiko.SFTPClient.from_transport(transport)  # for reading: an end of file is no refusal to it
        if client is None:
            raise RetriableError(f"the server {to.host} opens no SFTP session")
        channel = client.get_channel()
        if channel is not None:
            channel.settimeout(deadline.left)
        yield client, key


@contextmanager
def _transport(to: SftpDestination, known_key: str, deadline: Deadline) -> Iterator[UploadTransport]:
    connected = addresses.connect(to.host, to.port, deadline)
    transport: UploadTransport | None = None
    try:
        transport = UploadTransport(connected)
        transport.prefer_key_of(to.host_key or known_key)
        timeout = deadline.left
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = timeout
        transport.start_client(timeout=timeout)
        yield transport
    except paramiko.ssh_exception.IncompatiblePeer as failure:
        offered = "" if transport is None else transport.offered
        raise MisconfiguredError(f"SFTP with {to.host}: no way to agree on keys. {offered}") from failure
    except BROKEN as failure:
        raise RetriableError(f"SFTP with {to.host}: {type(failure).__name__}") from failure
    finally:
        if transport is not None:
            transport.close()
        connected.close()


def _known_server(transport: paramiko.Transport, to: SftpDestination, known_key: str) -> str:
    """Return the key line that the server shows. Raises `UnauthorizedError` if another one was expected."""
    key = _key_line(transport)
    expected = to.host_key or known_key
    if expected and not _same_key(expected, key):
        raise UnauthorizedError(f"the server {to.host} shows another host key than it is known by: {key}")
    return key


def _key_line(transport: paramiko.Transport) -> str:
    key = transport.get_remote_server_key()
    return f"{key.get_name()} {key.get_base64()}"


def _same_key(expected: str, shown: str) -> bool:
    """Compare key lines. An OpenSSH line may begin with host names and end with a comment."""
    return shown.split()[1] in expected.split()


def _log_in(transport: paramiko.Transport, to: SftpDestination) -> None:
    try:
        if to.private_key:
            transport.auth_publickey(to.username, _private_key(to.private_key, to.password))
        else:
            transport.auth_password(to.username, to.password)
    except paramiko.AuthenticationException:
        raise UnauthorizedError(f"the server {to.host} does not accept the log-in") from None


def _private_key(text: str, passphrase: str) -> paramiko.PKey:
    for kind in KEY_TYPES:
        with suppress(paramiko.SSHException, ValueError):
            return kind.from_private_key(io.StringIO(text), passphrase or None)
    raise MisconfiguredError("the private key cannot be read: Ed25519, ECDSA or RSA in OpenSSH's or PEM form")


def _client(transport: paramiko.Transport, to: SftpDestination, deadline: Deadline) -> UploadClient:
    client = UploadClient.from_transport(transport)
    if not isinstance(client, UploadClient):
        raise RetriableError(f"the server {to.host} opens no SFTP session")
    channel = client.get_channel()
    if channel is not None:
        channel.settimeout(deadline.left)
    return client
