"""MediaMath's processing log: what it did with each file. Its form is not public, so it is read leniently.

A page has entries, each about one file. An entry is recognised by the name of a file, and read by the words of its
status.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from integrations.connectors.files import FileReport, FileStatus
from integrations.http import Request, Response

ENDING = ".log.gz"
MOST_CHARACTERS = 2_000
MOST_TEXTS = 200  # reasons of one entry
LONGEST_STATUS = 200  # characters of a status that are read
DEEPEST = 5  # levels of reasons within each other

_STATUS = ("status", "state", "result", "outcome", "success")
_REASONS = ("errors", "error", "reasons", "reason", "messages", "message", "warnings", "details")
_LINES = ("line", "line_number", "row")
_BAD = ("fail", "error", "reject", "refus", "invalid", "suspend")
_GOOD = ("success", "complete", "processed", "accept", "done", "loaded")
_UNDECIDED = ("queue", "pending", "wait", "running", "received")


def request(url: str, offset: int, credentials: tuple[str, str]) -> Request:
    """Return the request for a page of the log."""
    return Request("GET", f"{url}{'&' if '?' in url else '?'}{urlencode({'offset': offset})}", basic=credentials)


def read(response: Response) -> tuple[list[FileReport], int]:
    """Return the reports of a page, and its number of entries. Raises `RefusedError` if it is not JSON."""
    entries = _entries(response.document())
    return [report for entry in entries for report in _reports(entry)], len(entries)


def _entries(document: Any) -> list[dict[str, Any]]:
    """The list itself, or the longest one among an object's members."""
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
        document = max(lists, key=len) if lists else [document]
    return [entry for entry in document if isinstance(entry, dict)] if isinstance(document, list) else []


def _reports(entry: dict[str, Any]) -> Iterator[FileReport]:
    names = {name for value in entry.values() if isinstance(value, str) for name in _file_names(value)}
    if len(names) == 1:
        reasons = islice(_reasons(entry), MOST_TEXTS)
        yield FileReport(names.pop(), _status(entry), "; ".join(reasons)[:MOST_CHARACTERS])


def _file_names(text: str) -> Iterator[str]:
    """Yield the names of files in a text: what ends in `.log.gz`, between blanks and slashes."""
    if ENDING not in text:
        return
    for word in text.replace("/", " ").split():
        end = word.rfind(ENDING)
        if end > 0:
            yield word[: end + len(ENDING)]


def _status(entry: dict[str, Any]) -> FileStatus:
    given = [entry[key] for key in _STATUS if isinstance(entry.get(key), str | bool)]
    words = [str(word)[:LONGEST_STATUS].lower() for word in given]
    if any(_says(word, _BAD, "false") for word in words):
        return FileStatus.REFUSED
    if any(_says(word, _GOOD, "ok", "true") and not _is_undecided(word) for word in words):
        return FileStatus.PROCESSED
    return FileStatus.WAITING


def _says(word: str, parts: tuple[str, ...], *whole: str) -> bool:
    return word in whole or any(part in word for part in parts)


def _is_undecided(word: str) -> bool:
    return word.endswith(("process", "processing")) or _says(word, _UNDECIDED)


def _reasons(entry: dict[str, Any]) -> Iterator[str]:
    """Yield the reasons, with the line if the entry names one."""
    line = next((entry[key] for key in _LINES if isinstance(entry.get(key), int)), None)
    for key in _REASONS:
        for text in _texts(entry.get(key)):
            yield text if line is None else f"line {line}: {text}"


def _texts(value: Any, deepest: int = DEEPEST) -> Iterator[str]:
    """Text, or an object with text and perhaps a line, or a list of either."""
    if isinstance(value, str) and value:
        yield value[:MOST_CHARACTERS]
    elif not deepest:
        return
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, deepest - 1)
    elif isinstance(value, dict):
        line = next((value[key] for key in _LINES if key in value), None)
        places = [value.get(key) for key in (*_REASONS, "text", "description")]
        said = list(islice((text for one in places for text in _texts(one, deepest - 1)), MOST_TEXTS))
        yield f"line {line}: {', '.join(said)}" if line is not None else ", ".join(said)
