"""The contract of connectors whose platform takes files.

The delivery stage gathers the due changes of a platform every `interval_minutes` and sorts them into files, one for
each destination and partition. It writes each file as a gzip stream and uploads it under a temporary name.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from integrations.connectors.base import Connector, Member, Operation, Strategy
from integrations.credential_binding import Origins, origin_of, server
from integrations.errors import MisconfiguredError
from integrations.http import Request, Response

AMAZON = "https://s3.{region}.amazonaws.com"


@dataclass(frozen=True, slots=True)
class SftpDestination:
    """A folder on an SFTP server.

    `host_key` is an OpenSSH public-key line; if empty, the first key seen is kept. `private_key` is in PEM or OpenSSH
    form. `drop_box`: the server takes a file away as soon as it is closed, so it is written under its own name at once.
    """

    host: str
    port: int
    path: str
    username: str
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    host_key: str = ""
    drop_box: bool = False

    @property
    def address(self) -> str:
        """The server as host keys are kept for it."""
        return f"{self.host}:{self.port}"

    @property
    def origins(self) -> Origins:
        """Where the credentials go."""
        return frozenset({server("sftp", self.host, self.port)})


@dataclass(frozen=True, slots=True)
class FolderDestination:
    """A path below the hub's own folder for files, never outside of it."""

    path: str

    @property
    def origins(self) -> Origins:
        """None: nothing leaves the machine."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class S3Destination:
    """A bucket of an S3-compatible store. `endpoint` is an https address; if empty, Amazon's own is used."""

    endpoint: str
    bucket: str
    prefix: str
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    region: str = ""

    @property
    def address(self) -> str:
        """The address of the store."""
        return self.endpoint or AMAZON.format(region=self.region or "us-east-1")

    @property
    def origins(self) -> Origins:
        """Where the credentials go."""
        return frozenset({origin_of(self.address)})


Destination = SftpDestination | FolderDestination | S3Destination


class MemberChange(NamedTuple):
    """One member to add or to remove."""

    member: Member
    operation: Operation


class FileStatus(StrEnum):
    """What the platform did with a file."""

    WAITING = "waiting"
    PROCESSED = "processed"
    REFUSED = "refused"


class FileReport(NamedTuple):
    """What the processing log of the platform says about one file."""

    file_name: str
    status: FileStatus
    reason: str


class FileConnector(Connector):
    """A connector whose platform takes files instead of requests.

    `by_user`: `lines` receives all changes of one id at once, across segments; otherwise one change at a time.
    `has_lines_of_ids`: a line holds only an id and an operation, and the partition depends on the segment alone;
    `lines_of_ids` then makes the lines of many ids at once. A file ends at `most_lines` or `most_bytes` (compressed),
    and the next one begins.
    """

    strategy = Strategy.FILE
    one_operation_a_request = False
    timeout = 60.0

    interval_minutes: int = 5
    by_user: bool = False
    has_lines_of_ids: bool = False
    most_bytes: int = 4_000_000_000
    most_lines: int = 50_000_000

    def origins(self) -> Origins:
        return super().origins() | self.destination().origins

    @abstractmethod
    def destination(self) -> Destination:
        """Return where files are uploaded."""

    def destination_of(self, extra: Mapping[str, str]) -> Destination:
        """Return where the file of a member with this `extra` is uploaded, if it differs."""
        return self.destination()

    @abstractmethod
    def partition(self, member: Member) -> str:
        """Return the partition of a member's line. Members that must not share a file have different partitions."""

    @abstractmethod
    def file_name(self, partition: str, at: datetime, number: int) -> str:
        """Return the name of a file, without a folder.

        `number` (from 0) distinguishes files of the same partition and minute.
        """

    def header(self, partition: str, file_name: str, at: datetime) -> bytes:
        """Return what stands before the first line, with its own line end."""
        return b""

    @abstractmethod
    def lines(self, changes: Sequence[MemberChange]) -> Iterator[bytes]:
        """Yield the lines, with line ends, for the changes of one id in one partition: one change unless `by_user`."""

    def lines_of_ids(self, ids: str, operation: Operation) -> bytes:
        """Return the lines of many ids. Called only if `has_lines_of_ids`.

        `ids` is text: ids without control characters, each followed by a line end.
        """
        raise NotImplementedError

    def log_request(self, offset: int) -> Request | None:
        """Return the request for a page of the processing log, from entry `offset` on; None if there is no log."""
        return None

    def read_log(self, response: Response) -> tuple[Sequence[FileReport], int]:
        """Return what a page of the log says about files, and how many entries it has (0 after the last page)."""
        raise MisconfiguredError("this platform has no processing log")

    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        raise MisconfiguredError("this platform takes files, not requests")
