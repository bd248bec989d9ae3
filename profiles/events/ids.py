"""The ids of an event: how a request names its user, beside our own user id."""

from dataclasses import dataclass
from typing import Any

from core.errors import InvalidParameterError
from core.ids.left_out import LeftOut, left_out
from core.ids.nobody import NO_WORDS, OwnWords, why_nobody
from core.ids.spelling import one_spelling
from core.limits import RequestLimits, is_sound_id
from core.messages import Id
from core.patterns import whole
from core.query import Parameters
from core.values.numbers import EXACT
from profiles.personal.protection import Protection
from profiles.state import USER_KEY

DEVICES = ("devid_g", "devid_a", "devid_o", "devid_u", "idsha1", "idmd5")
ID_PARAMETERS = frozenset({"pl", "euid", *DEVICES})

_PLATFORM = whole(r"[1-9][0-9]{0,9}+")


@dataclass(frozen=True, slots=True)
class IdReader:
    """Reads the ids by which a customer's requests name their users.

    `own`: the customer's own words for nobody. Its methods add to `nobody` what they leave out because it names nobody.
    """

    limits: RequestLimits
    protection: Protection
    own: OwnWords = NO_WORDS

    def user_key(self, data: dict[str, Any], path: tuple[str, ...], nobody: list[LeftOut]) -> list[Id]:
        """Returns the customer's own user id inside `data`, if a sound text or a whole number stands at `path`."""
        if not path:
            return []
        value = data.get(".".join(path))
        if value is None and len(path) > 1:
            value = _value_at(data, path)
        text = text_of(value)
        return self._named(USER_KEY, text, nobody) if text and is_sound_id(text, self.limits.id_bytes) else []

    def user(self, text: str, nobody: list[LeftOut]) -> list[Id]:
        """Returns the customer's own user id that a line gives beside its data. Raises InvalidParameterError."""
        if not is_sound_id(text, self.limits.id_bytes):
            raise InvalidParameterError("user")
        return [(kind, self.protection.id(value)) for kind, value in self._named(USER_KEY, text, nobody)]

    def parameters(self, values: Parameters, nobody: list[LeftOut]) -> list[Id]:
        """Returns the platform's id and the device ids among the parameters, in the order of precedence.

        They hold no personal data in clear. Raises InvalidParameterError for an id that cannot be kept, and
        PersonalDataError where the customer refuses personal data.
        """
        if ID_PARAMETERS.isdisjoint(values):
            return []
        found: list[Id] = []
        if "euid" in values and "pl" in values:
            platform = values["pl"] or ""
            if not _PLATFORM(platform):
                raise InvalidParameterError("pl")
            found += self._of(f"euid:{platform}", "euid", values, nobody)
        for device in DEVICES:
            if device in values:
                found += self._of(f"device:{device}", device, values, nobody)
        return [(kind, self.protection.id(value)) for kind, value in found]

    def _of(self, kind: str, parameter: str, values: Parameters, nobody: list[LeftOut]) -> list[Id]:
        value = values[parameter]
        if value is None or not is_sound_id(value, self.limits.id_bytes):
            raise InvalidParameterError(parameter)
        return self._named(kind, value, nobody)

    def _named(self, kind: str, value: str, nobody: list[LeftOut]) -> list[Id]:
        """Returns the id in its one spelling; nothing, and notes why, if it names nobody."""
        value = one_spelling(kind, value)
        if not value:
            return []
        why = why_nobody(kind, value, self.own)
        if why is None:
            return [(kind, value)]
        nobody.append(left_out(kind, value, why))
        return []


def text_of(value: Any) -> str | None:
    """Returns a text, or a whole number as it is written without a decimal point. None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if value.is_integer() and abs(value) < EXACT else None


def _value_at(data: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = data
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
