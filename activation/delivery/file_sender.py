"""Uploads the files of one round, and finishes their rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import Cursor

from activation.delivery import activation_status, host_keys, processing_log
from activation.delivery.file_writer import FileWriter
from activation.delivery.platform_client import NotNowError, PlatformClient
from activation.delivery.quotas import QuotaExhaustedError
from activation.delivery.settlement import expiry
from activation.stores import batches, dead_letters, file_rows
from activation.stores.batches import OWN_BUCKET, BatchRecord
from core import clock
from core.database import Connection
from integrations.connectors.files import FileConnector, SftpDestination
from integrations.errors import (
    IntegrationError,
    RateLimitedError,
    RefusedError,
    RetriableError,
    UnansweredError,
    UnsettledError,
)
from integrations.uploads.folder import FileOwner
from integrations.uploads.upload import FileUpload, upload

# so long after an upload broke off, what it left at the platform is looked for
LEFT_BEHIND_FOR = timedelta(days=1)
# rows of a file that are finished in one transaction
PAGE = 5_000


@dataclass(slots=True)
class FileSender:
    """The files of one round. A fault of the platform keeps the later files back; their rows stay due."""

    connection: Connection
    cursor: Cursor[Any]
    client: PlatformClient
    connector: FileConnector
    files: list[FileWriter]

    def send(self) -> int:
        """Upload the files one after another. Returns how many rows they held."""
        rows = 0
        trouble: IntegrationError | NotNowError | None = None
        for file in self.files:
            if trouble is None:
                trouble = self._send(file)
            else:
                self._finish_log(file, error=str(trouble) or "nothing was sent")
            rows += file.rows
        return rows

    def _send(self, file: FileWriter) -> IntegrationError | NotNowError | None:
        """Upload one file. Returns what keeps the other files back, if anything does."""
        batches.set_activations(self.cursor, BatchRecord(OWN_BUCKET, file.batch, file.rows), sorted(file.activations))
        if not file.rows:
            self._finish_log(file)
            return None
        try:
            self._upload(file)
        except NotNowError as late:
            self._mark_unknown(file)
            self._finish_log(file, error="the lane was lost")
            return late
        except IntegrationError as failure:
            self._failed(file, failure)
            return failure
        self._done(file)
        return None

    def _upload(self, file: FileWriter) -> None:
        self.client.reserve(files=1, size=file.size)
        self._keep_lease()  # a step of the upload ends before a lease that was just renewed
        platform, destination = self.client.target.platform, file.destination
        host = destination.address if isinstance(destination, SftpDestination) else ""
        known, timeout = host_keys.known(platform, host), self.connector.timeout
        owner = FileOwner(self.client.target.customer, platform)
        left = batches.left_behind(self.cursor, platform, clock.now() - LEFT_BEHIND_FOR) if host else {}
        file_upload = FileUpload(file.path, file.name, known, self._keep_lease, timeout, owner, tuple(left))
        with self._counted():
            uploaded = upload(destination, file_upload, self.connector.bound)
        batches.note_removed(self.cursor, [left[name] for name in uploaded.removed])
        if uploaded.key and not known:
            host_keys.pin(platform, host, uploaded.key)

    def _keep_lease(self) -> None:
        if not self.client.renew_lease():
            raise NotNowError

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Record success or failure of an upload with the circuit breaker."""
        try:
            yield
        except RateLimitedError as failure:
            self.client.wait(failure)
            raise
        except RetriableError as failure:
            self.client.record_failure(failure)
            raise
        self.client.record_success()

    def _done(self, file: FileWriter) -> None:
        at, platform = clock.now(), self.client.target.platform
        processing_log.remember(self.connection, self.connector, platform, file, at)
        has_letters = dead_letters.exist(self.cursor, platform)
        expires_at = expiry(self.connector, at, added=True)
        for rows in file.noted(PAGE):
            with self.connection.transaction():
                file_rows.done(self.cursor, self.client.lease, file.batch, rows, at, expires_at)
                if has_letters:
                    dead_letters.delete(
                        self.cursor, [(bucket, activation, known) for bucket, activation, _, known in rows]
                    )
            self.client.renew_lease()
        self._finish_log(file, accepted=file.rows)
        activation_status.show_trouble(file.activations, "")

    def _failed(self, file: FileWriter, failure: IntegrationError) -> None:
        """The rows are not to blame: they stay due, and a fault of the file costs them no attempt.

        A refusal concerns every file that follows, so a person has to act.
        """
        may_have_arrived = isinstance(failure, RetriableError | UnsettledError)
        if may_have_arrived and not isinstance(failure, QuotaExhaustedError):
            self._mark_unknown(file)
        self._finish_log(file, error=str(failure), unanswered=isinstance(failure, UnansweredError))
        if isinstance(failure, RefusedError):
            activation_status.mark_broken(self.client.target.platform, sorted(file.activations), failure)
        elif not isinstance(failure, QuotaExhaustedError):
            activation_status.show_trouble(file.activations, str(failure))

    def _mark_unknown(self, file: FileWriter) -> None:
        """The file may have arrived: the rows are sent again, as they are wanted then, until a later file settles it.

        If the lane is somebody else's by now, nothing is changed: that sender found the lane open.
        """
        for rows in file.noted(PAGE):
            file_rows.unknown(self.cursor, self.client.lease, rows, clock.now())
            self.client.renew_lease()

    def _finish_log(self, file: FileWriter, *, error: str = "", accepted: int = 0, unanswered: bool = False) -> None:
        record = BatchRecord(OWN_BUCKET, file.batch, file.rows, accepted, requests=1, bytes=file.size, error=error)
        record.unanswered = unanswered
        batches.finish(self.cursor, record, clock.now())
