"""MediaMath's processing log: what it did with each file. Its form is not public, so it is read leniently.

A page has entries, each about one file. An entry is recognised by the name of a file, and read by the words of its
status.
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
    """Return the request for a page of the log."""
    return Request("GET", f"{url}{'&' if '?' in url else '?'}{urlencode({'offset': offset})}", basic=credentials)


def read(response: Response) -> tuple[list[FileReport], int]:
    """Return the reports of a page, and its number of entries. Raises `RefusedError` if it is not JSON."""
    try:
        document = msgspec.json.decode(response.body)
    except msgspec.DecodeError:
        raise RefusedError(f"the processing log is not JSON: {response.excerpt}") from None
    entries = _entries(document)
    return [report for entry in entries for report in _reports(entry)], len(entries)


def _entries(document: Any) -> list[dict[str, Any]]:
    """The list itself, or the longest one among an object's members."""
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
        document = max(lists, key=len) if lists else [document]
    return [entry for entry in document if isinstance(entry, dict)] if isinstance(document, list) else []


def _reports(entry: dict[str, Any]) -> Iterator[FileReport]:
    names = {name for value in entry.values() if isinstance(value, str) for name in FILE_NAME.findall(value)}
    if len(names) == 1:
        yield FileReport(names.pop(), _status(entry), "; ".join(_reasons(entry))[:MOST_CHARACTERS])


def _status(entry: dict[str, Any]) -> FileStatus:
    words = [str(entry[key]) for key in _STATUS if isinstance(entry.get(key), str | bool)]
    if any(_BAD.search(text) for text in words):
        return FileStatus.REFUSED
    if any(_GOOD.search(text) and not _UNDECIDED.search(text) for text in words):
        return FileStatus.PROCESSED
    return FileStatus.WAITING


def _reasons(entry: dict[str, Any]) -> Iterator[str]:
    """Yield the reasons, with the line if the entry names one."""
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
