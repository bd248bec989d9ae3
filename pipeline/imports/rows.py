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
from core.limits import RequestLimits
from core.messages import Event, Id, encode
from core.patterns import whole
from core.query import Parameters
from pipeline.imports.errors import BadRowError
from pipeline.imports.parquet_rows import NO_JSON, json_value
from profiles.conversion import UnconvertibleError, convert
from profiles.events.data import BadDataError, parse_data
from profiles.events.ids import ID_PARAMETERS, IdReader, text_of
from profiles.events.times import EARLIEST
from profiles.models import Attribute
from profiles.paths import split_path
from profiles.personal.protection import PersonalDataError, Protection
from profiles.state import USER_KEY

USER_COLUMNS = frozenset({"uuid", "at"} | ID_PARAMETERS)
"""Columns that name the user, or the time. All others are attributes."""

DAY_MS = 86_400_000
LIMITS = RequestLimits()
_SECONDS = whole(r"[0-9]{1,11}+(?:\.[0-9]{1,9}+)?+")


@dataclass(frozen=True, slots=True)
class Destination:
    """The customer and the pixel whose users the rows are about.

    `user_key`: the path of the attribute that holds the customer's own user id; `at`: when the import was made (unix
    ms); `protection`: from personal data in clear; `own_words`: the customer's, for nobody.
    """

    customer: int
    pixel: int
    user_key: tuple[str, ...]
    at: int
    protection: Protection
    own_words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A row as the inbox takes it.

    `names` is the id that decides whose row it is (of kind `uuid` if it is our own user id); `data` is `body` read.
    """

    bucket: int
    query: bytes
    body: bytes | None
    names: Id
    data: dict[str, Any]


class RowReader:
    """Reads rows one by one, whatever they hold."""

    def __init__(self, to: Destination) -> None:
        self._to = to
        self._ids = IdReader(LIMITS, to.protection, to.own_words)

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
        given = _names_in(found)
        data = nested(found)
        at = row_time(given["at"] or "", self._to.at) if "at" in given else self._to.at
        user = _uuid(given)
        body, data = self._protected(data)
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
            at=at,
            user=user,
            confirmed=user is not None,
            ids=ids,
            counted=True,
            nobody=nobody,
        )
        bucket = user_ids.bucket_of(user) if user else buckets.of_value(ids[0][1])
        names = ("uuid", user) if user else ids[0]
        return ImportRow(bucket=bucket, query=encode(event), body=body, names=names, data=data)

    def _protected(self, data: dict[str, Any]) -> tuple[bytes | None, dict[str, Any]]:
        if not data:
            return None, data
        try:
            return self._to.protection.data(msgspec.json.encode(data), data)
        except PersonalDataError as found:
            raise BadRowError(found.message) from None


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


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Returns objects within objects for dotted names. Raises BadRowError if a name is no path, or if two collide."""
    if not any("." in name or "\\" in name for name in flat):
        return flat
    data: dict[str, Any] = {}
    for name, value in flat.items():
        keys = path_of(name)
        place = data
        for key in keys[:-1]:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise BadRowError(f"{name}: collides with another column")
        if keys[-1] in place:
            raise BadRowError(f"{name}: collides with another column")
        place[keys[-1]] = value
    return data


def path_of(name: str) -> tuple[str, ...]:
    """Returns the keys of a column's name. Raises BadRowError."""
    try:
        keys = split_path(name)
    except ValueError:
        raise BadRowError(f"{name[:100]}: is no name of an attribute: keys joined by dots") from None
    if len(keys) > LIMITS.data_depth:
        raise BadRowError(f"{name[:100]}: is deeper than {LIMITS.data_depth}")
    return keys


def row_time(text: str, made: int) -> int:
    """Reads a row's own time (unix seconds or ISO 8601). Returns unix ms. Raises BadRowError."""
    try:
        seconds = float(text) if _SECONDS(text) else convert(text, Attribute.Type.TIME)
        at = round(seconds * 1000)
    except (UnconvertibleError, OverflowError):
        raise BadRowError("at: is no moment: unix seconds, or ISO 8601") from None
    if not EARLIEST <= at <= made + DAY_MS:
        raise BadRowError("at: is before the year 2000, or to come")
    return at


def _names_in(found: dict[str, Any]) -> Parameters:
    """Takes the columns that name the user out of the row. Returns those that are not empty."""
    named = {name: _text(name, found.pop(name)) for name in USER_COLUMNS & found.keys()}
    return {name: text for name, text in named.items() if text}


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
