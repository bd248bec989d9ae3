"""MediaMath S2S audience import: files by SFTP, one line a user (004_61881f248519e6eb.txt)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.core.exceptions import ValidationError

from integrations.connectors.base import (
    Limits,
    Member,
    Operation,
    Removal,
    Segment,
    SegmentPublisher,
    SegmentSource,
    convert,
)
from integrations.connectors.files import Destination, FileConnector, FileReport, MemberChange, SftpDestination
from integrations.connectors.mediamath_event.attributes import is_guid
from integrations.connectors.mediamath_s2s import audience_file, processing_log
from integrations.connectors.mediamath_s2s.audience_file import LEAVE, NO_SEGMENT, NOW, FileHeader
from integrations.connectors.mediamath_s2s.publishing import DataSegment, Taxonomy, data_segment, taxonomy
from integrations.connectors.mediamath_s2s.settings import (
    S2SActivation,
    S2SCredentials,
    S2SSettings,
    faults,
    segment_fault,
)
from integrations.credential_binding import Origins
from integrations.http import Request, Response

GIGABYTE = 10**9


class MediaMathS2S(FileConnector, SegmentPublisher):
    key = "mediamath_s2s"
    title = "MediaMath S2S"
    description = "Audience files by SFTP: every user with all that changed on one line, additions and removals."
    settings_type = S2SSettings
    credentials_type = S2SCredentials
    activation_type = S2SActivation
    publishes = {"taxonomy": Taxonomy, "data_segment": DataSegment}
    notes = """
        MediaMath validates a sample file before it processes any: download one here and send it to them.

        Display and mobile ids never share a file: make a platform for each. Private data of a client goes into
        files with the client's name; an activation may name another client than the platform does.

        Segment ids are allocated here, unique in the segment namespace, and never used again. Buyers see a
        segment once it is in a taxonomy or is an external data segment.
    """
    default_limits = Limits(files_per_hour=20, bytes_per_day=5 * GIGABYTE)

    by_user = True
    most_bytes = 4 * GIGABYTE - 64 * 2**20  # a file is closed a little before the limit
    segment_source = SegmentSource.ALLOCATED
    reserved_numbers = frozenset({NO_SEGMENT})
    removal = Removal.OPERATION
    wants_extra = True

    def __init__(self, settings: dict[str, Any], credentials: dict[str, Any]) -> None:
        super().__init__(settings, credentials)
        self.interval_minutes = self.settings.interval_minutes
        self.segment_namespace = f"mediamath:{self.settings.segment_namespace.lower()}"

    @classmethod
    def validate_settings(cls, settings: dict[str, Any]) -> None:
        super().validate_settings(settings)
        found = faults(msgspec.convert(settings, S2SSettings))
        if found:
            raise ValidationError({"settings": found})

    def validate_activation(self, settings: dict[str, Any]) -> None:
        super().validate_activation(settings)
        given = settings.get("segment_id")
        fault = None if given is None else segment_fault(given, hashed=self.settings.hash_segments)
        if fault:
            raise ValidationError({"settings": [fault]})

    def origins(self) -> Origins:
        """Return the origins of all data centres, of the processing log, and of the interfaces for publishing."""
        hosts = {self.settings.host, *self.settings.hosts_by_dc.values()}
        return super().origins().union(*(self._at(host).origins for host in hosts))

    # ── destination ─────────────────────────────────────────────────────────────────────────────────────

    def destination(self) -> Destination:
        return self._at(self.settings.host)

    def destination_of(self, extra: Mapping[str, str]) -> Destination:
        """Return the host of the data centre that is best for the user, if it has its own."""
        return self._at(self.settings.hosts_by_dc.get(extra.get("dc", "").lower(), self.settings.host))

    def partition(self, member: Member) -> str:
        """Return the client whose private data it is; empty for generally available data."""
        own = member.segment.settings.get("client")
        return str(self.settings.client if own is None else own)

    def file_name(self, partition: str, at: datetime, number: int) -> str:
        """A second file of the same minute takes the next minute: the document has no other distinction."""
        parts = (self.settings.agency, self.settings.partner, partition)
        return audience_file.file_name(parts, at + timedelta(minutes=number))

    # ── processing log ───────────────────────────────────────────────────────────────────────────

    def log_request(self, offset: int) -> Request | None:
        if not self.settings.log_url:
            return None
        return processing_log.request(self.settings.log_url, offset, self._user)

    def read_log(self, response: Response) -> tuple[Sequence[FileReport], int]:
        return processing_log.read(response)

    def check_requests(self) -> list[Request]:
        first = self.log_request(0)
        return [] if first is None else [first]

    def read_checks(self, responses: Sequence[Response]) -> dict[str, Any]:
        return {"files_in_the_log": sum(self.read_log(response)[1] for response in responses)}

    def publication_request(self, kind: str, order: dict[str, Any], segments: Sequence[Segment]) -> Request:
        given = convert(self.publishes[kind], order, "order")
        if isinstance(given, Taxonomy):
            return taxonomy(self.settings.taxonomy_url, given, segments, self._user, hashed=self.settings.hash_segments)
        return data_segment(self.settings.data_segment_url, given, segments, self._user)

    # ── content ────────────────────────────────────────────────────────────────────────────

    def header(self, partition: str, file_name: str, at: datetime) -> bytes:
        given: S2SSettings = self.settings
        return FileHeader(
            file_name,
            int(at.timestamp()),
            given.segment_namespace,
            given.user_namespace,
            str(given.user_table_id),
            given.mobile,
            given.hash_segments,
        ).encode()

    def lines(self, changes: Sequence[MemberChange]) -> Iterator[bytes]:
        """Yield the line of one id. An id that is not valid in the namespace has no line.

        A line names a segment once: if two activations name the same segment, joining wins over leaving.
        """
        user_id = changes[0].member.platform_user_id
        is_id = is_guid if self.settings.user_namespace == "mm" else audience_file.is_user_id
        if is_id(user_id):
            leaving_first = sorted(changes, key=lambda change: change.operation is Operation.ADD)
            statements = {change.member.segment.id: _when(change.operation) for change in leaving_first}
            yield from audience_file.rows(user_id, sorted(statements.items(), key=_order))

    @property
    def _user(self) -> tuple[str, str]:
        return self.credentials.username, self.credentials.password

    def _at(self, host: str) -> SftpDestination:
        """Return the SFTP destination of a host, which may name its own port: `host:port`."""
        given, known = self.settings, self.credentials
        name, _, written = host.rpartition(":")
        host, port = (name, int(written)) if name and ":" not in name else (host, given.port)
        log_in = {"password": known.password, "host_key": known.host_key}
        return SftpDestination(host, port, given.path, known.username, **log_in, drop_box=given.drop_box)


def _order(statement: tuple[Any, int]) -> tuple[bool, Any]:
    return isinstance(statement[0], str), statement[0]


def _when(operation: Operation) -> int:
    return NOW if operation is Operation.ADD else LEAVE
