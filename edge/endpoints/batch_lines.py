"""One line of a batch: a JSON object that says what a request to `/dp` would say. It becomes a row of the inbox."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from core import buckets, json_values, user_ids
from core.errors import (
    ConsentDeniedError,
    InputTooLargeError,
    InvalidParameterError,
    MalformedLineError,
    UnnamedUserError,
)
from core.ids.left_out import LeftOut
from core.limits import RequestLimits
from core.messages import Event, encode
from core.query import Parameters
from edge.sections.pixels import CollectingPixel
from profiles.events.data import BadDataError, parse_data
from profiles.events.dimensions import dimensions_in
from profiles.events.ids import ID_PARAMETERS, text_of
from profiles.events.times import event_time
from usersync.consent import ConsentJudge

ROOM = 16 * 1024
"""Bytes of a line beside its `data`."""

_KNOWN = {"uuid", "user", "at"} | ID_PARAMETERS
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class EventRow(NamedTuple):
    """A row for the inbox."""

    bucket: int
    query: bytes
    body: bytes | None


@dataclass(frozen=True, slots=True)
class LineReader:
    """Reads the lines of one batch. `now`: unix milliseconds."""

    pixel: CollectingPixel
    judge: ConsentJudge
    limits: RequestLimits
    now: int

    def read(self, line: bytes) -> EventRow:
        """Raises InputError."""
        if len(line) > self.limits.body_bytes + ROOM:
            raise InputTooLargeError
        values, raw = _parts(line)
        if not self.judge.permits(self.pixel.consent_mode, values, gpc=False):
            raise ConsentDeniedError
        body, data = self._data(raw)
        event = self._event(values, data)
        bucket = user_ids.bucket_of(event.user) if event.user else buckets.of_value(event.ids[0][1])
        return EventRow(bucket, encode(event), body)

    def _data(self, raw: bytes | None) -> tuple[bytes | None, dict[str, Any]]:
        if raw is None:
            return None, {}
        if len(raw) > self.limits.body_bytes:
            raise InputTooLargeError
        try:
            return self.pixel.protection.data(raw, parse_data(raw, self.limits.data_depth))
        except BadDataError:
            raise InvalidParameterError("data") from None

    def _event(self, values: Parameters, data: dict[str, Any]) -> Event:
        user = user_ids.of_parameter(values)
        reader, nobody = self.pixel.ids, list[LeftOut]()
        customers_own = values.get("user")
        ids = [
            *(reader.user(customers_own, nobody) if customers_own else ()),
            *reader.user_key(data, self.pixel.user_key, nobody),
            *reader.parameters(values, nobody),
        ]
        ids = list(dict.fromkeys(ids))
        if user is None and not ids:
            raise UnnamedUserError
        at = event_time(values, self.now)
        event = Event(self.pixel.customer, self.pixel.id, at, user, user is not None, ids, nobody=nobody)
        found = dimensions_in(values, self.limits.dimension_bytes)
        event.dimensions = self.pixel.protection.dimensions(found)
        return event


def _parts(line: bytes) -> tuple[Parameters, bytes | None]:
    """The parameters, as text, and the raw `data`. Empty values are as if left out."""
    try:
        given = _decode(line)
        raw = given.pop("data", None)
        values = {name: _text(name, json_values.decode(value)) for name, value in given.items()}
    except (ValueError, RecursionError):
        raise MalformedLineError from None
    data = None if raw is None else bytes(raw).strip()
    return {name: text for name, text in values.items() if text}, None if data == b"null" else data


def _text(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return text_of(value) or str(value)
    if name in _KNOWN:
        raise InvalidParameterError(name)
    return None
