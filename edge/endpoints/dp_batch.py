"""`POST /dp/batch`: many events of a server in one request, a line each.

The lines go through the inbox a few at a time, and the next few when those are committed, so that `/dp` meets neither a
full queue nor a busy event loop beside a batch.
"""

import asyncio
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from core import clock
from core.api_keys import check_writer
from core.client_address import TrustedProxies
from core.errors import InputError, InputTooLargeError, InvalidParameterError, RefusedAddressError, UnavailableError
from core.inbox import InboxKind
from core.limits import RequestLimits
from edge import responses
from edge.endpoints.batch_lines import LineReader
from edge.group_commit import RowAppender, RowRefusedError
from edge.key_uses import KeyUses
from edge.refusals import UNAVAILABLE, Refusal, refusal_of
from edge.request import EdgeRequest
from edge.responses import EdgeResponse
from edge.sections.pixels import API_KEYS, COLLECTION, CollectingPixel, named_pixel
from edge.shares import Share, Shares
from edge.snapshot import Snapshot
from usersync.consent import ConsentJudge

MOST_LINES = 10_000
WHOLE = RequestLimits(body_bytes=16 * 1024 * 1024, body_seconds=60.0)
AT_ONCE = 2
CHUNK_LINES, CHUNK_BYTES = 200, 256 * 1024

_KNOWN = {"m", "id"}
_BUSY = responses.plain(503, "busy", f"{AT_ONCE} batches of a customer at once: try again soon", responses.RETRY_AFTER)

Numbered = tuple[int, bytes]


class RejectedLine(msgspec.Struct):
    """`line` counts from 1; `status`: as `/dp` would name it."""

    line: int
    status: str
    message: str


@dataclass(slots=True)
class BatchReport:
    """How many lines were accepted, and why the others were not."""

    accepted: int
    errors: list[RejectedLine]

    def refuse(self, line: int, refusal: Refusal) -> None:
        self.errors.append(RejectedLine(line, refusal.name, refusal.text))


@dataclass(slots=True, kw_only=True)
class BatchEndpoint:
    """Answers 200 with the lines that were not accepted; all others are committed.

    A batch is refused as a whole where the customer's share is used up; what it holds then counts as taken, all of it.
    """

    inbox: RowAppender
    snapshot: Snapshot
    limits: RequestLimits
    judge: ConsentJudge
    proxies: TrustedProxies
    shares: Shares
    uses: KeyUses
    _under_way: Counter[int] = field(default_factory=Counter, init=False)

    async def handle(self, request: EdgeRequest) -> EdgeResponse:
        request.require_method(("POST",))
        pixel = await self._pixel(request)
        if self._under_way[pixel.customer] >= AT_ONCE:
            return _BUSY
        share = self.shares.of(pixel.customer, pixel.limits)
        await share.enter(len(request.raw_query))
        self._under_way[pixel.customer] += 1
        try:
            lines = _numbered(await request.body(WHOLE, share))
            share.charge(events=len(lines))
            report = await self._take(lines, LineReader(pixel, self.judge, self.limits, clock.now_ms()), share)
        finally:
            self._under_way[pixel.customer] -= 1
        return _response(report, len(lines))

    async def _pixel(self, request: EdgeRequest) -> CollectingPixel:
        """Returns the pixel whose data it is, after checking that the key may write it."""
        configuration = self.snapshot.configuration
        query = request.query()
        query.refuse_repeated(_KNOWN)
        collection = configuration[COLLECTION]
        customer = collection.customers.get(query.values.get("m") or "")
        address = request.client(self.proxies)
        try:
            check_writer(request.authorization, configuration[API_KEYS], customer, address, clock.now())
        except RefusedAddressError:
            await self.uses.note(request.authorization, address, refused=True)
            raise
        await self.uses.note(request.authorization, address, refused=False)
        return named_pixel(query.values, collection)

    async def _take(self, lines: Sequence[Numbered], reader: LineReader, share: Share) -> BatchReport:
        report = BatchReport(0, [])
        for chunk in _chunks(lines):
            await share.turn_of_lines(len(chunk))
            waiting = self._append(chunk, reader, report)
            for number, refusal in await _outcomes(waiting):
                if refusal is None:
                    report.accepted += 1
                else:
                    report.refuse(number, refusal)
            await asyncio.sleep(0)  # also if no line was good: other requests get their turn
        report.errors.sort(key=lambda error: error.line)
        return report

    def _append(
        self, chunk: Sequence[Numbered], reader: LineReader, report: BatchReport
    ) -> list[tuple[int, "asyncio.Future[None]"]]:
        waiting = []
        for number, line in chunk:
            try:
                row = reader.read(line)
                waiting.append((number, self.inbox.append(row.bucket, InboxKind.EVENT, row.query, row.body)))
            except InputError as error:
                report.refuse(number, refusal_of(error))
            except UnavailableError:
                report.refuse(number, UNAVAILABLE)
        return waiting


async def _outcomes(waiting: list[tuple[int, "asyncio.Future[None]"]]) -> list[tuple[int, Refusal | None]]:
    """Returns for each line None if it is committed, else why it is not."""
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
    """Returns the lines that are not empty, and their numbers. A byte order mark before them is passed over."""
    lines = [(number, line) for number, line in enumerate(body.removeprefix(BOM_UTF8).split(b"\n"), 1) if line.strip()]
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


def _response(report: BatchReport, lines: int) -> EdgeResponse:
    """503 only where nothing was committed and everything may be sent again."""
    if report.errors and not report.accepted and all(e.status == UNAVAILABLE.name for e in report.errors):
        return responses.UNAVAILABLE
    content: dict[str, Any] = {"lines": lines, "accepted": report.accepted, "errors": report.errors}
    name = "partly-accepted" if report.errors else "accepted"
    return EdgeResponse(200, name, b"application/json", msgspec.json.encode(content))
