"""From a row of a file to a row of the inbox: an event that sets attributes and counts as no activity.

A row and the ids in it obey the rules of `/dp`. Its time is its own `at`, else the moment when the import was made.
That moment is also its time of receipt, so that an import never undoes what has happened since, such as a later event
or an erasure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from core import buckets, user_ids
from core.errors import InvalidParameterError
from core.ids.left_out import LeftOut
from core.messages import Event, Id, encode
from core.query import Parameters
from core.values.errors import UnreadableValueError
from core.values.spelled import TextReader
from pipeline.imports.column_names import LIMITS, USER_COLUMNS, nested
from pipeline.imports.columns import ColumnPlan, SortedRow
from pipeline.imports.destination import Destination
from pipeline.imports.errors import BadRowError
from pipeline.imports.options import ImportOptions
from pipeline.imports.parquet_rows import NO_JSON, json_value
from pipeline.imports.readings import Readings
from profiles.events.data import BadDataError, parse_data
from profiles.events.dimensions import Dimension, dimensions_in
from profiles.events.ids import IdReader, text_of
from profiles.events.times import EARLIEST
from profiles.personal.protection import PersonalDataError
from profiles.state import USER_KEY

DAY_MS = 86_400_000
NO_OPTIONS = ImportOptions()


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A row as the inbox takes it.

    `names` is the id that decides whose row it is (of kind `uuid` if it is our own user id); `event` is what `query`
    holds, `data` is `body` read.
    """

    bucket: int
    query: bytes
    body: bytes | None
    names: Id
    event: Event
    data: dict[str, Any]


class RowReader:
    """Reads rows one by one, whatever they hold. Raises UnreadableFileError where the pixel cannot use the mapping."""

    def __init__(self, to: Destination, options: ImportOptions = NO_OPTIONS) -> None:
        self._to = to
        self._ids = IdReader(LIMITS, to.protection, to.own_words)
        self.plan = ColumnPlan(options, to)
        self.readings = Readings(options, to)

    def of_line(self, raw: bytes) -> ImportRow:
        """Reads a line of NDJSON. Raises BadRowError."""
        try:
            found = parse_data(raw, LIMITS.data_depth)
        except BadDataError:
            raise BadRowError("is no JSON object that can be kept") from None
        return self._row(found)

    def of_object(self, found: Mapping[str, Any]) -> ImportRow:
        """Reads a row of a table: values by column. Raises BadRowError."""
        try:
            raw = msgspec.json.encode({name: json_value(value) for name, value in found.items()})
        except (UnicodeEncodeError, TypeError):
            raise BadRowError(NO_JSON) from None
        return self.of_line(raw)

    def _row(self, found: dict[str, Any]) -> ImportRow:
        sorted_ = self._sorted(found)
        given: Parameters = {name: text for name, value in sorted_.names.items() if (text := _text(name, value))}
        data = nested(sorted_.data)
        self.readings.read(data)
        user = _uuid(given)
        body, data = self._protected(data)
        self.readings.check(data)
        nobody: list[LeftOut] = []
        ids = [*self._ids.user_key(data, self._to.user_key, nobody), *_parameters(self._ids, given, nobody)]
        if user is None and not ids:
            if nobody:
                raise BadRowError(f"names nobody: {', '.join(_field(one, self._to) for one in nobody)}")
            raise BadRowError("names nobody: it needs a uuid, the pixel's user key, pl and euid, or a device")
        if body and len(body) > LIMITS.body_bytes:
            raise BadRowError(f"has more than {LIMITS.body_bytes} bytes of data")
        event = Event(
            customer=self._to.customer,
            pixel=self._to.pixel,
            at=self._time("at", given["at"] or "") if "at" in given else self._to.at,
            user=user,
            confirmed=user is not None,
            ids=ids,
            dimensions=self._dimensions(sorted_.dimensions),
            counted=True,
            nobody=nobody,
            seen=self._last_seen(sorted_.last_seen),
            listing=self._to.listing,
        )
        if self._to.only_ids:
            event.dimensions, event.seen, event.nobody = {}, 0, []
            event.forwarded, body = user is not None, None
        bucket = user_ids.bucket_of(user) if user else buckets.of_value(ids[0][1])
        names = ("uuid", user) if user else ids[0]
        return ImportRow(bucket, encode(event), body, names, event, data)

    def _sorted(self, found: dict[str, Any]) -> SortedRow:
        if not self.plan.is_plain:
            return self.plan.sort(found)
        return SortedRow({name: found.pop(name) for name in USER_COLUMNS & found.keys()}, found)

    def _protected(self, data: dict[str, Any]) -> tuple[bytes | None, dict[str, Any]]:
        if not data:
            return None, data
        try:
            return self._to.protection.data(msgspec.json.encode(data), data)
        except PersonalDataError as found:
            raise BadRowError(found.message) from None

    def _time(self, name: str, text: str) -> int:
        return row_time(name, text, self._to.at, self.readings.read_moment)

    def _last_seen(self, value: Any) -> int:
        text = _text("last_seen", value)
        return self._time("last_seen", text) if text else 0

    def _dimensions(self, given: dict[str, Any]) -> dict[str, Dimension]:
        """Returns the row's dimensions as an event has them. Raises BadRowError for one that cannot be kept."""
        if not given:
            return {}
        texts: Parameters = {name: text for name, value in given.items() if (text := _text(f"dimension {name}", value))}
        found = dimensions_in(texts, LIMITS.dimension_bytes)
        unread = [name for name in texts if name not in found]
        if unread:
            raise BadRowError(f"dimension {unread[0]}: is no such value")
        try:
            return self._to.protection.dimensions(found)
        except PersonalDataError as personal:
            raise BadRowError(personal.message) from None


def _parameters(reader: IdReader, given: Parameters, nobody: list[LeftOut]) -> list[Id]:
    if ("euid" in given) != ("pl" in given):
        raise BadRowError("pl and euid go together")
    try:
        return reader.parameters(given, nobody)
    except InvalidParameterError as wrong:
        raise BadRowError(f"{wrong.parameter}: is no such id") from None
    except PersonalDataError as found:
        raise BadRowError(found.message) from None


def _field(one: LeftOut, to: Destination) -> str:
    """Returns why a row's id names nobody, with the column that holds it."""
    kind, why, _ = one
    column = ".".join(to.user_key) if kind == USER_KEY else kind.removeprefix("device:").partition(":")[0]
    return f"{column} is a {why}"


def row_time(name: str, text: str, made: int, read: TextReader) -> int:
    """Reads a time of a row. `made`: when the import was made (unix ms). Returns unix ms. Raises BadRowError."""
    try:
        seconds = read(text)
    except UnreadableValueError as fault:
        raise BadRowError(f"{name}: {fault}") from None
    if seconds is None:
        return made
    at = round(float(seconds) * 1000)
    if not EARLIEST <= at <= made + DAY_MS:
        raise BadRowError(f"{name}: is before the year 2000, or to come")
    return at


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadRowError(f"{name}: is no text")
    return (text_of(value) or str(value)).strip()


def _uuid(given: Parameters) -> str | None:
    if "uuid" not in given:
        return None
    user = user_ids.parse(given["uuid"] or "")
    if user is None:
        raise BadRowError("uuid: is no user id of ours (a version 4 UUID)")
    return user
