"""An import at work: a batch of the file a transaction, until its end or until somebody says stop."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings

from core.clock import milliseconds
from core.database import Connection, connect
from core.wakeups import ABSORB, wakeups
from pipeline.imports import copying
from pipeline.imports.errors import ErrorFile
from pipeline.imports.files import data_file, errors_file, forget_data
from pipeline.imports.opening import Opened, opened
from pipeline.imports.preview import Preview
from pipeline.imports.progress import Progress
from pipeline.imports.reading import FILES, Batch
from pipeline.imports.row_errors import UnreadableFileError
from pipeline.imports.rows import Destination
from pipeline.imports.translation import Faults, Translation
from pipeline.models import Import
from profiles.personal.protection import Protection

Status = Import.Status


class Pace(Protocol):
    """Waits while others have more right to the inbox (`pipeline.backlog`)."""

    def wait(self) -> None: ...


def run(row: Import, pace: Pace, tell: Callable[[int], None] = lambda _: None) -> None:
    """Import the rest of the file; `tell` is told how many of its bytes are read.

    What it comes to is said in the import's own row: done, or failed and why. Raises ImportStoppedError where it has
    ended, was cancelled, or is in other hands.
    """
    with closing(connect(durable=False)) as connection:  # rows and position stay or go together; the end is durable
        copying.widen(connection)
        progress = Progress.begin(connection, row.pk)
        try:
            report = _Run(row, connection, progress, pace, tell).work()
        except UnreadableFileError as error:
            progress.end(Status.FAILED, str(error))
        else:
            progress.end(Status.DONE, report=report)
        row.refresh_from_db()
        if not (row.dry_run and row.status == Status.DONE):
            forget_data(row)


@dataclass(slots=True)
class _Run:
    row: Import
    connection: Connection
    progress: Progress
    pace: Pace
    tell: Callable[[int], None]

    def work(self) -> str | None:
        """Answers a dry run's report. Raises ImportStoppedError, UnreadableFileError."""
        if self.row.dry_run:
            self.connection.execute(  # a look is taken at the whole file, also after a kill
                "UPDATE import SET position = 0, stored = 0, errors = 0, errors_bytes = 0 WHERE id = %s", [self.row.pk]
            )
            self.progress.position = self.progress.stored = self.progress.errors = self.progress.errors_bytes = 0
        with (
            opened(data_file(self.row)) as opening,
            ErrorFile(errors_file(self.row.pk), self.progress.errors_bytes) as errors,
        ):
            found = FILES[self.row.format](opening)
            translation = Translation(found, _destination(self.row))
            if self.row.dry_run:
                return self._look(opening, found.batches(), translation, errors)
            for batch in _rest(found.batches(), self.progress.position):
                self._store(opening, batch, translation, errors)
        return None

    def _store(self, opening: Opened, batch: Batch, translation: Translation, errors: ErrorFile) -> None:
        """The rows and the word that they are read are one transaction."""
        self.pace.wait()
        faults: Faults = []
        stored = 0
        with self.connection.transaction(), self.connection.cursor() as cursor:
            with cursor.copy(copying.COPY) as copy:
                copy.write(copying.BEGIN)
                for count, events in translation.events(batch, faults):
                    copy.write(events)
                    stored += count
                copy.write(copying.END)
            valid = errors.write(faults)
            self.progress.advance(cursor, len(batch.rows), stored, len(faults), valid, opening.read)
        wakeups(settings.REDIS_URL).wake(ABSORB, 0)
        self.tell(opening.read)

    def _look(self, opening: Opened, batches: Iterator[Batch], translation: Translation, errors: ErrorFile) -> str:
        preview = Preview(self.connection, self.row.customer_id)
        preview.start()
        for batch in batches:
            faults: Faults = []
            good = list(translation.rows(batch, faults))
            valid = errors.write(faults)
            with self.connection.transaction(), self.connection.cursor() as cursor:
                preview.look(cursor, good)
                self.progress.advance(cursor, len(batch.rows), len(good), len(faults), valid, opening.read)
            self.tell(opening.read)
        good_rows, bad_rows = self.progress.stored, self.progress.errors
        return preview.report(good_rows + bad_rows, good_rows, bad_rows)


def _rest(batches: Iterator[Batch], position: int) -> Iterator[Batch]:
    """What comes after the rows that are dealt with already."""
    for batch in batches:
        left = batch.first + len(batch.rows) - 1 - position
        if left >= len(batch.rows):
            yield batch
        elif left > 0:
            yield Batch(position + 1, batch.rows[-left:])


def _destination(row: Import) -> Destination:
    user_key = row.pixel.user_key
    path = tuple(user_key.split(".")) if user_key else ()
    return Destination(
        customer=row.customer_id,
        pixel=row.pixel_id,
        user_key=path,
        at=milliseconds(row.created_at),
        protection=Protection.of_customer(row.customer),
    )
