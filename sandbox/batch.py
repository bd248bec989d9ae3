"""Reading a micro-batch: `[{"segment":12345,"userid":"abcdef123"}, …]`, 1 to 1000 rows, all or nothing.

A good batch is decoded as a whole. Only a bad one is read row by row, to name every bad row.
"""

from collections.abc import Container
from typing import Any

import msgspec

from sandbox.exchange import RejectedError, SandboxRequest
from sandbox.ledger import MemberRow

MOST_ROWS = 1000
UNEXPANDED = frozenset({"[[USERID]]", "{{userid}}"})

_rows = msgspec.json.Decoder(list[MemberRow])


def read_rows(request: SandboxRequest, segments: Container[int]) -> list[MemberRow]:
    """Return the rows if every one is good.

    Raises `RejectedError`: 415 for another media type than JSON, 413 for too many rows, 400 with the bad rows.
    """
    _require_json(request)
    try:
        rows = _rows.decode(request.body)
    except msgspec.DecodeError as error:
        raise _explain(request.body, segments, error) from error
    if not rows:
        raise RejectedError(400, "the batch is empty")
    if len(rows) > MOST_ROWS:
        raise RejectedError(413, f"{len(rows)} rows, at most {MOST_ROWS}")
    if _has_bad_rows(rows, segments):
        raise _explain(request.body, segments, None)
    return rows


def _require_json(request: SandboxRequest) -> None:
    media_type = request.media_type
    if media_type != "application/json":
        raise RejectedError(415, f"Content-Type {media_type or 'missing'}, expected application/json")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RejectedError(415, "no Content-Encoding is understood")


def _has_bad_rows(rows: list[MemberRow], segments: Container[int]) -> bool:
    unknown = any(number not in segments for number in {row.segment for row in rows})
    userids = {row.userid for row in rows}
    return unknown or "" in userids or not UNEXPANDED.isdisjoint(userids) or len(set(rows)) < len(rows)


def _explain(body: bytes, segments: Container[int], error: msgspec.DecodeError | None) -> RejectedError:
    try:
        entries = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return RejectedError(400, f"not JSON: {error}")
    if not isinstance(entries, list):
        return RejectedError(400, "expected a JSON list of rows")
    if len(entries) > MOST_ROWS:
        return RejectedError(413, f"{len(entries)} rows, at most {MOST_ROWS}")
    return RejectedError(400, "nothing applied", rows=_bad_rows(entries, segments))


def _bad_rows(entries: list[object], segments: Container[int]) -> list[dict[str, Any]]:
    seen: set[MemberRow] = set()
    found: list[dict[str, Any]] = []
    for index, entry in enumerate(entries):
        reason = _error_of(entry, segments, seen)
        if reason:
            found.append({"row": index, "error": reason})
    return found


def _error_of(entry: object, segments: Container[int], seen: set[MemberRow]) -> str | None:
    try:
        row = msgspec.convert(entry, MemberRow)
    except msgspec.ValidationError as error:
        return str(error)
    reason = None
    if row.segment not in segments:
        reason = f"no segment {row.segment}"
    elif not row.userid:
        reason = "userid is empty"
    elif row.userid in UNEXPANDED:
        reason = "userid is a macro that nobody replaced"
    elif row in seen:
        reason = "the same userid and segment twice"
    seen.add(row)
    return reason
