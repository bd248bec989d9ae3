"""An import at work: a batch of the file in each transaction, until the end of the file or until it is cancelled."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import msgspec
from django.conf import settings

from core.database import Connection, connect
from core.wakeups import ABSORB, wakeups
from pipeline.imports import copying
from pipeline.imports.destination import destination_of
from pipeline.imports.errors import ErrorFile, RowErrors, UnreadableFileError
from pipeline.imports.files import LOOKED_AT, data_file, errors_file, forget_data, write_sample
from pipeline.imports.formats import RowFile, rows_in
from pipeline.imports.lists import end_list, listing_of
from pipeline.imports.opening import OpenedFile, opened
from pipeline.imports.options import options_of
from pipeline.imports.preview import Preview
from pipeline.imports.progress import ImportProgress
from pipeline.imports.reading import RowBatch
from pipeline.imports.translation import BatchTranslation
from pipeline.models import Import

Status = Import.Status


class Waits(Protocol):
    """Lets others go first: `wait` blocks while the inbox is too full (`pipeline.backlog`)."""

    def wait(self) -> None: ...


def run(row: Import, backpressure: Waits, report_read: Callable[[int], None] = lambda _: None) -> None:
    """Import the rest of the file. Calls `report_read` after each batch with the bytes of the file read so far.

    The import's own row says how it ended: done, or failed and why. Raises ImportStoppedError if the import has ended,
    was cancelled, or is in the hands of another process.
    """
    # not durable: a batch's rows and the position are committed together, so both may be lost; the end is durable
    with closing(connect(durable=False)) as connection:
        copying.widen_send_buffer(connection)
        progress = ImportProgress.begin(connection, row.pk)
        importing = _ImportRun(row, connection, progress, backpressure, report_read)
        try:
            report = importing.work()
        except UnreadableFileError as error:
            progress.end(Status.FAILED, str(error), importing.report_columns())
        else:
            progress.end(Status.DONE, report=report)
        row.refresh_from_db()
        end_list(row)
        if not (row.dry_run and row.status in LOOKED_AT):
            forget_data(row)


@dataclass(slots=True)
class _ImportRun:
    row: Import
    connection: Connection
    progress: ImportProgress
    backpressure: Waits
    report_read: Callable[[int], None]
    file: RowFile | None = None

    def work(self) -> str | None:
        """Returns the report of a dry run. Raises ImportStoppedError, UnreadableFileError."""
        if self.row.dry_run:
            self.progress.start_again()  # a dry run looks at the whole file, also after a kill
        with (
            opened(data_file(self.row)) as opening,
            ErrorFile(errors_file(self.row.pk), self.progress.errors_bytes) as errors,
        ):
            options = options_of(self.row.options)
            self.file = found = rows_in(opening, self.row.format, options)
            listing = listing_of(self.row, options)
            translation = BatchTranslation(found, destination_of(self.row, listing), options)
            if self.row.dry_run:
                return self._look(opening, found.batches(), translation, errors)
            for batch in _rest(found.batches(), self.progress.position):
                self._store(opening, batch, translation, errors)
        return None

    def _store(self, opening: OpenedFile, batch: RowBatch, translation: BatchTranslation, errors: ErrorFile) -> None:
        """Append a batch to the inbox; its rows and the new position are committed in one transaction."""
        self.backpressure.wait()
        bad_rows: RowErrors = []
        stored = 0
        with self.connection.transaction(), self.connection.cursor() as cursor:
            with cursor.copy(copying.COPY) as copy:
                copy.write(copying.BEGIN)
                for count, events in translation.events(batch, bad_rows):
                    copy.write(events)
                    stored += count
                copy.write(copying.END)
            self.progress.advance(
                cursor,
                rows=len(batch.rows),
                stored=stored,
                errors=len(bad_rows),
                errors_bytes=errors.write(bad_rows, batch.line_of),
                read=opening.read,
            )
        wakeups(settings.REDIS_URL).wake(ABSORB, 0)
        self.report_read(opening.read)

    def _look(
        self, opening: OpenedFile, batches: Iterator[RowBatch], translation: BatchTranslation, errors: ErrorFile
    ) -> str:
        preview = Preview(self.connection, self.row.customer_id)
        preview.start()
        for batch in batches:
            bad_rows: RowErrors = []
            good_rows = list(translation.rows(batch, bad_rows))
            errors_bytes = errors.write(bad_rows, batch.line_of)
            with self.connection.transaction(), self.connection.cursor() as cursor:
                preview.look(cursor, good_rows, batch.line_of)
                self.progress.advance(
                    cursor,
                    rows=len(batch.rows),
                    stored=len(good_rows),
                    errors=len(bad_rows),
                    errors_bytes=errors_bytes,
                    read=opening.read,
                )
            self.report_read(opening.read)
        write_sample(self.row.pk, preview.sample)
        columns = self.file.columns if self.file else []
        return preview.report(good=self.progress.stored, bad=self.progress.errors, columns=columns)

    def report_columns(self) -> str | None:
        """Returns the report of a dry run that failed: what the file's columns are called, if that is known."""
        columns = self.file.columns if self.file and self.row.dry_run else []
        return msgspec.json.encode({"columns": columns}).decode() if columns else None


def _rest(batches: Iterator[RowBatch], position: int) -> Iterator[RowBatch]:
    """Yields the batches after the first `position` rows, which have been dealt with already."""
    for batch in batches:
        left = batch.after(position)
        if left.rows:
            yield left
