"""The file strategy: every few minutes, what changed goes into files, one for each destination and partition.

One sender holds the platform's file lane. It goes bucket by bucket: what is due is claimed for the file that it goes
into, then written. The files are uploaded under a temporary name and renamed; their rows are finished from a list
that was written beside each.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import Cursor

from activation.delivery import file_claims, finishing, lanes, log, removals
from activation.delivery.claims import Claim
from activation.delivery.file_claims import Due
from activation.delivery.file_writer import Writer
from activation.delivery.gate import Gate, NotNow
from activation.delivery.log import Entry
from activation.delivery.members import members_of
from activation.delivery.sender import usable
from activation.delivery.sending_files import Sending
from activation.delivery.targets import Target
from edge.buckets import BUCKETS
from integrations.connectors.base import Member, Operation
from integrations.connectors.files import Change, Destination, FileConnector
from integrations.errors import IntegrationError

Connection = psycopg.Connection[tuple[Any, ...]]

# the bucket in which files are logged
BUCKET = 0
NAMES = "SELECT 1 FROM uploaded_file WHERE platform_id = %s AND file_name = %s"
UNWRITABLE = "this id cannot stand in the platform's file"

FileKey = tuple[Destination, str]  # where it goes, and its partition


def drain(connection: Connection, platform: int, keep_on: Callable[[], bool]) -> int:
    """Write and upload what is due; answers how many rows. Then the lane rests until the interval is over.

    Does nothing where somebody else holds the lane, or where the platform is not to be called now.
    """
    with connection.cursor(binary=True) as cursor:
        found = usable(cursor, platform)
        if found is None or not isinstance(found.connector, FileConnector) or not keep_on():
            return 0
        now = datetime.now(UTC)
        lease = lanes.lease(cursor, platform, lanes.FILES, now, found.lease_duration)
        if lease is None:
            return 0
        log.abandon(cursor, platform, BUCKET, now)
        removals.let_go(cursor, found, list(range(BUCKETS)), now)
        gate = Gate(connection, cursor, found, lease)
        rows = 0
        try:
            rows = _run(gate, found.connector, now) if gate.opens(now) else 0
        finally:
            _rest(gate, found.connector, now, wrote=rows > 0)
        return rows


def _run(gate: Gate, connector: FileConnector, now: datetime) -> int:
    with tempfile.TemporaryDirectory(prefix="dmphub-files-") as folder:
        run = _Run(gate, connector, Path(folder), now)
        try:
            run.write()
        except NotNow:
            return 0
        return Sending(gate, connector, run.files).send()


def _rest(gate: Gate, connector: FileConnector, now: datetime, *, wrote: bool) -> None:
    """At most one round an interval, beginning with its first minute."""
    if not wrote:
        gate.lease.release(gate.cursor)
        return
    length = connector.interval_minutes * 60
    over = (now.timestamp() // length + 1) * length
    gate.lease.rest(gate.cursor, datetime.fromtimestamp(over, UTC))


@dataclass
class _Run:
    """The files of one round, while they are written."""

    gate: Gate
    connector: FileConnector
    folder: Path
    now: datetime
    files: list[Writer] = field(default_factory=list)
    _open: dict[FileKey, Writer] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def write(self) -> None:
        for bucket in range(BUCKETS):
            self._alive()
            found = file_claims.due(self.cursor, sorted(self.target.segments), bucket, self.now)
            if found:
                self._bucket(bucket, found)
        for file in self.files:
            file.close()

    @property
    def cursor(self) -> Cursor[Any]:
        return self.gate.cursor

    @property
    def target(self) -> Target:
        return self.gate.target

    def _alive(self) -> None:
        if not self.gate.stays():
            raise NotNow

    def _bucket(self, bucket: int, found: list[Due]) -> None:
        """Claim what is due for the files that it goes into, and write it; nothing, where it is changing just now."""
        members = members_of(
            self.cursor, self.connector, self.target.platform, self.target.segments, [due.row for due in found]
        )
        sorted_out: dict[FileKey, list[tuple[Due, Member]]] = defaultdict(list)
        for due, member in zip(found, members, strict=True):
            key = self.connector.destination_of(member.extra), self.connector.partition(member)
            sorted_out[key].append((due, member))
        files = {key: self._file(key) for key in sorted_out}
        claims = {files[key].batch: [due for due, _ in rows] for key, rows in sorted_out.items()}
        if not self._claim(bucket, claims):
            return
        for key, rows in sorted_out.items():
            self._write(files[key], rows)

    def _claim(self, bucket: int, claims: dict[UUID, list[Due]]) -> bool:
        """All of a bucket's or none of it: an id's changes stand together. What is left comes with the next file."""
        claimed = False
        with self.gate.connection.transaction() as transaction:
            claimed = file_claims.claim(self.cursor, bucket, claims, self.now)
            if not claimed:
                raise psycopg.Rollback(transaction)
        return claimed

    def _write(self, file: Writer, rows: list[tuple[Due, Member]]) -> None:
        unwritable: list[Due] = []
        for together in _together(rows, by_user=self.connector.by_user):
            text = self._lines(together)
            if text:
                file.write(text)
                file.note(due for due, _ in together)
                file.lines += text.count(b"\n")
            else:
                unwritable.extend(due for due, _ in together)
        self._set_aside(file, unwritable)
        if file.size >= self.connector.most_bytes or file.lines >= self.connector.most_lines:
            self._open.pop((file.destination, file.partition), None)

    def _lines(self, together: Sequence[tuple[Due, Member]]) -> bytes:
        changes = [Change(member, Operation.ADD if due.wanted else Operation.REMOVE) for due, member in together]
        try:
            return b"".join(self.connector.lines(changes))
        except (IntegrationError, ValueError, TypeError, KeyError):
            return b""

    def _set_aside(self, file: Writer, rows: list[Due]) -> None:
        for wanted in (True, False):
            found = [due.row for due in rows if due.wanted is wanted]
            if found:
                finishing.dead(self.cursor, Claim(file.batch, wanted, found), UNWRITABLE, "", self.now)

    def _file(self, key: FileKey) -> Writer:
        """The file that is open for it, or a new one, with a line in the log."""
        if key in self._open:
            return self._open[key]
        destination, partition = key
        name = self._name(partition)
        file = Writer(self.folder, uuid4(), destination, partition, name, self.now)
        file.write(self.connector.header(partition, name, self.now))
        entry = Entry(BUCKET, file.batch, 0, request_excerpt=name)
        log.start(self.cursor, entry, self.target.platform, [], "file", self.now)
        self._open[key] = file
        self.files.append(file)
        return file

    def _name(self, partition: str) -> str:
        """One that no other file of the platform has."""
        number = 0
        while True:
            name = self.connector.file_name(partition, self.now, number)
            used = self.cursor.execute(NAMES, [self.target.platform, name]).fetchone() is not None
            if name not in self._names and not used:
                self._names.add(name)
                return name
            number += 1


def _together(rows: list[tuple[Due, Member]], *, by_user: bool) -> Iterator[Sequence[tuple[Due, Member]]]:
    """What goes into `lines` at once: all of an id, or each change by itself."""
    if not by_user:
        yield from ([row] for row in rows)
        return
    for _, found in groupby(rows, key=lambda row: row[0].row.platform_user_id):
        yield list(found)
