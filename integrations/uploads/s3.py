"""An S3-compatible store, by django-storages: explicit credentials only, to a checked address.

An object appears as a whole when its upload is complete, so a temporary name would gain nothing.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from storages.backends.s3 import S3Storage

from integrations import addresses
from integrations.connectors.files import S3
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


class _Guarded:
    """A connection that looks where it has come to before anything is said."""

    def _new_conn(self) -> Any:
        connected = super()._new_conn()  # type: ignore[misc]  # a mix-in for urllib3's connections
        addresses.check_peer(connected)
        return connected


class _Http(_Guarded, AWSHTTPConnection):
    pass


class _Https(_Guarded, AWSHTTPSConnection):
    pass


class _HttpPool(AWSHTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(AWSHTTPSConnectionPool):
    ConnectionCls = _Https


class _Alive(File):  # type: ignore[type-arg]  # its stubs are generic, the class is not
    """A file that says so whenever a piece of it is read."""

    file: Any

    def __init__(self, file: Any, alive: Callable[[], None]) -> None:
        super().__init__(file)
        self._alive = alive

    def read(self, *size: int) -> Any:
        self._alive()
        return self.file.read(*size)


def upload(to: S3, path: Path, name: str, alive: Callable[[], None], seconds: float) -> None:
    endpoint = endpoint_of(to)
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise MisconfiguredError("the endpoint must be an https:// address")
    if not (to.key and to.secret):
        raise MisconfiguredError("a key and a secret are needed: the hub's own surroundings are never used")
    addresses.resolve(parts.hostname, parts.port or 443)
    try:
        with path.open("rb") as file:
            _storage(to, endpoint, seconds).save(name, _Alive(file, alive))
    except IntegrationError:
        raise
    except ClientError as refused:
        raise _refusal(refused) from None
    except BotoCoreError as broken:
        cause = _cause(broken)
        raise cause or UnansweredError(f"the store did not answer: {type(broken).__name__}") from broken
    except OSError as broken:
        raise RetriableError(f"the store could not be reached: {type(broken).__name__}") from broken


def endpoint_of(to: S3) -> str:
    return to.endpoint or AMAZON.format(region=to.region or "us-east-1")


def _storage(to: S3, endpoint: str, seconds: float) -> S3Storage:
    config = Config(
        connect_timeout=10,
        read_timeout=seconds,
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
    manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return storage


def _refusal(refused: ClientError) -> IntegrationError:
    code = str(refused.response.get("Error", {}).get("Code", ""))
    status = int(refused.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = f"the store answers {status}: {code}"
    if code in DENIED or status in {401, 403}:
        return UnauthorizedError(message)
    return RetriableError(message) if status >= 500 or status == 408 else RefusedError(message)


def _cause(broken: BaseException) -> IntegrationError | None:
    """What our own guard said, below what botocore made of it."""
    seen: BaseException | None = broken
    while seen is not None:
        if isinstance(seen, IntegrationError):
            return seen
        seen = getattr(seen, "kwargs", {}).get("error") or seen.__cause__ or seen.__context__
    return None
