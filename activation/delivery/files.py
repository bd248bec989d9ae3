"""The file strategy: every few minutes, what changed goes into files, one for each destination and partition.

One sender holds the platform's file lane, marked open, and goes bucket by bucket. The files are uploaded under a
temporary name and renamed; their rows are finished from a list that was written beside each.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import Cursor

from activation.delivery import file_rows, lanes, log, outcomes, removals
from activation.delivery.claims import Claim, Row
from activation.delivery.file_rows import Due, Listed
from activation.delivery.file_writer import Writer
from activation.delivery.lane_worker import usable
from activation.delivery.log import Entry
from activation.delivery.members import members_of
from activation.delivery.platform_client import Gate, NotNowError
from activation.delivery.sending_files import Sending
from activation.delivery.targets import Target
from core import clock
from core.buckets import BUCKETS
from integrations.connectors.base import Member, Operation
from integrations.connectors.files import Destination, FileConnector, MemberChange
from integrations.errors import IntegrationError

Connection = psycopg.Connection[tuple[Any, ...]]

# the bucket in which files are logged
BUCKET = 0
NAMES = "SELECT 1 FROM uploaded_file WHERE platform_id = %s AND file_name = %s"
UNWRITABLE = "this id cannot stand in the platform's file"

ADD, REMOVE = Operation.ADD, Operation.REMOVE
NOBODY = UUID(int=0)
_by_id = itemgetter(2)

FileKey = tuple[Destination, str]  # where it goes, and its partition


def drain(connection: Connection, platform: int, keep_on: Callable[[], bool]) -> int:
    """Write and upload what is due; answers how many rows. Then the lane rests until the interval is over.

    Does nothing where somebody else holds the lane, or where the platform is not to be called now.
    """
    with connection.cursor(binary=True) as cursor:
        found = usable(cursor, platform)
        if found is None or not isinstance(found.connector, FileConnector) or not keep_on():
            return 0
        now = clock.now()
        lease = lanes.lease(cursor, platform, lanes.FILES, now, found.lease_duration)
        if lease is None:
            return 0
        log.abandon(cursor, platform, BUCKET, now)
        removals.let_go(cursor, found, list(range(BUCKETS)), now)
        gate = Gate(connection, cursor, found, lease)
        if not gate.opens(now):
            lease.release(cursor)
            return 0
        lease.open(cursor)
        rows = _run(gate, found.connector, now)
        _rest(gate, found.connector, now, wrote=rows > 0)
        return rows


def _run(gate: Gate, connector: FileConnector, now: datetime) -> int:
    with tempfile.TemporaryDirectory(prefix="dmphub-files-") as folder:
        run = _Run(gate, connector, Path(folder), now)
        try:
            run.write()
        except NotNowError:
            return 0
        return Sending(gate, connector, run.files).send()


def _rest(gate: Gate, connector: FileConnector, now: datetime, *, wrote: bool) -> None:
    """At most one round an interval, beginning with its first minute."""
    gate.lease.close(gate.cursor)
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
        activations = sorted(self.target.segments)
        for bucket in range(BUCKETS):
            if not self.gate.stays():
                raise NotNowError
            self._bucket(bucket, activations)
        for file in self.files:
            file.close()

    @property
    def cursor(self) -> Cursor[Any]:
        return self.gate.cursor

    @property
    def target(self) -> Target:
        return self.gate.target

    def _bucket(self, bucket: int, activations: Sequence[int]) -> None:
        """In lists, where the connector takes them and nothing is strange about the ids; else row by row."""
        lists = None
        if self.connector.has_lines_of_ids:
            lists = file_rows.listed(self.cursor, activations, bucket, self.now)
        if lists is not None and self._write_lists(bucket, lists):
            return
        found = file_rows.due(self.cursor, activations, bucket, self.now)
        if found:
            self._rows(bucket, found)

    def _write_lists(self, bucket: int, lists: Sequence[Listed]) -> bool:
        """False, and nothing is written, where the connector has no line for some of it."""
        texts = [self.connector.lines_of_ids(one.ids, ADD if one.wanted else REMOVE) for one in lists]
        if not all(texts):
            return False
        for one, text in zip(lists, texts, strict=True):
            member = Member(self.target.segments[one.activation], "", NOBODY)
            file = self._file((self._usual, self.connector.partition(member)))
            file.write(text)
            file.note_listed(bucket, one)
            self._close_where_full(file)
        return True

    def _rows(self, bucket: int, found: list[Due]) -> None:
        if self.connector.by_user:
            found.sort(key=_by_id)
        where: dict[FileKey, list[tuple[Due, Member]]] = defaultdict(list)
        partition, going = self.connector.partition, self._destination
        for due, member in zip(found, self._members(bucket, found), strict=True):
            where[going(member), partition(member)].append((due, member))
        for key, rows in where.items():
            self._write(self._file(key), bucket, rows)

    def _members(self, bucket: int, found: list[Due]) -> list[Member]:
        connector, segments = self.connector, self.target.segments
        if not connector.wants_extra and not connector.wanted_attributes:
            return [Member(segments[activation], known_as, user) for activation, _, known_as, user in found]
        rows = [Row(bucket, activation, known_as, user, 1) for activation, _, known_as, user in found]
        return members_of(self.cursor, connector, self.target.platform, segments, rows)

    def _destination(self, member: Member) -> Destination:
        return self.connector.destination_of(member.extra) if member.extra else self._usual

    @cached_property
    def _usual(self) -> Destination:
        return self.connector.destination_of({})

    def _write(self, file: Writer, bucket: int, rows: list[tuple[Due, Member]]) -> None:
        texts: list[bytes] = []
        notes: list[str] = []
        unwritable: list[Due] = []
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

    def _close_where_full(self, file: Writer) -> None:
        if file.size >= self.connector.most_bytes or file.lines >= self.connector.most_lines:
            self._open.pop((file.destination, file.partition), None)

    def _together(self, rows: list[tuple[Due, Member]]) -> Iterable[Sequence[tuple[Due, Member]]]:
        """What goes into `lines` at once: all of an id, or each change by itself."""
        if not self.connector.by_user:
            return zip(rows, strict=True)
        return (list(found) for _, found in groupby(rows, key=lambda row: row[0][2]))

    def _lines(self, together: Sequence[tuple[Due, Member]]) -> bytes:
        """Nothing, where the id cannot stand in the file."""
        if "\n" in together[0][0][2]:
            return b""
        changes = [MemberChange(member, ADD if due[1] else REMOVE) for due, member in together]
        try:
            return b"".join(self.connector.lines(changes))
        except (IntegrationError, ValueError, TypeError, KeyError):
            return b""

    def _set_aside(self, file: Writer, bucket: int, rows: list[Due]) -> None:
        """They are claimed, to be dead at once."""
        file_rows.claim(self.cursor, file.batch, [(bucket, *due[:3]) for due in rows])
        for wanted in (True, False):
            found = [Row(bucket, due[0], due[2], due[3], 1) for due in rows if due[1] is wanted]
            if found:
                outcomes.dead(self.cursor, Claim(file.batch, wanted, found), UNWRITABLE, "", self.now)

    def _file(self, key: FileKey) -> Writer:
        """The file that is open for it, or a new one, with a line in the log."""
        if key in self._open:
            return self._open[key]
        destination, partition = key
        name = self._name(partition)
        file = Writer(self.folder, uuid4(), destination, partition, name, self.now)
        file.begin(self.connector.header(partition, name, self.now))
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
