"""Rows of a CSV file at speed, without a JSON encoder.

Most rows hold nothing that JSON would have to escape. Their JSON is a template that is made once from the header, with
the cells put into its holes. Hundreds of rows are checked together and written together. If any of them needs an
escape, may hold personal data, or is wrong in any way, the rows are read one by one, like those of the other formats.

Texts here are bytes in a `str` (`lines.octets`).
"""

from collections.abc import Iterable
from itertools import repeat
from typing import Any

import msgspec

from core import buckets, user_ids
from core.ids.nobody import all_ordinary, why_nobody
from core.ids.spelling import one_spelling
from core.messages import Event, encode
from core.values.spelled import Spelling
from pipeline.imports import copying
from pipeline.imports.column_names import LIMITS
from pipeline.imports.columns import Into
from pipeline.imports.destination import Destination
from pipeline.imports.errors import BadRowError
from pipeline.imports.lines import is_utf8, octets, raw_of
from pipeline.imports.options import ImportOptions
from pipeline.imports.quick_columns import CellTexts, column_of, text_column
from pipeline.imports.rows import RowReader
from profiles.conversion import holder
from profiles.paths import split_path
from profiles.personal.protection import has_suspicious_values, is_suspicious
from profiles.state import USER_KEY

_SPECIAL = bytes(range(0x20)) + b'"\\'
_TEXT, _JSON = "\x00", "\x01"
_HOLES = ("\\u0000", '"\\u0001"')

Path = tuple[str, ...]
FoundUsers = tuple[list[str], list[int]]
"""Names of users, and their buckets."""


class QuickRows:
    """Makes the inbox rows of CSV rows. Made by `quick_rows`.

    `template`: the JSON of a row's data, cut at its holes. `used`: the number of each column whose cells are kept, in
    the order of the holes. `named`: the number of the column that names the user.
    """

    def __init__(self, template: list[str], used: list[tuple[int, CellTexts]], named: int, to: Destination) -> None:
        self._template = template
        self._used = used
        self._named = named
        self._to = to
        self._by_uuid = named not in [number for number, _ in used]
        head, tail = _message(to, by_uuid=self._by_uuid)
        self._message_bytes = len(head) + len(tail)  # without the name
        self._parts = ["", head, "", tail, "", "", octets(copying.moment(to.at))]

    def fill(self, cells: list[str], width: int, *, is_plain: bool) -> bytes | None:
        """Returns the rows with these cells, or None if they have to be read one by one.

        `is_plain`: the cells are known to be UTF-8 that needs no escape in JSON.
        """
        columns = [cells[number::width] for number, _ in self._used]
        if not is_plain and not _needs_no_escape(columns):
            return None
        found = self._users(cells[self._named :: width])
        filled = None if found is None else self._filled(columns)
        # a quote before each cell: the check looks for values as they begin in JSON
        if found is None or not filled or has_suspicious_values(raw_of('"' + '"'.join(map('"'.join, filled)))):
            return None
        first, *others = self._template
        pieces: list[Iterable[str]] = [repeat(first, len(found[0]))]
        for column, constant in zip(filled, others, strict=True):
            pieces += [column, repeat(constant)]
        return self._rows(found, list(map("".join, zip(*pieces, strict=False))))

    def _filled(self, columns: list[list[str]]) -> list[list[str]] | None:
        """Returns what stands in the JSON for the cells of each column; None if some have to be read one by one."""
        filled: list[list[str]] = []
        for (_, texts), column in zip(self._used, columns, strict=True):
            made = texts(column)
            if made is None:
                return None
            filled.append(made)
        return filled

    def _rows(self, found: FoundUsers, bodies: list[str]) -> bytes | None:
        names, in_buckets = found
        sizes = list(map(len, bodies))
        if max(sizes) > LIMITS.body_bytes:
            return None
        step = len(self._parts)
        parts = self._parts * len(bodies)
        parts[0::step] = map(copying.front, in_buckets, [self._message_bytes + len(name) for name in names])
        parts[2::step] = names
        parts[4::step] = map(copying.length, sizes)
        parts[5::step] = bodies
        return raw_of("".join(parts))

    def _users(self, names: list[str]) -> FoundUsers | None:
        return _our_users(names) if self._by_uuid else _customers_users(names, self._to)


def quick_rows(columns: list[str], reader: RowReader, options: ImportOptions, to: Destination) -> QuickRows | None:
    """Returns what makes rows of files whose users are named by one column: our id, or the customer's own.

    None where all rows have to be read one by one.
    """
    places = {number: reader.plan.column(name) for number, name in enumerate(columns)}
    attributes = {split_path(one.name): number for number, one in places.items() if one.into is Into.DATA}
    named = [number for number, one in places.items() if one.into not in {Into.DATA, Into.NOWHERE}]
    constants = {split_path(one.name): value for one, value in reader.plan.constants if one.into is Into.DATA}
    by_uuid = [places[number].name for number in named] == ["uuid"]
    if not attributes or len(constants) < len(reader.plan.constants) or options.empty:
        return None
    if to.only_ids:
        return None
    if by_uuid == (to.user_key in attributes) or not (by_uuid or not named):
        return None
    texts = _cell_texts(attributes, reader, options.spelling(to.zone), to)
    template = None if texts is None else _template(texts, constants, reader)
    if texts is None or template is None:
        return None
    used = [(attributes[path], texts[path]) for path in _in_template_order(texts, constants)]
    return QuickRows(template, used, named[0] if by_uuid else attributes[to.user_key], to)


def _cell_texts(
    attributes: dict[Path, int], reader: RowReader, spelling: Spelling, to: Destination
) -> dict[Path, CellTexts] | None:
    """Returns what makes JSON of the cells of each attribute; None where an attribute is read that no column holds."""
    texts: dict[Path, CellTexts] = dict.fromkeys(attributes, text_column)
    for reading in reader.readings.all:
        path = tuple(reading.keys)
        if path in texts:
            texts[path] = column_of(reading, spelling)
        elif any(path == other[: len(path)] or other == path[: len(other)] for other in attributes):
            return None
        if path == to.user_key and reading.read is not None:
            return None
    return texts


def _template(texts: dict[Path, CellTexts], constants: dict[Path, Any], reader: RowReader) -> list[str] | None:
    """Returns the JSON of a row's data, cut at its holes. None if it may be personal, or looks as if it had others."""
    read = {tuple(reading.keys) for reading in reader.readings.all if reading.read is not None}
    shape: dict[str, Any] = {}
    try:
        for path in texts:
            _put(shape, path, _JSON if path in read else _TEXT)
        for path, value in constants.items():
            one: dict[str, Any] = {}
            _put(one, path, value)
            reader.readings.read(one)
            reader.readings.check(one)
            held = holder(one, list(path))
            _put(shape, path, None if held is None else held[path[-1]])
    except BadRowError:
        return None
    text = octets(msgspec.json.encode(shape))
    for hole in _HOLES:
        text = text.replace(hole, _TEXT)
    is_unsafe = is_suspicious(raw_of(text)) or _may_be_hole([*texts, *constants], constants.values())
    return None if is_unsafe else text.split(_TEXT)


def _may_be_hole(paths: Iterable[Path], values: Iterable[Any]) -> bool:
    return any("\\u000" in text for path in [*paths, map(str, values)] for text in path)


def _put(shape: dict[str, Any], path: Path, value: Any) -> None:
    place = shape
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = value


def _in_template_order(texts: dict[Path, CellTexts], constants: dict[Path, Any]) -> list[Path]:
    """Returns the attributes in the order of the template's holes: objects gather what the header may scatter."""
    shape: dict[str, Any] = {}
    for path in [*texts, *constants]:
        _put(shape, path, path)
    return [path for path in _leaves(shape) if path in texts]


def _leaves(value: Any) -> list[Path]:
    return [leaf for held in value.values() for leaf in _leaves(held)] if isinstance(value, dict) else [value]


def _needs_no_escape(columns: list[list[str]]) -> bool:
    """Whether all cells are UTF-8 that needs no escape in JSON."""
    raw = raw_of(" ".join(map(" ".join, columns)))
    return len(raw.translate(None, _SPECIAL)) == len(raw) and is_utf8(raw)


def _our_users(names: list[str]) -> FoundUsers | None:
    """Reads our own user ids. Returns None if one of them is no user id."""
    users = [user for name in names if (user := user_ids.parse(name)) is not None]
    return (users, [user_ids.bucket_of(user) for user in users]) if len(users) == len(names) else None


def _customers_users(names: list[str], to: Destination) -> FoundUsers | None:
    """Reads the customer's own user ids.

    Returns None if one of them is empty, too long, not plain ASCII, spelled in another way, or may name nobody.
    """
    text = "".join(names)
    if not (all(names) and text.isascii() and text.isprintable() and max(map(len, names)) <= LIMITS.id_bytes):
        return None
    if (" " in text or "." in text) and any(one_spelling(USER_KEY, name) != name for name in names):
        return None
    own = to.own_words
    if not all_ordinary(names, own) and any(why_nobody(USER_KEY, name, own) is not None for name in names):
        return None
    return names, [buckets.of_value(name) for name in names]


def _message(to: Destination, *, by_uuid: bool) -> tuple[str, str]:
    """Returns the message of an event before and after the user's name."""
    event = Event(customer=to.customer, pixel=to.pixel, at=to.at, counted=True, listing=to.listing)
    if by_uuid:
        event.user, event.confirmed = _TEXT, True
    else:
        event.ids = [(USER_KEY, _TEXT)]
    head, _, tail = octets(encode(event)).partition("\\u0000")
    return head, tail
