"""Uploading by SFTP: to a checked address, to a server with the expected key, first under a temporary name."""

import io
import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import paramiko

from integrations import addresses
from integrations.connectors.files import SftpDestination
from integrations.deadline import Deadline
from integrations.errors import IntegrationError, MisconfiguredError, RetriableError, UnansweredError, UnauthorizedError

KEY_TYPES: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
FAILURES = (paramiko.SSHException, OSError, EOFError)


def upload(
    to: SftpDestination, path: Path, name: str, known_key: str, on_progress: Callable[[], None], deadline: Deadline
) -> str:
    """Upload the file. Return the key line of the server: `to.host_key`, `known_key`, or the first key seen.

    The deadline shuts the connection down, whatever the server does. Raises `integrations.errors`.
    """
    with _transport(to, deadline) as transport:
        key = _known_server(transport, to, known_key)
        _log_in(transport, to)
        _put(_client(transport, to, deadline), to, path, name, on_progress)
        return key


def try_out(to: SftpDestination, name: str, known_key: str, found: list[str], deadline: Deadline) -> None:
    """Connect, compare the host key, log in, write a small file and remove it. Raises `integrations.errors`."""
    with _transport(to, deadline) as transport:
        key = _known_server(transport, to, known_key)
        known = "it is known by" if to.host_key or known_key else f"{key}, which the first upload will keep"
        found.append(f"the server {to.address} shows the host key {known}")
        _log_in(transport, to)
        found.append(f"it accepts the log-in of “{to.username}”")
        client = _client(transport, to, deadline)
        path = posixpath.join(to.path or ".", name)
        try:
            client.putfo(io.BytesIO(b"dmphub"), path, confirm=True)
        except FAILURES as failure:
            raise _refusal(failure, to) from failure
        try:
            client.remove(path)
        except FAILURES as failure:
            found.append(f"a small file was written, but not removed ({type(failure).__name__}): {path}")
        else:
            found.append(f"a small file was written into “{to.path}” and removed")


@contextmanager
def _transport(to: SftpDestination, deadline: Deadline) -> Iterator[paramiko.Transport]:
    connected = addresses.connect(to.host, to.port, deadline)
    transport: paramiko.Transport | None = None
    try:
        transport = paramiko.Transport(connected)
        timeout = deadline.left
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = timeout
        transport.start_client(timeout=timeout)
        yield transport
    except FAILURES as failure:
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


def _client(transport: paramiko.Transport, to: SftpDestination, deadline: Deadline) -> paramiko.SFTPClient:
    client = paramiko.SFTPClient.from_transport(transport)
    if client is None:
        raise RetriableError(f"the server {to.host} opens no SFTP session")
    channel = client.get_channel()
    if channel is not None:
        channel.settimeout(deadline.left)
    return client


def _put(
    client: paramiko.SFTPClient, to: SftpDestination, path: Path, name: str, on_progress: Callable[[], None]
) -> None:
    target = posixpath.join(to.path or ".", name)
    partial = posixpath.join(to.path or ".", f".{name}.part")
    try:
        client.put(str(path), partial, callback=lambda _sent, _all: on_progress(), confirm=True)
    except FAILURES as failure:
        _remove(client, partial)
        raise _refusal(failure, to) from failure
    except Exception:  # what `on_progress` raises
        _remove(client, partial)
        raise
    try:
        client.posix_rename(partial, target)
    except PermissionError as failure:
        raise _refusal(failure, to) from failure
    except (TimeoutError, EOFError, paramiko.SSHException) as failure:
        raise UnansweredError(f"SFTP with {to.host} broke off while the file was renamed") from failure
    except OSError:
        _rename(client, partial, target, to)


def _rename(client: paramiko.SFTPClient, partial: str, target: str, to: SftpDestination) -> None:
    """Rename on a server that knows only the renaming of the protocol itself."""
    try:
        client.rename(partial, target)
    except (TimeoutError, EOFError, paramiko.SSHException) as failure:
        raise UnansweredError(f"SFTP with {to.host} broke off while the file was renamed") from failure
    except OSError as failure:
        raise _refusal(failure, to) from failure


def _remove(client: paramiko.SFTPClient, partial: str) -> None:
    with suppress(*FAILURES):
        client.remove(partial)


def _refusal(failure: BaseException, to: SftpDestination) -> IntegrationError:
    if isinstance(failure, PermissionError | FileNotFoundError):
        return MisconfiguredError(f"the server {to.host} refuses to write to “{to.path}”: {failure.strerror}")
    return RetriableError(f"SFTP with {to.host} broke off: {type(failure).__name__}")
