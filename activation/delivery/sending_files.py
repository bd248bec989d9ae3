"""Uploading the files of a round, and finishing their rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from activation.delivery import broken, circuit_breaker, file_rows, log, outcomes, processing_log, quotas
from activation.delivery.batch_sender import expiry
from activation.delivery.file_writer import Writer
from activation.delivery.log import Entry
from activation.delivery.platform_client import Gate, NotNowError
from activation.delivery.quotas import QuotaExhaustedError
from activation.models import HostKey
from core import clock
from integrations.connectors.files import FileConnector, SftpDestination
from integrations.errors import IntegrationError, MisconfiguredError, RetriableError, UnansweredError, UnauthorizedError
from integrations.uploads.upload import FileUpload, upload

BUCKET = 0
PAGE = 5_000
ACTIVATIONS = "UPDATE batch SET activations = %s::jsonb WHERE bucket = %s AND id = %s"


@dataclass(slots=True)
class Sending:
    """Each file stands for itself: what happens to one leaves the others alone."""

    gate: Gate
    connector: FileConnector
    files: list[Writer]

    def send(self) -> int:
        """Answers how many rows the files held."""
        rows = 0
        trouble: IntegrationError | NotNowError | None = None
        for file in self.files:
            if trouble is None:
                trouble = self._send(file)
            else:
                self._finish_log(file, error=str(trouble) or "nothing was sent", accepted=0)
            rows += file.rows
        return rows

    def _send(self, file: Writer) -> "IntegrationError | NotNowError | None":
        """What keeps the rest of the files back, if anything does."""
        self.gate.cursor.execute(ACTIVATIONS, [str(sorted(file.activations)), BUCKET, file.batch])
        if not file.rows:
            self._finish_log(file, error="", accepted=0)
            return None
        try:
            self._upload(file)
        except NotNowError as late:
            self._finish_log(file, error="the lane was lost", accepted=0)
            return late
        except IntegrationError as failure:
            self._failed(file, failure)
            return failure
        self._done(file)
        return None

    def _upload(self, file: Writer) -> None:
        self._reserve(file)
        destination = file.destination
        host = f"{destination.host}:{destination.port}" if isinstance(destination, SftpDestination) else ""
        parcel = FileUpload(file.path, file.name, self._known_key(host), self._alive, self.connector.timeout)
        with self._judged():
            key = upload(destination, parcel)
        if key and not parcel.known_key:
            HostKey.objects.update_or_create(
                platform_id=self.gate.target.platform, host=host, defaults={"key": key, "seen_at": clock.now()}
            )

    def _known_key(self, host: str) -> str:
        row = HostKey.objects.filter(platform_id=self.gate.target.platform, host=host).first()
        return "" if row is None else row.key

    def _alive(self) -> None:
        if not self.gate.stays():
            raise NotNowError

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """The breaker hears of it."""
        gate, now = self.gate, clock.now()
        try:
            yield
        except RetriableError as failure:
            circuit_breaker.failed(gate.cursor, gate.target.platform, str(failure), now)
            raise
        if gate.condition.is_troubled:
            circuit_breaker.succeeded(gate.cursor, gate.target.platform, now)

    def _reserve(self, file: Writer) -> None:
        gate, now = self.gate, clock.now()
        if not quotas.is_limited(gate.target.limits, quotas.FILES, quotas.BYTES):
            return
        amounts = {quotas.FILES: 1, quotas.BYTES: file.size}
        try:
            with gate.connection.transaction():
                quotas.reserve(gate.cursor, gate.target.platform, gate.target.limits, now, **amounts)
        except QuotaExhaustedError as full:
            until = now + timedelta(seconds=full.retry_after or 0)
            circuit_breaker.limited(gate.cursor, gate.target.platform, until, str(full), now, slowed=None, counts=False)
            raise

    def _done(self, file: Writer) -> None:
        gate, now = self.gate, clock.now()
        processing_log.uploaded(
            gate.cursor, self.connector, gate.target.platform, file.name, file.batch, file.rows, now
        )
        letters = outcomes.has_letters(gate.cursor, gate.target.platform)
        expires_at = expiry(self.connector, now, added=True)
        for rows in file.noted(PAGE):
            with gate.connection.transaction():
                file_rows.done(gate.cursor, gate.lease, file.batch, rows, now, expires_at)
                if letters:
                    outcomes.forget_letters(gate.cursor, rows)
            gate.stays()
        self._finish_log(file, error="", accepted=file.rows)

    def _failed(self, file: Writer, failure: IntegrationError) -> None:
        """The rows are not to blame: they stay due, and whatever happens to files costs them no attempt."""
        self._finish_log(file, error=str(failure), accepted=0, unanswered=isinstance(failure, UnansweredError))
        if isinstance(failure, UnauthorizedError | MisconfiguredError):
            broken.broke(self.gate.target.platform, sorted(file.activations), str(failure))

    def _finish_log(self, file: Writer, *, error: str, accepted: int, unanswered: bool = False) -> None:
        entry = Entry(
            BUCKET,
            file.batch,
            file.rows,
            accepted=accepted,
            requests=1,
            bytes=file.size,
            error=error,
            unanswered=unanswered,
        )
        log.finish(self.gate.cursor, entry, clock.now())
