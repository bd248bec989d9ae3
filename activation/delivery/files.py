"""The file strategy: every few minutes, what changed goes into files, one for each destination and partition.

One sender holds the platform's file lane, marked open, and goes bucket by bucket. The files are uploaded under a
temporary name and renamed; their rows are finished from a list that was written beside each.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import uuid4

from psycopg import Cursor

from activation.delivery import activation_status, lanes, targets
from activation.delivery.file_sender import FileSender
from activation.delivery.file_writer import FileWriter
from activation.delivery.members import MemberReader
from activation.delivery.platform_client import NotNowError, PlatformClient
from activation.delivery.targets import DeliveryTarget
from activation.models import Activation
from activation.stores import batches, deliveries, file_rows, outcomes, uploaded_files
from activation.stores.batches import OWN_BUCKET, BatchRecord
from activation.stores.claims import Claim, ClaimedRow
from activation.stores.deliveries import NOBODY
from activation.stores.due_marks import EVERYWHERE
from activation.stores.file_rows import DueRow, FileScope, IdList
from core import clock
from core.buckets import BUCKETS, lock
from core.database import Connection
from integrations.connectors.base import Member, Operation
from integrations.connectors.files import Destination, FileConnector, MemberChange
from integrations.errors import ConnectorFaultError, IntegrationError, MisconfiguredError
from integrations.uploads.folder import drafts

# how long before the lane was opened an absorber may have read that it was not
LONGEST_TRANSACTION = timedelta(minutes=1)
UNWRITABLE = "this id cannot stand in the platform's file"

ADD, REMOVE = Operation.ADD, Operation.REMOVE
_by_id = itemgetter(2)

FileKey = tuple[Destination, str]  # where it goes, and its partition


def drain(connection: Connection, platform: int, keep_on: Callable[[], bool]) -> int:
    """Write and upload what is due. Returns how many rows; then the lane rests until the interval is over.

    Does nothing where somebody else holds the lane, or where the platform is not to be called now.
    """
    with connection.cursor(binary=True) as cursor:
        target = targets.fillable(cursor, platform)
        if target is None or not isinstance(target.connector, FileConnector) or not keep_on():
            return 0
        at = clock.now()
        lease = lanes.lease(cursor, platform, lanes.FILES, target.lease_duration)
        if lease is None:
            return 0
        client = PlatformClient.of(connection, cursor, target, lease)
        if not _settle_left_open(connection, cursor, client, at):
            return 0
        if not target.connector.removal.is_sent:
            _drop_removals(cursor, client, at)
        if not client.may_send():
            lease.release(cursor)
            return 0
        lease.open(cursor)
        rows = _send_round(connection, cursor, client, target.connector, at)
        lease.close(cursor)
        if rows:
            lease.rest(cursor, max(_end_of_interval(target.connector, lease.clock.now()), client.free_at))
        else:
            lease.release(cursor)
        return rows


def _settle_left_open(connection: Connection, cursor: Cursor[Any], client: PlatformClient, at: datetime) -> bool:
    """Find out what a sender that died may have sent, and close the lane that it left open. False: the lease is lost.

    All activations of the platform count, also those that are not sent now. If this dies too, the next one does it.
    """
    platform, lease = client.target.platform, client.lease
    began = None
    if lease.is_open(cursor):
        began = batches.unfinished_since(cursor, platform, OWN_BUCKET, "file")
        activations = sorted(Activation.objects.filter(platform_id=platform).values_list("id", flat=True))
        if began is not None:
            since = began - LONGEST_TRANSACTION
            for bucket in range(BUCKETS):
                if not client.renew_lease():
                    return False
                with connection.transaction():
                    lock(cursor, bucket)
                    file_rows.left_open(cursor, activations, bucket, since, at)
        lease.close(cursor)
    batches.abandon(cursor, platform, OWN_BUCKET, at, began and began - timedelta(seconds=1))
    return True


def _drop_removals(cursor: Cursor[Any], client: PlatformClient, at: datetime) -> None:
    """Have no removal due, for a platform that is sent none; page by page."""
    while client.renew_lease():
        if deliveries.drop_removals(cursor, client.target.segments, EVERYWHERE, at) < deliveries.PAGE:
            break


def _send_round(
    connection: Connection, cursor: Cursor[Any], client: PlatformClient, connector: FileConnector, at: datetime
) -> int:
    with tempfile.TemporaryDirectory(dir=drafts()) as folder:
        files = FileRound(connection, cursor, client, connector, Path(folder), at)
        try:
            files.write()
        except NotNowError:
            return 0
        return FileSender(connection, cursor, client, connector, files.files).send()


def _end_of_interval(connector: FileConnector, at: datetime) -> datetime:
    """At most one round an interval, beginning with its first minute."""
    length = connector.interval_minutes * 60
    return datetime.fromtimestamp((at.timestamp() // length + 1) * length, UTC)


@dataclass
class FileRound:
    """The files of one round, while they are written. It changes no delivery, except of ids that cannot be written."""

    connection: Connection
    cursor: Cursor[Any]
    client: PlatformClient
    connector: FileConnector
    folder: Path
    now: datetime
    files: list[FileWriter] = field(default_factory=list)
    _open: dict[FileKey, FileWriter] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _broken: set[int] = field(default_factory=set)

    def write(self) -> None:
        scope = FileScope(sorted(self.target.segments), self.now, self.connector.removal.is_sent)
        for bucket in range(BUCKETS):
            if not self.client.renew_lease():
                raise NotNowError
            self._bucket(bucket, scope)
        for file in self.files:
            file.close()

    @property
    def target(self) -> DeliveryTarget:
        return self.client.target

    def _bucket(self, bucket: int, scope: FileScope) -> None:
        """Write a bucket in lists, where the connector takes them and every id can stand in one; else row by row."""
        lists = None
        if self.connector.has_lines_of_ids:
            lists = file_rows.id_lists(self.cursor, scope, bucket)
        if lists is not None and self._write_lists(bucket, lists):
            return
        found = file_rows.due(self.cursor, scope, bucket)
        if found:
            self._rows(bucket, found)

    def _write_lists(self, bucket: int, lists: Sequence[IdList]) -> bool:
        """Write whole lists. False, with nothing written, where the connector has no line for some of them."""
        lists = [one for one in lists if one.activation not in self._broken]
        try:
            texts = [self.connector.lines_of_ids(one.ids, ADD if one.wanted else REMOVE) for one in lists]
        except ConnectorFaultError:
            return False
        if not all(texts):
            return False
        for one, text in zip(lists, texts, strict=True):
            key = self._key(Member(self.target.segments[one.activation], "", NOBODY))
            file = None if key is None else self._file(key, {one.activation})
            if file is not None:
                file.write(text)
                file.note_listed(bucket, one)
                self._close_where_full(file)
        return True

    def _key(self, member: Member) -> FileKey | None:
        """Returns where the member's line goes; None, with its activation broken, where the connector cannot say."""
        try:
            return self._destination(member), self.connector.partition(member)
        except MisconfiguredError as failure:
            self._break({member.segment.activation}, failure)
            return None

    def _break(self, activations: set[int], failure: MisconfiguredError) -> None:
        """The connector failed over these activations: they are broken, and in no further file of the round."""
        self._broken |= activations
        target = self.target
        activation_status.note_failure(target.platform, activations, target.ending_activations, failure)

    def _rows(self, bucket: int, found: list[DueRow]) -> None:
        if self.connector.by_user:
            found.sort(key=_by_id)
        where: dict[FileKey, list[tuple[DueRow, Member]]] = defaultdict(list)
        for due, member in zip(found, self._members(bucket, found), strict=True):
            key = None if due[0] in self._broken else self._key(member)
            if key is not None:
                where[key].append((due, member))
        for key, rows in where.items():
            file = self._file(key, {due[0] for due, _ in rows})
            if file is not None:
                self._write(file, bucket, rows)

    def _members(self, bucket: int, found: list[DueRow]) -> list[Member]:
        connector, segments = self.connector, self.target.segments
        if not connector.wants_extra and not connector.wanted_attributes:
            return [Member(segments[activation], known_as, user) for activation, _, known_as, user in found]
        rows = [ClaimedRow(bucket, activation, known_as, user, 1) for activation, _, known_as, user in found]
        return MemberReader(self.cursor, connector, self.target.platform, segments).read(rows)

    def _destination(self, member: Member) -> Destination:
        return self.connector.destination_of(member.extra) if member.extra else self._usual

    @cached_property
    def _usual(self) -> Destination:
        return self.connector.destination_of({})

    def _write(self, file: FileWriter, bucket: int, rows: list[tuple[DueRow, Member]]) -> None:
        texts: list[bytes] = []
        notes: list[str] = []
        unwritable: list[DueRow] = []
        for together in self._together(rows):
            text = self._lines(together)
            if text:
                texts.append(text)
                notes += [f"{due[0]}\t{due[1]:d}\t{due[2]}" for due, _ in together]
            else:
                unwritable += [due for due, _ in together]
        file.write(b"".join(texts))
        file.note(bucket, notes, {due[0] for due, _ in rows})
        if unwritable:
            self._set_aside(file, bucket, unwritable)
        self._close_where_full(file)

    def _close_where_full(self, file: FileWriter) -> None:
        if file.size >= self.connector.most_bytes or file.lines >= self.connector.most_lines:
            self._open.pop((file.destination, file.partition), None)

    def _together(self, rows: list[tuple[DueRow, Member]]) -> Iterable[Sequence[tuple[DueRow, Member]]]:
        """Group the rows that go into `lines` at once: all of an id, or each change by itself."""
        if not self.connector.by_user:
            return zip(rows, strict=True)
        return (list(found) for _, found in groupby(rows, key=lambda row: row[0][2]))

    def _lines(self, together: Sequence[tuple[DueRow, Member]]) -> bytes:
        """Returns the lines of the changes; nothing where the id cannot stand in the file."""
        if "\n" in together[0][0][2]:
            return b""
        changes = [MemberChange(member, ADD if due[1] else REMOVE) for due, member in together]
        try:
            return b"".join(self.connector.lines(changes))
        except (IntegrationError, ValueError, TypeError, KeyError):
            return b""

    def _set_aside(self, file: FileWriter, bucket: int, rows: list[DueRow]) -> None:
        """Make rows dead that cannot stand in the file: they are claimed for a moment."""
        file_rows.claim(self.cursor, file.batch, [(bucket, *due[:3]) for due in rows])
        for wanted in (True, False):
            found = [ClaimedRow(bucket, due[0], due[2], due[3], 1) for due in rows if due[1] is wanted]
            if found:
                outcomes.dead(self.cursor, Claim(file.batch, wanted, found), UNWRITABLE, "", self.now)

    def _file(self, key: FileKey, activations: set[int]) -> FileWriter | None:
        """Returns the file that is open for the key, or begin one, with a row in the log.

        None, with the activations broken that need it, where the connector cannot begin one.
        """
        if key in self._open:
            return self._open[key]
        destination, partition = key
        try:
            name = self._name(partition)
            header = self.connector.header(partition, name, self.now)
        except MisconfiguredError as failure:
            self._break(activations, failure)
            return None
        file = FileWriter(self.folder, uuid4(), destination, partition, name, self.now)
        file.begin(header)
        record = BatchRecord(OWN_BUCKET, file.batch, 0, request_excerpt=name)
        batches.start(self.cursor, record, self.target.platform, [], "file", self.now)
        self._open[key] = file
        self.files.append(file)
        return file

    def _name(self, partition: str) -> str:
        """Returns a name that no other file of the platform has."""
        number = 0
        while True:
            name = self.connector.file_name(partition, self.now, number)
            used = uploaded_files.exists(self.connection, self.target.platform, name)
            if name not in self._names and not used:
                self._names.add(name)
                return name
            number += 1
