"""Semi real-time files: a file for each segment every few minutes, a user id a line (001_6c0121e2456e8832.txt)."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from django.core.exceptions import ValidationError

from integrations.connectors.base import Member, Operation, Removal, SegmentSource
from integrations.connectors.files import (
    Destination,
    FileConnector,
    FolderDestination,
    MemberChange,
    S3Destination,
    SftpDestination,
)

STRANGE = "\t\r\n\0"


class FileSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Where files are uploaded, and what they hold. `host` is an SFTP server, or the endpoint of a store."""

    target: Literal["sftp", "folder", "s3"]
    host: Annotated[str, msgspec.Meta(max_length=253)] = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 22
    path: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    bucket: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9.-]{0,63}$", description="of an S3-compatible store")] = ""
    region: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{0,40}$")] = ""
    drop_box: Annotated[
        bool, msgspec.Meta(description="the SFTP server takes files away once they are closed: no temporary names")
    ] = False
    interval_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 5
    operation_column: Annotated[bool, msgspec.Meta(description="a second column: add or remove")] = False
    removal: Literal["operation", "ttl", "none"] = "none"
    ttl_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None
    segments: Annotated[
        Literal["given", "allocated"], msgspec.Meta(description="named by each activation, or numbered by the hub")
    ] = "allocated"


class FileCredentials(msgspec.Struct, forbid_unknown_fields=True):
    """Of the SFTP server (an empty host key pins the first one seen), or key and secret of the store."""

    username: str = ""
    password: str = ""
    private_key: str = ""
    host_key: str = ""


class FileActivation(msgspec.Struct, forbid_unknown_fields=True):
    """The segment's id in the file's name."""

    segment_id: Annotated[int, msgspec.Meta(ge=0)] | None = None


class FileDrop(FileConnector):
    key = "file"
    title = "Files"
    description = "A packed list of user ids every few minutes, by SFTP, in a folder or in an S3-compatible store."
    settings_type = FileSettings
    credentials_type = FileCredentials
    activation_type = FileActivation
    has_lines_of_ids = True
    set_by_settings = frozenset({"segment_source", "removal"})
    notes = """
        One file a segment every few minutes, with what changed; without an operation column, additions only.

        A folder is below the hub's own folder for files. The document calls files a deprecated way: take requests where
        the platform has them.
    """

    def __init__(self, settings: dict[str, Any], credentials: dict[str, Any]) -> None:
        super().__init__(settings, credentials)
        given: FileSettings = self.settings
        self.interval_minutes = given.interval_minutes
        self.removal = Removal(given.removal)
        self.ttl_days = given.ttl_days if self.removal is Removal.TTL else None
        self.segment_source = SegmentSource(given.segments)
        self.segment_namespace = "file"
        self._has_operations = given.operation_column
        known: FileCredentials = self.credentials
        if given.target == "sftp" and not (known.username and (known.password or known.private_key)):
            raise ValidationError({"credentials": ["username, and password or private_key, are needed for SFTP"]})
        if given.target == "s3" and not (known.username and known.password):
            raise ValidationError({"credentials": ["username (the key) and password (the secret) are needed for S3"]})

    @classmethod
    def validate_settings(cls, settings: dict[str, Any]) -> None:
        super().validate_settings(settings)
        found = list(_faults(msgspec.convert(settings, FileSettings)))
        if found:
            raise ValidationError({"settings": found})

    def destination(self) -> Destination:
        given: FileSettings = self.settings
        known: FileCredentials = self.credentials
        if given.target == "folder":
            return FolderDestination(given.path)
        if given.target == "s3":
            prefix = given.path.strip("/")
            return S3Destination(given.host, given.bucket, prefix, known.username, known.password, given.region)
        log_in = (known.username, known.password, known.private_key, known.host_key)
        return SftpDestination(given.host, given.port, given.path, *log_in, drop_box=given.drop_box)

    def partition(self, member: Member) -> str:
        """One file a segment."""
        return str(member.segment.id)

    def file_name(self, partition: str, at: datetime, number: int) -> str:
        """Return the name that the document describes: whole numbers without leading zeros.

        A second file of the same minute takes the next minute: the document has no other distinction.
        """
        at += timedelta(minutes=number)
        return f"Mapp_dmp_{partition}_{at.year}_{at.month}_{at.day}_{at.hour}_{at.minute}.tsv.gz"

    def lines(self, changes: Sequence[MemberChange]) -> Iterator[bytes]:
        """Yield the lines. An id that would break its line has no line."""
        for member, operation in changes:
            user_id = member.platform_user_id
            if not user_id or any(sign in user_id for sign in STRANGE):
                continue
            if self._has_operations:
                yield f"{user_id}\t{operation}\n".encode()
            elif operation is Operation.ADD:
                yield f"{user_id}\n".encode()

    def lines_of_ids(self, ids: str, operation: Operation) -> bytes:
        if self._has_operations:
            return ids.replace("\n", f"\t{operation}\n").encode()
        return ids.encode() if operation is Operation.ADD else b""


def _faults(given: FileSettings) -> Iterator[str]:
    if given.target == "sftp" and not given.host:
        yield "host: needed for SFTP"
    if given.target != "sftp" and given.drop_box:
        yield "drop_box: is about SFTP"
    if given.target == "s3" and not given.bucket:
        yield "bucket: needed for S3"
    if given.target == "s3" and given.host and not given.host.startswith(("https://", "http://")):
        yield "host: of a store, its endpoint: https://…"
    if given.removal == "operation" and not given.operation_column:
        yield "removal: an operation needs the operation_column"
    if (given.removal == "ttl") != (given.ttl_days is not None):
        yield "ttl_days: goes with the removal “ttl”, and only with it"
    if given.target == "folder" and (".." in given.path.split("/") or "\0" in given.path):
        yield "path: stays inside the hub's folder for files"
