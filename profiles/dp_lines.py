"""One line of a batch: a JSON object that says what a request to `/dp` would say."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from edge import answers, buckets, cookies
from edge.answers import Refused, bad
from edge.limits import Limits
from edge.messages import Event, Id, encode
from edge.query import Parameters
from profiles import dimensions, dp_data, dp_ids, dp_times
from profiles.dp_pixels import CollectingPixel
from usersync.consent import Judge
from usersync.platform_ids import is_sound

ROOM = 16 * 1024
"""Bytes of a line beside its `data`."""

_KNOWN = {"uuid", "user", "at"} | dp_ids.PARAMETERS
_NO_USER = Refused(answers.plain(400, "no-user", "the line names nobody"))
_DENIED = Refused(answers.plain(200, "consent-denied", "the line's consent signals say no"))
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_value = msgspec.json.Decoder().decode


class Entry(NamedTuple):
    """A row for the inbox."""

    bucket: int
    query: bytes
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Lines:
    """Reads the lines of one batch. `now`: unix milliseconds."""

    pixel: CollectingPixel
    judge: Judge
    limits: Limits
    now: int

    def read(self, line: bytes) -> Entry:
        """Raises Refused, whose answer's name is the line's status."""
        if len(line) > self.limits.body_bytes + ROOM:
            raise Refused(answers.TOO_LARGE)
        values, raw = _parts(line)
        if not self.judge.permits(self.pixel.consent, values, gpc=False):
            raise _DENIED
        body, data = self._data(raw)
        event = self._event(values, data)
        bucket = cookies.bucket_of(event.user) if event.user else buckets.of_value(event.ids[0][1])
        return Entry(bucket, encode(event), body)

    def _data(self, raw: bytes | None) -> tuple[bytes | None, dict[str, Any]]:
        if raw is None:
            return None, {}
        if len(raw) > self.limits.body_bytes:
            raise Refused(answers.TOO_LARGE)
        try:
            return self.pixel.protection.data(raw, dp_data.parse(raw, self.limits.data_depth))
        except dp_data.BadDataError:
            raise bad("data") from None

    def _event(self, values: Parameters, data: dict[str, Any]) -> Event:
        user = _uuid(values)
        ids = [
            *self._customers_own(values),
            *dp_ids.user_key(data, self.pixel.user_key, self.limits),
            *dp_ids.of_parameters(values, self.limits),
        ]
        ids = list(dict.fromkeys(ids))
        if user is None and not ids:
            raise _NO_USER
        at = dp_times.own_time(values, self.now)
        event = Event(self.pixel.customer, self.pixel.id, at, user, user is not None, ids)
        found = dimensions.of_values(values, self.limits.dimension_bytes)
        event.dimensions = self.pixel.protection.dimensions(found)
        return event

    def _customers_own(self, values: Parameters) -> list[Id]:
        """`user`: the customer's own user id, where the data does not hold it."""
        user = values.get("user")
        if not user:
            return []
        if not is_sound(user, self.limits.id_bytes):
            raise bad("user")
        return [("user", self.pixel.protection.text(user))]


def _parts(line: bytes) -> tuple[Parameters, bytes | None]:
    """The parameters, as text, and the raw `data`. Empty values are as if left out."""
    try:
        given = _decode(line)
        raw = given.pop("data", None)
        values = {name: _text(name, _decode_value(value)) for name, value in given.items()}
    except (ValueError, RecursionError):
        raise Refused(answers.plain(400, "bad-line", "the line is not a JSON object")) from None
    data = None if raw is None else bytes(raw).strip()
    return {name: text for name, text in values.items() if text}, None if data == b"null" else data


def _text(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if name in _KNOWN:
        raise bad(name)
    return None


def _uuid(values: Parameters) -> str | None:
    if "uuid" not in values:
        return None
    user = cookies.user_id(values["uuid"] or "")
    if user is None:
        raise bad("uuid")
    return user
