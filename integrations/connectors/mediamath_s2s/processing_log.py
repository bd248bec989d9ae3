"""MediaMath's processing log: what became of each file. Its shape is not public, so it is read leniently.

Pages of entries, each about one file: found by where a file's name stands, judged by the words of its status.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import msgspec

from integrations.connectors.files import FileReport, FileStatus
from integrations.errors import RefusedError
from integrations.http import Request, Response

FILE_NAME = re.compile(r"[^/\s]+\.log\.gz")
MOST_CHARACTERS = 2_000

_STATUS = ("status", "state", "result", "outcome", "success")
_REASONS = ("errors", "error", "reasons", "reason", "messages", "message", "warnings", "details")
_LINES = ("line", "line_number", "row")
_BAD = re.compile(r"fail|error|reject|refus|invalid|suspend|^false$", re.IGNORECASE)
_GOOD = re.compile(r"success|complete|processed|accept|done|^ok$|^true$|loaded", re.IGNORECASE)
_UNDECIDED = re.compile(r"process(ing)?$|queue|pending|wait|running|received", re.IGNORECASE)


def request(url: str, offset: int, credentials: tuple[str, str]) -> Request:
    """A page of the log."""
    return Request("GET", f"{url}{'&' if '?' in url else '?'}{urlencode({'offset': offset})}", basic=credentials)


def read(response: Response) -> tuple[list[FileReport], int]:
    """What the page says of files, and how many entries it has. Raises `RefusedError` where it is no JSON."""
    try:
        document = msgspec.json.decode(response.body)
    except msgspec.DecodeError:
        raise RefusedError(f"the processing log is not JSON: {response.excerpt}") from None
    entries = _entries(document)
    return [verdict for entry in entries for verdict in _verdicts(entry)], len(entries)


def _entries(document: Any) -> list[dict[str, Any]]:
    """The list itself, or the longest one among an object's members."""
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
        document = max(lists, key=len) if lists else [document]
    return [entry for entry in document if isinstance(entry, dict)] if isinstance(document, list) else []


def _verdicts(entry: dict[str, Any]) -> Iterator[FileReport]:
    names = {name for value in entry.values() if isinstance(value, str) for name in FILE_NAME.findall(value)}
    if len(names) == 1:
        yield FileReport(names.pop(), _fate(entry), "; ".join(_reasons(entry))[:MOST_CHARACTERS])


def _fate(entry: dict[str, Any]) -> FileStatus:
    told = [str(entry[key]) for key in _STATUS if isinstance(entry.get(key), str | bool)]
    if any(_BAD.search(text) for text in told):
        return FileStatus.REFUSED
    if any(_GOOD.search(text) and not _UNDECIDED.search(text) for text in told):
        return FileStatus.PROCESSED
    return FileStatus.WAITING


def _reasons(entry: dict[str, Any]) -> Iterator[str]:
    """With the line where the entry names one."""
    line = next((entry[key] for key in _LINES if isinstance(entry.get(key), int)), None)
    for key in _REASONS:
        for text in _texts(entry.get(key)):
            yield text if line is None else f"line {line}: {text}"


def _texts(value: Any) -> Iterator[str]:
    """Text, or an object with text and perhaps a line, or a list of either."""
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        line = next((value[key] for key in _LINES if key in value), None)
        said = [text for key in (*_REASONS, "text", "description") for text in _texts(value.get(key))]
        yield f"line {line}: {', '.join(said)}" if line is not None else ", ".join(said)
