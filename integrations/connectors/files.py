"""The contract of connectors whose platform takes files: what the engine's file strategy asks of them.

The engine gathers the due changes of a platform every `interval_minutes`, sorts them into files (one for each
destination and partition), writes each in a stream (gzip) and uploads it under a temporary name.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from integrations.connectors.base import Connector, Member, Operation, Strategy
from integrations.errors import MisconfiguredError
from integrations.http import Request, Response


@dataclass(frozen=True, slots=True)
class Sftp:
    """`host_key`: an OpenSSH public-key line; empty pins the first one seen. `private_key`: PEM or OpenSSH."""

    host: str
    port: int
    path: str
    username: str
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    host_key: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """A path below the hub's own folder for files; never outside of it."""

    path: str


@dataclass(frozen=True, slots=True)
class S3:
    """A bucket of an S3-compatible store. `endpoint`: an https address, empty for Amazon's own."""

    endpoint: str
    bucket: str
    prefix: str
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    region: str = ""


Destination = Sftp | Folder | S3


class Change(NamedTuple):
    """One line's worth of news."""

    member: Member
    operation: Operation


class Fate(StrEnum):
    """What became of a file."""

    WAITING = "waiting"
    PROCESSED = "processed"
    REFUSED = "refused"


class Verdict(NamedTuple):
    """What the platform's processing log says of one file."""

    file_name: str
    fate: Fate
    reason: str


class FileConnector(Connector):
    """`by_user`: `lines` gets all changes of one id at once, across segments; else one change at a time.

    `lists_ids`: a line says no more than an id and what happens to it, and the partition follows from the segment;
    `listed` then makes the lines of many ids at once. A file is closed and the next one begun at `most_lines` or
    `most_bytes` (compressed).
    """

    strategy = Strategy.FILE
    one_operation_a_request = False
    timeout = 60.0

    interval_minutes: int = 5
    by_user: bool = False
    lists_ids: bool = False
    most_bytes: int = 4_000_000_000
    most_lines: int = 50_000_000

    @abstractmethod
    def destination(self) -> Destination:
        """Where files go."""

    def destination_of(self, extra: Mapping[str, str]) -> Destination:
        """Where the file of a member with this `extra` goes, where that differs."""
        return self.destination()

    @abstractmethod
    def partition(self, member: Member) -> str:
        """Which file a member's line goes into; what must not be mixed has different ones."""

    @abstractmethod
    def file_name(self, partition: str, at: datetime, number: int) -> str:
        """The file's name, without a folder. `number` from 0 tells files of one partition and minute apart."""

    def header(self, partition: str, file_name: str, at: datetime) -> bytes:
        """What stands before the first line, its own line end included."""
        return b""

    @abstractmethod
    def lines(self, changes: Sequence[Change]) -> Iterator[bytes]:
        """The lines, with their ends, of all the changes of one id in one partition (one, unless `by_user`)."""

    def listed(self, ids: str, operation: Operation) -> bytes:
        """As `lines`, of ids without control characters, each with a line end after it. Only where `lists_ids`."""
        raise NotImplementedError

    def log(self, offset: int) -> Request | None:
        """The request for what the platform says of files, from the `offset`-th entry on; None: it says nothing."""
        return None

    def verdicts(self, response: Response) -> tuple[Sequence[Verdict], int]:
        """What a page of the log says of files, and how many entries it has (0: it was the last)."""
        raise MisconfiguredError("this platform has no processing log")

    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        raise MisconfiguredError("this platform takes files, not requests")
