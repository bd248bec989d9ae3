"""Uploading to an S3-compatible store with django-storages: to a checked address, with the given credentials only.

It must never use credentials of the hub's own environment. An object appears as a whole when its upload is complete, so
a temporary name is not needed.
"""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from urllib.parse import urlsplit

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from storages.backends.s3 import S3Storage

from integrations import addresses
from integrations.connectors.files import S3Destination
from integrations.errors import (
    IntegrationError,
    MisconfiguredError,
    RefusedError,
    RetriableError,
    UnansweredError,
    UnauthorizedError,
)

AMAZON = "https://s3.{region}.amazonaws.com"
DENIED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"})


class _CheckedHttp(AWSHTTPConnection):
    """A connection whose peer is checked before anything is sent."""

    def _new_conn(self) -> Any:
        return _checked(super()._new_conn())


class _CheckedHttps(AWSHTTPSConnection):
    """The same with TLS."""

    def _new_conn(self) -> Any:
        return _checked(super()._new_conn())


def _checked(connected: socket.socket) -> socket.socket:
    addresses.check_peer(connected)
    return connected


class _CheckedHttpPool(AWSHTTPConnectionPool):
    ConnectionCls = _CheckedHttp


class _CheckedHttpsPool(AWSHTTPSConnectionPool):
    ConnectionCls = _CheckedHttps


class _ProgressFile:
    """A binary file that calls `on_progress` whenever a part of it is read."""

    def __init__(self, file: BinaryIO, on_progress: Callable[[], None]) -> None:
        self._file = file
        self._on_progress = on_progress

    def read(self, size: int = -1) -> bytes:
        self._on_progress()
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def upload(to: S3Destination, path: Path, name: str, on_progress: Callable[[], None], timeout: float) -> None:
    """Upload the file. `timeout` (s) limits each step. Raises `integrations.errors`."""
    endpoint = endpoint_of(to)
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise MisconfiguredError("the endpoint must be an https:// address")
    if not (to.key and to.secret):
        raise MisconfiguredError("a key and a secret are needed: the hub's own surroundings are never used")
    addresses.resolve(parts.hostname, parts.port or 443)
    try:
        with path.open("rb") as file:
            _storage(to, endpoint, timeout).save(name, File(cast("IO[Any]", _ProgressFile(file, on_progress))))
    except IntegrationError:
        raise
    except ClientError as refused:
        raise _refusal(refused) from None
    except BotoCoreError as broken:
        cause = _cause(broken)
        raise cause or UnansweredError(f"the store did not answer: {type(broken).__name__}") from broken
    except OSError as broken:
        raise RetriableError(f"the store could not be reached: {type(broken).__name__}") from broken


def endpoint_of(to: S3Destination) -> str:
    """Return the address of the store; Amazon's own if none is set."""
    return to.endpoint or AMAZON.format(region=to.region or "us-east-1")


def _storage(to: S3Destination, endpoint: str, timeout: float) -> S3Storage:
    config = Config(
        connect_timeout=10,
        read_timeout=timeout,
        retries={"max_attempts": 1},
        proxies={},
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
    )
    storage = S3Storage(
        access_key=to.key,
        secret_key=to.secret,
        bucket_name=to.bucket,
        endpoint_url=endpoint,
        location=to.prefix,
        region_name=to.region or "us-east-1",
        client_config=config,
        file_overwrite=True,
        default_acl=None,
        security_token=None,
        session_profile=None,
    )
    manager = storage.connection.meta.client._endpoint.http_session._manager
    manager.pool_classes_by_scheme = {"http": _CheckedHttpPool, "https": _CheckedHttpsPool}
    return storage


def _refusal(refused: ClientError) -> IntegrationError:
    code = str(refused.response.get("Error", {}).get("Code", ""))
    status = int(refused.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = f"the store answers {status}: {code}"
    if code in DENIED or status in {401, 403}:
        return UnauthorizedError(message)
    return RetriableError(message) if status >= 500 or status == 408 else RefusedError(message)


def _cause(broken: BaseException) -> IntegrationError | None:
    """Return our own error if it is the cause of botocore's."""
    seen: BaseException | None = broken
    while seen is not None:
        if isinstance(seen, IntegrationError):
            return seen
        seen = getattr(seen, "kwargs", {}).get("error") or seen.__cause__ or seen.__context__
    return None
