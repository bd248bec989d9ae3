"""Rows of a CSV file at speed, without a JSON encoder.

Most rows hold nothing that JSON would have to escape. Their JSON is a template that is made once from the header, with
the cells put into its holes. Hundreds of rows are checked together and written together. If any of them needs an
escape, may hold personal data, or is wrong in any way, the rows are read one by one, like those of the other formats.

Texts here are bytes in a `str` (`lines.octets`).
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec

from core import buckets, user_ids
from core.messages import Event, encode
from pipeline.imports import copying
from pipeline.imports.errors import BadRowError, UnreadableFileError, UnreadableRow
from pipeline.imports.lines import is_utf8, octets, raw_of, text_of
from pipeline.imports.rows import LIMITS, USER_COLUMNS, Destination, ImportRow, RowReader, nested
from profiles.personal.protection import has_suspicious_values, is_suspicious

_SPECIAL = bytes(range(0x20)) + b'"\\'
_HOLE = "\x00"

FoundUsers = tuple[list[str], list[int]]
"""Names of users, and their buckets."""


class CsvRows:
    """Reads rows by the columns of a header. Raises UnreadableFileError if no file of profiles has such columns."""

    def __init__(self, columns: list[str], to: Destination, delimiter: str = ",") -> None:
        self._columns = columns
        self._width = len(columns)
        self._delimiter = delimiter
        self._reader = RowReader(to)
        try:
            shape = nested(dict.fromkeys(_attributes(columns), _HOLE))
        except BadRowError as error:
            raise UnreadableFileError(f"column {error}") from None
        _check_names(columns, shape, to.user_key)
        self._template = _template_of(columns, shape, to)

    def row(self, row: list[str] | str | UnreadableRow) -> ImportRow:
        """Reads one row, given as cells or as a whole plain line. Raises BadRowError."""
        if isinstance(row, UnreadableRow):
            raise row.error()
        cells = row.split(self._delimiter) if isinstance(row, str) else row
        if len(cells) != self._width:
            raise BadRowError(f"has {len(cells)} fields where the header has {self._width}")
        return self._reader.of_object(dict(zip(self._columns, map(text_of, cells), strict=True)))

    def events(self, rows: Sequence[Any]) -> bytes | None:
        """Returns all rows for a COPY of the inbox, or None if they have to be read one by one.

        `rows` are rows of one `RowBatch`: if the first is a plain line, all of them are.
        """
        if self._template is None:
            return None
        if isinstance(rows[0], str):
            return self._of_lines(rows)
        if not all(type(row) is list and len(row) == self._width for row in rows):
            return None
        cells: list[str] = list(chain.from_iterable(rows))
        text = ",".join(cells)
        raw = raw_of(text)
        if len(raw.translate(None, _SPECIAL)) != len(raw) or not is_utf8(raw):
            return None
        return self._template.fill(cells, [len("".join(row)) for row in rows])

    def _of_lines(self, lines: Sequence[str]) -> bytes | None:
        delimiter, delimiters = self._delimiter, self._width - 1
        if self._template is None or {line.count(delimiter) for line in lines} != {delimiters}:
            return None
        cells = delimiter.join(lines).split(delimiter)
        return self._template.fill(cells, [len(line) - delimiters for line in lines])


class RowTemplate:
    """The inbox row of a CSV row as a list of constant texts, with empty places between them.

    `_parts` is: "", the message up to the user's name, "", the message after it, "", then the JSON of the data cut at
    its holes, with "" for each hole, and at the end the time of receipt. The first empty place takes the beginning of
    the row (with the bucket and the length of the message), the second the user's name, the third the length of the
    data, the others the cells. Repeated for each row, every place is filled for all rows at once by a slice
    assignment, which runs in C.
    """

    def __init__(self, columns: list[str], body: str, to: Destination, *, by_uuid: bool) -> None:
        self._width = len(columns)
        self._find_users = _our_users if by_uuid else _customers_users
        self._name_column = columns.index("uuid" if by_uuid else ".".join(to.user_key))
        self._columns = [columns.index(name) for name in _in_template_order(_attributes(columns))]
        head, tail = _message(to, by_uuid=by_uuid)
        first, *others = body.split(_HOLE)
        self._parts = ["", head, "", tail, "", first]
        for constant in others:
            self._parts += ["", constant]
        self._parts[-1] += octets(copying.moment(to.at))
        self._message_bytes = len(head) + len(tail)  # without the name
        # without the cells; a uuid is counted among a row's cells, but does not stand in its data
        self._body_bytes = len(body.replace(_HOLE, "")) - (user_ids.LENGTH if by_uuid else 0)

    def fill(self, cells: list[str], sizes: list[int]) -> bytes | None:
        """Returns the rows with these cells, or None if they have to be read one by one.

        `sizes`: the bytes of all cells of each row. The cells must be valid UTF-8 that needs no escape in JSON.
        """
        found = self._find_users(cells[self._name_column :: self._width])
        # a quote before each cell: the check looks for values as they begin in JSON
        if found is None or has_suspicious_values(raw_of('"' + '"'.join(cells))):
            return None
        names, in_buckets = found
        bodies = [self._body_bytes + size for size in sizes]
        if max(bodies) > LIMITS.body_bytes:
            return None
        step = len(self._parts)
        parts = self._parts * len(sizes)
        parts[0::step] = map(copying.front, in_buckets, [self._message_bytes + len(name) for name in names])
        parts[2::step] = names
        parts[4::step] = map(copying.length, bodies)
        for hole, column in enumerate(self._columns):
            parts[6 + 2 * hole :: step] = cells[column :: self._width]
        return raw_of("".join(parts))


def _template_of(columns: list[str], shape: dict[str, Any], to: Destination) -> RowTemplate | None:
    """Returns the template of files whose users are named by one column: our id, or the customer's own."""
    attributes = _attributes(columns)
    named = [name for name in columns if name in USER_COLUMNS]
    key = ".".join(to.user_key)
    by_uuid = named == ["uuid"]
    if not attributes or by_uuid == (key in attributes) or not (by_uuid or named == []):
        return None
    if any("u0000" in name for name in attributes):  # could be taken for a hole of the template
        return None
    body = octets(msgspec.json.encode(shape)).replace("\\u0000", _HOLE)
    return None if is_suspicious(raw_of(body)) else RowTemplate(columns, body, to, by_uuid=by_uuid)


def _attributes(columns: list[str]) -> list[str]:
    return [name for name in columns if name not in USER_COLUMNS]


def _our_users(names: list[str]) -> FoundUsers | None:
    """Reads our own user ids. Returns None if one of them is no user id."""
    users = [user for name in names if (user := user_ids.parse(name)) is not None]
    return (users, [user_ids.bucket_of(user) for user in users]) if len(users) == len(names) else None


def _customers_users(names: list[str]) -> FoundUsers | None:
    """Reads the customer's own user ids. Returns None if one of them is empty, too long, or not plain ASCII."""
    text = "".join(names)
    if not (all(names) and text.isascii() and text.isprintable() and max(map(len, names)) <= LIMITS.id_bytes):
        return None
    return names, [buckets.of_value(name) for name in names]


def _check_names(columns: list[str], shape: dict[str, Any], user_key: tuple[str, ...]) -> None:
    """Raises UnreadableFileError unless some column can name the user."""
    place: Any = shape
    for key in user_key:
        place = place.get(key) if isinstance(place, dict) else None
    if (not user_key or place is None) and not (USER_COLUMNS - {"at", "pl"}) & set(columns):
        key = f"the pixel's user key ({'.'.join(user_key)})" if user_key else "the pixel's user key (it has none)"
        raise UnreadableFileError(f"no column names the user: uuid, {key}, pl and euid, or a device's id")


def _message(to: Destination, *, by_uuid: bool) -> tuple[str, str]:
    """Returns the message of an event before and after the user's name."""
    event = Event(customer=to.customer, pixel=to.pixel, at=to.at, counted=True)
    if by_uuid:
        event.user, event.confirmed = _HOLE, True
    else:
        event.ids = [("user", _HOLE)]
    head, _, tail = octets(encode(event)).partition("\\u0000")
    return head, tail


def _in_template_order(attributes: list[str]) -> list[str]:
    """Returns the columns in the order of the template's holes: objects gather what the header may scatter."""
    numbered = nested({name: number for number, name in enumerate(attributes)})
    return [attributes[number] for number in _leaves(numbered)]


def _leaves(value: Any) -> list[int]:
    return [leaf for held in value.values() for leaf in _leaves(held)] if isinstance(value, dict) else [value]
