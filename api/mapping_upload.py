"""`mappings/upload/`: a match table, read as it arrives; the answer has a line for each line of it."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.http import FileResponse
from rest_framework.exceptions import ErrorDetail, ParseError, ValidationError
from rest_framework.request import Request

from api.access import scope_of
from api.uploads import LONGEST, NDJSON, lines_of, owner_of, upload_place
from core import audit, clock
from core.inbox import InboxCommand
from core.limits import RequestLimits
from core.models import Customer
from core.own_ids import words_in
from core.transactions import send
from integrations.models import Platform
from pipeline.backlog import Backpressure
from profiles.match_lines import BadLineError, MatchLines
from profiles.personal.protection import Protection

BATCH = 5_000  # lines a commit
MOST_ANSWER = 64 * 1024 * 1024  # bytes of what is told of single lines
IN_MEMORY = 1024 * 1024  # bytes of the answer; the rest waits in a temporary file


@dataclass(slots=True)
class LineCounts:
    lines: int = 0
    stored: int = 0
    errors: int = 0


@dataclass(slots=True)
class MappingUpload:
    """One match table under way. Empty lines are skipped, but counted as lines.

    `all_lines`: the answer has a line for every line, not only for bad ones.

    The answer is kept back until the body has been read: a sender that does not read while it sends, as most
    do not, would otherwise wait for us while we wait for it.
    """

    table: MatchLines
    answer: IO[bytes]
    all_lines: bool
    counts: LineCounts = field(default_factory=LineCounts)
    backpressure: Backpressure = field(default_factory=Backpressure)
    _rows: list[InboxCommand] = field(default_factory=list)

    def take(self, lines: Iterator[bytes | None]) -> None:
        """Read every line, and commit batch by batch. What was committed stays, whatever follows."""
        try:
            for raw in lines:
                self._take_line(raw)
                if len(self._rows) >= BATCH:
                    self._commit()
        except ParseError as broken:
            self._commit()
            raise ParseError(f"{broken.detail} The {self.counts.lines} lines before that were read.") from None
        self._commit()
        self._tell(lines=self.counts.lines, stored=self.counts.stored, errors=self.counts.errors)

    def _take_line(self, raw: bytes | None) -> None:
        self.counts.lines += 1
        if raw is not None and not raw.strip():
            return
        try:
            self._take_good(raw)
        except BadLineError as error:
            self.counts.errors += 1
            self._tell_of_line(line=self.counts.lines, status="error", message=str(error))

    def _take_good(self, raw: bytes | None) -> None:
        if raw is None:
            raise BadLineError(f"a line may have {LONGEST} bytes at most")
        self._rows.append(self.table.read(raw, clock.now()))
        self.counts.stored += 1
        if self.all_lines:
            self._tell_of_line(line=self.counts.lines, status="stored")

    def _commit(self) -> None:
        if self._rows:
            self.backpressure.wait()
            send(self._rows)
            self._rows = []

    def _tell_of_line(self, **said: Any) -> None:
        """Tell of one line, unless the answer is long enough: then lines are counted only."""
        if self.answer.tell() < MOST_ANSWER:
            self._tell(**said)

    def _tell(self, **said: Any) -> None:
        self.answer.write(json.dumps(said, ensure_ascii=False).encode() + b"\n")


def upload(request: Request) -> FileResponse:
    """Read the table in. The answer has a line for each bad line, and the counts as its last line."""
    all_lines = _wants_all(request)
    customers = list(scope_of(request).of(Customer))
    protections = {customer.m: Protection.of_customer(customer) for customer in customers}
    own_words = {customer.m: words_in(customer.nobody_words) for customer in customers}
    table = MatchLines(_platforms(request), protections, RequestLimits(), own_words)
    with upload_place(owner_of(request)):
        answer = _temporary_file()  # the response closes it
        table_upload = MappingUpload(table, answer, all_lines)
        table_upload.take(lines_of(request))
        audit.record("upload", "user_mapping", customer=scope_of(request).only, after=asdict(table_upload.counts))
        answer.seek(0)
        return FileResponse(answer, content_type=NDJSON)


def _temporary_file() -> Any:
    return SpooledTemporaryFile(IN_MEMORY)


def _wants_all(request: Request) -> bool:
    unknown = request.query_params.keys() - {"results"}
    results = request.query_params.get("results", "errors")
    if unknown or results not in {"errors", "all"}:
        message = ErrorDetail("The only parameter is results: errors (the default) or all.", "invalid")
        raise ValidationError({next(iter(unknown), "results"): message})
    return results == "all"


def _platforms(request: Request) -> dict[int, int]:
    return dict(scope_of(request).of(Platform).filter(enabled=True).values_list("pl", "customer_id"))
