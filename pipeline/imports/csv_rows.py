"""Rows of a CSV file at speed: most hold nothing that JSON would have to escape, and need no JSON encoder.

The JSON of such a row is its cells in a template that was made from the header; hundreds of rows are looked at
together, and written together. Where any of them is not of that kind, they are read as those of the other formats are.

Texts here are bytes in a `str` (`octets`).
"""

import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import msgspec

from core import buckets, user_ids
from core.messages import Event, encode
from pipeline.imports import copying
from pipeline.imports.octets import is_utf8, octets, raw_of, text_of
from pipeline.imports.row_errors import BadRowError, Fault, UnreadableFileError
from pipeline.imports.rows import LIMITS, NAMES, Destination, Row, RowReader, nested
from profiles.personal.protection import has_suspicious_values, is_suspicious

_SPECIAL = re.compile(r'["\\\x00-\x1f]').search
_HOLE = "\x00"

Quick = Callable[[list[str], list[int]], bytes | None]
"""Of the cells of some rows, and the bytes of each row's."""


class CsvRows:
    """By the columns of a header. UnreadableFileError where they cannot be those of a file of profiles."""

    def __init__(self, columns: list[str], to: Destination, delimiter: str = ",") -> None:
        self._columns = columns
        self._width = len(columns)
        self._delimiter = delimiter
        self._reader = RowReader(to)
        attributes = [name for name in columns if name not in NAMES]
        try:
            shape = nested(dict.fromkeys(attributes, _HOLE))
        except BadRowError as error:
            raise UnreadableFileError(f"column {error}") from None
        _check_names(columns, shape, to.user_key)
        self._quick = self._quick_way(attributes, shape, to)

    def row(self, row: list[str] | str | Fault) -> Row:
        """A row, cells or a whole plain line. Raises BadRowError."""
        if isinstance(row, Fault):
            raise BadRowError(row.message)
        cells = row.split(self._delimiter) if isinstance(row, str) else row
        if len(cells) != self._width:
            raise BadRowError(f"has {len(cells)} fields where the header has {self._width}")
        return self._reader.of_object(dict(zip(self._columns, map(text_of, cells), strict=True)))

    def events(self, rows: Sequence[list[str] | str | Fault | None]) -> bytes | None:
        """All rows, for a COPY of the inbox; None where they have to be read one by one. Those of a batch are of one
        kind: plain lines, or cells."""
        if isinstance(rows[0], str):
            return self._of_lines(rows)  # type: ignore[arg-type]  # of one kind
        if not all(type(row) is list and len(row) == self._width for row in rows):
            return None
        cells: list[str] = list(chain.from_iterable(rows))  # type: ignore[arg-type]  # looked at above
        text = ",".join(cells)
        if _SPECIAL(text) or not is_utf8(raw_of(text)):
            return None
        return self._quick(cells, [len("".join(row)) for row in rows])  # type: ignore[arg-type]  # looked at above

    def _of_lines(self, lines: Sequence[str]) -> bytes | None:
        delimiter, delimiters = self._delimiter, self._width - 1
        if {line.count(delimiter) for line in lines} != {delimiters}:
            return None
        return self._quick(delimiter.join(lines).split(delimiter), [len(line) - delimiters for line in lines])

    def _quick_way(self, attributes: list[str], shape: dict[str, Any], to: Destination) -> Quick:
        """For files whose users are named by one column, which is our id or the customer's."""
        named = [name for name in self._columns if name in NAMES]
        key = ".".join(to.user_key)
        by_uuid = named == ["uuid"]
        body = _template(shape)
        if not attributes or by_uuid == (key in attributes) or not (by_uuid or named == []):
            return lambda *_: None
        if any("u0000" in name for name in attributes):  # could be taken for a hole of the template
            return lambda *_: None
        if is_suspicious(raw_of(body)):
            return lambda *_: None
        place = self._columns.index("uuid" if by_uuid else key)
        head, tail = _query(to, by_uuid=by_uuid)
        received = octets(copying.moment(to.at))
        constants = body.split(_HOLE)
        pieces = ["", head, "", tail, "", constants[0]]  # front, name and length of the body go between
        for constant in constants[1:]:
            pieces += ["", constant]
        pieces[-1] += received
        step = len(pieces)
        around = len(head) + len(tail)
        beside = sum(map(len, constants)) - (user_ids.LENGTH if by_uuid else 0)
        longest, width, find = LIMITS.body_bytes, self._width, _users if by_uuid else _customers_ids
        places = [self._columns.index(name) for name in _in_order(attributes)]

        def quick(cells: list[str], sizes: list[int]) -> bytes | None:
            found = find(cells[place::width])
            # between quotes, each cell begins as it would in JSON
            if found is None or has_suspicious_values(raw_of('"' + '"'.join(cells))):
                return None
            names, in_buckets = found
            bodies = [beside + size for size in sizes]
            if max(bodies) > longest:
                return None
            parts = pieces * len(sizes)
            parts[0::step] = map(copying.front, in_buckets, [around + len(name) for name in names])
            parts[2::step] = names
            parts[4::step] = map(copying.length, bodies)
            for hole, at in enumerate(places):
                parts[6 + 2 * hole :: step] = cells[at::width]
            return raw_of("".join(parts))

        return quick


Found = tuple[list[str], list[int]]
"""Names of users, and their buckets."""


def _users(names: list[str]) -> Found | None:
    """Our ids; None where one is none."""
    users = [user for name in names if (user := user_ids.parse(name)) is not None]
    return (users, [user_ids.bucket_of(user) for user in users]) if len(users) == len(names) else None


def _customers_ids(names: list[str]) -> Found | None:
    """The customer's ids; None where one is empty, or not plain."""
    text = "".join(names)
    if not (all(names) and text.isascii() and text.isprintable() and max(map(len, names)) <= LIMITS.id_bytes):
        return None
    return names, [buckets.of_value(name) for name in names]


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
    head, _, tail = octets(encode(event)).partition("\\u0000")
    return head, tail


def _template(shape: dict[str, Any]) -> str:
    return octets(msgspec.json.encode(shape)).replace("\\u0000", _HOLE)


def _in_order(attributes: list[str]) -> list[str]:
    """The columns as their cells stand in the template: objects gather what the header may scatter."""
    numbered = nested({name: number for number, name in enumerate(attributes)})
    return [attributes[number] for number in _leaves(numbered)]


def _leaves(value: Any) -> list[int]:
    return [leaf for held in value.values() for leaf in _leaves(held)] if isinstance(value, dict) else [value]
