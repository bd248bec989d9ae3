"""Uploading to an S3-compatible store with django-storages: to a checked address, with the given credentials only.

It must never use credentials of the hub's own environment. An object appears as a whole when its upload is complete, so
a temporary name is not needed.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from urllib.parse import urlsplit

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile, File
from storages.backends.s3 import S3Storage

from integrations import addresses
from integrations.answers import meaning
from integrations.answers.meaning import Meaning
from integrations.answers.waiting import asked_wait
from integrations.connections import open_socket
from integrations.connectors.files import S3Destination
from integrations.deadline import Deadline
from integrations.errors import (
    AskedToWaitError,
    IntegrationError,
    MisconfiguredError,
    RefusedError,
    RetriableError,
    UnansweredError,
    UnauthorizedError,
)

DENIED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"})


class _Http(AWSHTTPConnection):
    """A connection to a checked address, for one upload: the upload's deadline ends it."""

    def __init__(self, *given: Any, progress: "_Progress", **more: Any) -> None:
        super().__init__(*given, **more)
        self._progress = progress

    def _new_conn(self) -> socket.socket:
        return open_socket(self, self._dns_host, self._progress.deadline)

    def send(self, data: Any) -> Any:
        self._progress.report()
        return super().send(data)


class _Https(AWSHTTPSConnection):
    """The same with TLS."""

    def __init__(self, *given: Any, progress: "_Progress", **more: Any) -> None:
        super().__init__(*given, **more)
        self._progress = progress

    def _new_conn(self) -> socket.socket:
        return open_socket(self, self._dns_host, self._progress.deadline)

    def send(self, data: Any) -> Any:
        self._progress.report()
        return super().send(data)


class _HttpPool(AWSHTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(AWSHTTPSConnectionPool):
    ConnectionCls = _Https


class _Progress:
    """Reports each part that is sent, from whichever of the client's threads; keeps the error that ends the upload."""

    def __init__(self, deadline: Deadline, on_progress: Callable[[], None]) -> None:
        self.deadline = deadline
        self.stopped_by: Exception | None = None
        self._on_progress = on_progress
        self._turn = threading.Lock()

    def report(self) -> None:
        with self._turn:
            if self.stopped_by is not None:
                raise self.stopped_by
            try:
                self._on_progress()
            except Exception as stop:
                self.stopped_by = stop
                raise
            self.deadline.progress()
            self.deadline.sending = True


def upload(to: S3Destination, path: Path, name: str, on_progress: Callable[[], None], deadline: Deadline) -> None:
    """Upload the file. The deadline shuts all connections down. Raises `integrations.errors`."""
    with path.open("rb") as file:
        _put(to, name, file, _Progress(deadline, on_progress))


def _put(to: S3Destination, name: str, content: BinaryIO, progress: _Progress) -> None:
    with _errors(progress):
        _storage(to, progress).save(name, File(cast("IO[Any]", content)))


def try_out(to: S3Destination, name: str, found: list[str], deadline: Deadline) -> None:
    """Write a small object and remove it. Raises `integrations.errors`."""
    progress = _Progress(deadline, lambda: None)
    with _errors(progress):
        storage = _storage(to, progress)
        storage.save(name, ContentFile(b"dmphub"))
        found.append(f"the store {to.address} took a small object into the bucket “{to.bucket}”")
        try:
            storage.delete(name)
        except ClientError as refused:
            found.append(f"but it was not removed ({_refusal(refused)}): {name}")
        else:
            found.append("and it was removed")


@contextmanager
def store(to: S3Destination, deadline: Deadline) -> Iterator[S3Storage]:
    """Give the client of a store. Raises `integrations.errors`, also for what is done with it."""
    progress = _Progress(deadline, lambda: None)
    with _errors(progress):
        yield _storage(to, progress)


@contextmanager
def _errors(progress: _Progress) -> Iterator[None]:
    """Turn the errors of the client into our own."""
    try:
        yield
    except IntegrationError:
        raise
    except Exception as failure:
        if progress.stopped_by is not None:
            raise progress.stopped_by from None
        if isinstance(failure, ClientError):
            raise _refusal(failure) from None
        if isinstance(failure, BotoCoreError):
            raise _broken(failure, progress.deadline) from failure
        if isinstance(failure, OSError):
            raise RetriableError(f"the store could not be reached: {type(failure).__name__}") from failure
        raise


def _storage(to: S3Destination, progress: _Progress) -> S3Storage:
    """Return the client of a store. Raises `MisconfiguredError` if there is nothing to connect to."""
    endpoint, deadline = to.address, progress.deadline
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise MisconfiguredError("the endpoint must be an https:// address")
    if not (to.key and to.secret):
        raise MisconfiguredError("a key and a secret are needed: the hub's own surroundings are never used")
    addresses.resolve(parts.hostname, parts.port or 443, deadline)
    config = Config(
        connect_timeout=deadline.left,
        read_timeout=deadline.left,
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
    manager.pool_classes_by_scheme = {
        "http": partial(_HttpPool, progress=progress),
        "https": partial(_HttpsPool, progress=progress),
    }
    return storage


def _refusal(refused: ClientError) -> IntegrationError:
    code = str(refused.response.get("Error", {}).get("Code", ""))
    status = int(refused.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = f"the store answers {status}: {code}"
    wait = asked_wait(refused.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}))
    if wait and code not in DENIED:
        return AskedToWaitError(message, wait)
    if code in DENIED or status in {401, 403}:
        return UnauthorizedError(message)
    again = meaning.of_status(status, code) in {Meaning.BUSY, Meaning.RETRY, Meaning.UNCLEAR, Meaning.LIMITED}
    return RetriableError(message) if again else RefusedError(message)


def _broken(failure: BotoCoreError, deadline: Deadline) -> IntegrationError:
    """Return the error for a request without a response. Where something was sent, it may have arrived."""
    cause = _cause(failure)
    if cause is None or (isinstance(cause, RetriableError) and deadline.sending):
        late = " in time" if deadline.passed else f": {type(failure).__name__}"
        return UnansweredError(f"the store did not answer{late}")
    return cause


def _cause(broken: BaseException) -> IntegrationError | None:
    """Return our own error if it is the cause of botocore's."""
    seen: BaseException | None = broken
    while seen is not None:
        if isinstance(seen, IntegrationError):
            return seen
        seen = getattr(seen, "kwargs", {}).get("error") or seen.__cause__ or seen.__context__
    return None
