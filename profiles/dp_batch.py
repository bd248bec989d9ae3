"""`POST /dp/batch`: many events of a server in one request, a line each.

The lines go through the inbox a few at a time, and the next few when those are committed: beside a batch,
`/dp` meets neither a full queue nor a busy loop.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from edge import answers
from edge.answers import Answer, Refused
from edge.api_keys import API_KEYS, check_writer
from edge.inbox import Inbox, RowRefused, Unavailable
from edge.kinds import Kind
from edge.limits import Limits
from edge.request import Request
from edge.snapshot import Snapshot
from profiles.dp_lines import Lines
from profiles.dp_pixels import COLLECTION, CollectingPixel, named
from usersync.consent import Judge

MOST_LINES = 10_000
WHOLE = Limits(body_bytes=16 * 1024 * 1024, body_seconds=60.0)
AT_ONCE = 2
CHUNK_LINES, CHUNK_BYTES = 200, 256 * 1024

_KNOWN = {"m", "id"}
_BUSY = answers.plain(503, "busy", f"{AT_ONCE} batches at once: try again soon", answers.RETRY_AFTER)
_TOO_MANY = answers.plain(413, "too-large", f"more than {MOST_LINES} lines")

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

    def refuse(self, line: int, answer: Answer) -> None:
        self.errors.append(LineError(line, answer.name, answer.body["body"].decode().strip()))


class BatchRoute:
    """Answers 200 with the lines that were not accepted; all others are committed."""

    def __init__(self, inbox: Inbox, snapshot: Snapshot, limits: Limits, judge: Judge) -> None:
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
            report = await self._take(lines, Lines(pixel, self._judge, self._limits, time.time_ns() // 1_000_000))
        finally:
            self._under_way -= 1
        return _answer(report, len(lines))

    def _pixel(self, request: Request) -> CollectingPixel:
        """Whose data it is, once the key is known to be allowed to write it."""
        if self._snapshot.current is None:
            raise Unavailable
        query = request.query()
        for name in query.repeated:
            if name in _KNOWN:
                raise answers.bad(name)
        keys = self._snapshot.current[API_KEYS]
        collection = self._snapshot.current[COLLECTION]
        customer = collection.customers.get(query.values.get("m") or "")
        check_writer(request.authorization, keys, customer)
        return named(query.values, collection)

    async def _take(self, lines: Sequence[Numbered], reader: Lines) -> Report:
        report = Report(0, [])
        for chunk in _chunks(lines):
            waiting = self._append(chunk, reader, report)
            for number, answer in await _outcomes(waiting):
                if answer is None:
                    report.accepted += 1
                else:
                    report.refuse(number, answer)
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
                waiting.append((number, self._inbox.append(entry.bucket, Kind.EVENT, entry.query, entry.body)))
            except Refused as refusal:
                report.refuse(number, refusal.answer)
            except Unavailable:
                report.refuse(number, answers.UNAVAILABLE)
        return waiting


async def _outcomes(waiting: list[tuple[int, "asyncio.Future[None]"]]) -> list[tuple[int, Answer | None]]:
    """Per line: None where it is committed, else why it is not."""
    results = await asyncio.gather(*(future for _, future in waiting), return_exceptions=True)
    return [(number, _verdict(result)) for (number, _), result in zip(waiting, results, strict=True)]


def _verdict(result: BaseException | None) -> Answer | None:
    match result:
        case None:
            return None
        case Unavailable():
            return answers.UNAVAILABLE
        case RowRefused():
            return answers.bad("data").answer
    raise result


def _numbered(body: bytes) -> list[Numbered]:
    """The lines that hold something, and their numbers."""
    lines = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    if len(lines) > MOST_LINES:
        raise Refused(_TOO_MANY)
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
    if report.errors and not report.accepted and all(e.status == answers.UNAVAILABLE.name for e in report.errors):
        return answers.UNAVAILABLE
    told: dict[str, Any] = {"lines": lines, "accepted": report.accepted, "errors": report.errors}
    name = "partly-accepted" if report.errors else "accepted"
    return Answer(200, name, b"application/json", msgspec.json.encode(told))
