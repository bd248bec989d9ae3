"""Rows of a CSV file at speed: most hold nothing that JSON would have to escape, and need no JSON encoder.

The JSON of such a row is its cells in a template that was made from the header. Every other row is read as those
of the other formats are.
"""

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from edge import buckets, cookies
from edge.messages import Event, encode
from pipeline.imports import copying
from pipeline.imports.faults import BadRowError, Fault, UnreadableFileError
from pipeline.imports.rows import LIMITS, NAMES, Destination, Row, RowReader, nested
from profiles.personal.protection import is_suspicious
from usersync.platform_ids import is_sound

_SPECIAL = re.compile(r'["\\\x00-\x1f\ud800-\udfff]').search
_HOLE = "\x00"

Quick = Callable[[Sequence[str]], bytes | None]


class CsvRows:
    """By the columns of a header. UnreadableFileError where they cannot be those of a file of profiles."""

    def __init__(self, columns: list[str], to: Destination, delimiter: str = ",") -> None:
        self._columns = columns
        self._width = len(columns)
        self._delimiter = delimiter
        self._reader = RowReader(to)
        self._received = copying.moment(to.at)
        attributes = [name for name in columns if name not in NAMES]
        try:
            shape = nested(dict.fromkeys(attributes, _HOLE))
        except BadRowError as error:
            raise UnreadableFileError(f"column {error}") from None
        _check_names(columns, shape, to.user_key)
        self._quick = self._quick_way(attributes, shape, to)

    def row(self, row: list[str] | str | Fault) -> Row:
        """A row, cells or a whole plain line. Raises BadRowError."""
        return self._reader.of_object(dict(zip(self._columns, self._cells(row), strict=True)))

    def event(self, row: list[str] | Fault) -> bytes:
        """For a COPY of the inbox. Raises BadRowError."""
        if isinstance(row, Fault) or _SPECIAL("".join(row)):
            return self._careful(row)
        return self._quick(row) or self._careful(row)

    def event_of_line(self, row: str) -> bytes:
        """The same of a line without any quotes, escapes or control characters. Raises BadRowError."""
        cells = row.split(self._delimiter)
        quick = self._quick(cells) if len(cells) == self._width else None
        return quick or self._careful(row)

    def _careful(self, row: list[str] | str | Fault) -> bytes:
        found = self.row(row)
        return copying.event(found.bucket, found.query, found.body, self._received)

    def _cells(self, row: list[str] | str | Fault) -> list[str]:
        if isinstance(row, Fault):
            raise BadRowError(row.message)
        cells = row.split(self._delimiter) if isinstance(row, str) else row
        if len(cells) != self._width:
            raise BadRowError(f"has {len(cells)} fields where the header has {self._width}")
        return cells

    def _quick_way(self, attributes: list[str], shape: dict[str, Any], to: Destination) -> Quick:
        """For files whose users are named by one column, which is our id or the customer's."""
        named = [name for name in self._columns if name in NAMES]
        key = ".".join(to.user_key)
        by_uuid = named == ["uuid"]
        if not attributes or by_uuid == (key in attributes) or not (by_uuid or named == []):
            return lambda _: None
        if any("u0000" in name for name in attributes):  # could be taken for a hole of the template
            return lambda _: None
        place = self._columns.index("uuid" if by_uuid else key)
        head, tail = _query(to, by_uuid=by_uuid)
        body = _template(shape)
        pick = itemgetter(*(self._columns.index(name) for name in _in_order(attributes)))
        received, event = self._received, copying.event
        longest, limit = LIMITS.body_bytes, LIMITS.id_bytes

        def quick(cells: Sequence[str]) -> bytes | None:
            name = cells[place]
            if by_uuid:
                user = cookies.user_id(name)
                if user is None:
                    return None
                name, bucket = user, cookies.bucket_of(user)
            elif not name or not (
                (name.isascii() and name.isprintable() and len(name) <= limit) or is_sound(name, limit)
            ):
                return None
            else:
                bucket = buckets.of_value(name)
            data = (body % pick(cells)).encode()
            if len(data) > longest or is_suspicious(data):
                return None
            return event(bucket, f"{head}{name}{tail}".encode(), data, received)

        return quick


def _check_names(columns: list[str], shape: dict[str, Any], user_key: tuple[str, ...]) -> None:
    """Some column has to name the user."""
    place: Any = shape
    for key in user_key:
        place = place.get(key) if isinstance(place, dict) else None
    if (not user_key or place is None) and not (NAMES - {"at", "pl"}) & set(columns):
        key = f"the pixel's user key ({'.'.join(user_key)})" if user_key else "the pixel's user key (it has none)"
        raise UnreadableFileError(f"no column names the user: uuid, {key}, pl and euid, or a device's id")


def _query(to: Destination, *, by_uuid: bool) -> tuple[str, str]:
    """The message before and after the id."""
    event = Event(to.customer, to.pixel, to.at, counted=True)
    if by_uuid:
        event.user, event.confirmed = _HOLE, True
    else:
        event.ids = [("user", _HOLE)]
    head, _, tail = encode(event).decode().partition("\\u0000")
    return head, tail


def _template(shape: dict[str, Any]) -> str:
    return msgspec.json.encode(shape).decode().replace("%", "%%").replace("\\u0000", "%s")


def _in_order(attributes: list[str]) -> list[str]:
    """The columns as their cells stand in the template: objects gather what the header may scatter."""
    numbered = nested({name: number for number, name in enumerate(attributes)})
    return [attributes[number] for number in _leaves(numbered)]


def _leaves(value: Any) -> list[int]:
    return [leaf for held in value.values() for leaf in _leaves(held)] if isinstance(value, dict) else [value]
