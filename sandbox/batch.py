"""Reading a micro-batch: `[{"segment":12345,"userid":"abcdef123"}, …]`, 1 to 1000 rows, all or nothing.

A good batch is decoded in one go; only a bad one is looked at row by row, to name every culprit.
"""

from collections.abc import Container
from typing import Any

import msgspec

from sandbox.exchange import RefusedError, Request
from sandbox.ledger import Row

MOST_ROWS = 1000
UNEXPANDED = frozenset({"[[USERID]]", "{{userid}}"})

_rows = msgspec.json.Decoder(list[Row])


def read_rows(request: Request, segments: Container[int]) -> list[Row]:
    """The rows, every one good; Refused 415 not JSON by its type, 413 too many, 400 naming the bad rows."""
    _require_json(request.headers)
    try:
        rows = _rows.decode(request.body)
    except msgspec.DecodeError as error:
        raise _explain(request.body, segments, error) from error
    if not rows:
        raise RefusedError(400, "the batch is empty")
    if len(rows) > MOST_ROWS:
        raise RefusedError(413, f"{len(rows)} rows, at most {MOST_ROWS}")
    if _suspect(rows, segments):
        raise _explain(request.body, segments, None)
    return rows


def _require_json(headers: dict[str, str]) -> None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RefusedError(415, f"Content-Type {media_type or 'missing'}, expected application/json")
    if headers.get("content-encoding", "identity") != "identity":
        raise RefusedError(415, "no Content-Encoding is understood")


def _suspect(rows: list[Row], segments: Container[int]) -> bool:
    unknown = any(number not in segments for number in {row.segment for row in rows})
    userids = {row.userid for row in rows}
    return unknown or "" in userids or not UNEXPANDED.isdisjoint(userids) or len(set(rows)) < len(rows)


def _explain(body: bytes, segments: Container[int], error: msgspec.DecodeError | None) -> RefusedError:
    try:
        entries = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return RefusedError(400, f"not JSON: {error}")
    if not isinstance(entries, list):
        return RefusedError(400, "expected a JSON list of rows")
    if len(entries) > MOST_ROWS:
        return RefusedError(413, f"{len(entries)} rows, at most {MOST_ROWS}")
    return RefusedError(400, "nothing applied", rows=_culprits(entries, segments))


def _culprits(entries: list[object], segments: Container[int]) -> list[dict[str, Any]]:
    seen: set[Row] = set()
    culprits: list[dict[str, Any]] = []
    for index, entry in enumerate(entries):
        reason = _fault_of(entry, segments, seen)
        if reason:
            culprits.append({"row": index, "error": reason})
    return culprits


def _fault_of(entry: object, segments: Container[int], seen: set[Row]) -> str | None:
    try:
        row = msgspec.convert(entry, Row)
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
