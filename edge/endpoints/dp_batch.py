"""`POST /dp/batch`: many events of a server in one request, a line each.

The lines go through the inbox a few at a time, and the next few when those are committed: beside a batch,
`/dp` meets neither a full queue nor a busy loop.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from core import clock
from core.api_keys import check_writer
from core.errors import InputError, InputTooLargeError, InvalidParameterError
from core.inbox import InboxKind
from core.limits import RequestLimits
from edge import answers
from edge.answers import Answer
from edge.endpoints.batch_lines import Lines
from edge.group_commit import Inbox, RowRefusedError, UnavailableError
from edge.refusals import UNAVAILABLE, Refusal, refusal_of
from edge.request import Request
from edge.sections.api_keys import API_KEYS
from edge.sections.pixels import COLLECTION, CollectingPixel, named
from edge.snapshot import Snapshot
from usersync.consent import ConsentJudge

MOST_LINES = 10_000
WHOLE = RequestLimits(body_bytes=16 * 1024 * 1024, body_seconds=60.0)
AT_ONCE = 2
CHUNK_LINES, CHUNK_BYTES = 200, 256 * 1024

_KNOWN = {"m", "id"}
_BUSY = answers.plain(503, "busy", f"{AT_ONCE} batches at once: try again soon", answers.RETRY_AFTER)

Numbered = tuple[int, bytes]


class LineError(msgspec.Struct):
    """`line` counts from 1; `status`: as `/dp` would name it."""

    line: int
    status: str
    message: str


@dataclass(slots=True)
class Report:
    """What became of a batch."""

    accepted: int
    errors: list[LineError]

    def refuse(self, line: int, refusal: Refusal) -> None:
        self.errors.append(LineError(line, refusal.name, refusal.text))


class BatchRoute:
    """Answers 200 with the lines that were not accepted; all others are committed."""

    def __init__(self, inbox: Inbox, snapshot: Snapshot, limits: RequestLimits, judge: ConsentJudge) -> None:
        self._inbox = inbox
        self._snapshot = snapshot
        self._limits = limits
        self._judge = judge
        self._under_way = 0

    async def handle(self, request: Request) -> Answer:
        if request.method != "POST":
            raise answers.bad_method("POST")
        pixel = self._pixel(request)
        if self._under_way >= AT_ONCE:
            return _BUSY
        self._under_way += 1
        try:
            lines = _numbered(await request.body(WHOLE))
            report = await self._take(lines, Lines(pixel, self._judge, self._limits, clock.now_ms()))
        finally:
            self._under_way -= 1
        return _answer(report, len(lines))

    def _pixel(self, request: Request) -> CollectingPixel:
        """Whose data it is, once the key is known to be allowed to write it."""
        if self._snapshot.current is None:
            raise UnavailableError
        query = request.query()
        for name in query.repeated:
            if name in _KNOWN:
                raise InvalidParameterError(name)
        keys = self._snapshot.current[API_KEYS]
        collection = self._snapshot.current[COLLECTION]
        customer = collection.customers.get(query.values.get("m") or "")
        check_writer(request.authorization, keys, customer)
        return named(query.values, collection)

    async def _take(self, lines: Sequence[Numbered], reader: Lines) -> Report:
        report = Report(0, [])
        for chunk in _chunks(lines):
            waiting = self._append(chunk, reader, report)
            for number, refusal in await _outcomes(waiting):
                if refusal is None:
                    report.accepted += 1
                else:
                    report.refuse(number, refusal)
            await asyncio.sleep(0)  # also where no line was good: others have their turn
        report.errors.sort(key=lambda error: error.line)
        return report

    def _append(
        self, chunk: Sequence[Numbered], reader: Lines, report: Report
    ) -> list[tuple[int, "asyncio.Future[None]"]]:
        waiting = []
        for number, line in chunk:
            try:
                entry = reader.read(line)
                waiting.append((number, self._inbox.append(entry.bucket, InboxKind.EVENT, entry.query, entry.body)))
            except InputError as error:
                report.refuse(number, refusal_of(error))
            except UnavailableError:
                report.refuse(number, UNAVAILABLE)
        return waiting


async def _outcomes(waiting: list[tuple[int, "asyncio.Future[None]"]]) -> list[tuple[int, Refusal | None]]:
    """Per line: None where it is committed, else why it is not."""
    results = await asyncio.gather(*(future for _, future in waiting), return_exceptions=True)
    return [(number, _verdict(result)) for (number, _), result in zip(waiting, results, strict=True)]


def _verdict(result: BaseException | None) -> Refusal | None:
    match result:
        case None:
            return None
        case UnavailableError():
            return UNAVAILABLE
        case RowRefusedError():
            return refusal_of(InvalidParameterError("data"))
    raise result


def _numbered(body: bytes) -> list[Numbered]:
    """The lines that hold something, and their numbers."""
    lines = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    if len(lines) > MOST_LINES:
        raise InputTooLargeError(f"more than {MOST_LINES} lines")
    return lines


def _chunks(lines: Sequence[Numbered]) -> Iterator[Sequence[Numbered]]:
    chunk: list[Numbered] = []
    room = CHUNK_BYTES
    for number, line in lines:
        chunk.append((number, line))
        room -= len(line)
        if len(chunk) == CHUNK_LINES or room <= 0:
            yield chunk
            chunk, room = [], CHUNK_BYTES
    if chunk:
        yield chunk


def _answer(report: Report, lines: int) -> Answer:
    """503 only where nothing was committed and everything may be sent again."""
    if report.errors and not report.accepted and all(e.status == UNAVAILABLE.name for e in report.errors):
        return answers.UNAVAILABLE
    told: dict[str, Any] = {"lines": lines, "accepted": report.accepted, "errors": report.errors}
    name = "partly-accepted" if report.errors else "accepted"
    return Answer(200, name, b"application/json", msgspec.json.encode(told))
