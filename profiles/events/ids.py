"""The ids of an event: how a request names its user, beside our own user id."""

from typing import Any

from core.errors import InvalidParameterError
from core.limits import RequestLimits, is_sound_id
from core.messages import Id
from core.patterns import whole
from core.query import Parameters
from integrations.platform_user_ids import NO_ID, is_macro
from profiles.personal.protection import Protection

DEVICES = ("devid_g", "devid_a", "devid_o", "devid_u", "idsha1", "idmd5")
ID_PARAMETERS = frozenset({"pl", "euid", *DEVICES})

_PLATFORM = whole(r"[1-9][0-9]{0,9}+")
_NO_DEVICE = "0-"
"""Devices that limit tracking all show the same id of zeros, with or without hyphens: it names nobody."""


def user_key_in(data: dict[str, Any], path: tuple[str, ...], limits: RequestLimits) -> list[Id]:
    """Returns the customer's own user id inside `data`, if a sound text or integer stands at `path`."""
    if not path:
        return []
    value = data.get(".".join(path))
    if value is None and len(path) > 1:
        value = _value_at(data, path)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return []
    text = str(value)
    return [("user", text)] if text and is_sound_id(text, limits.id_bytes) else []


def _value_at(data: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = data
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def ids_in(values: Parameters, limits: RequestLimits, protection: Protection) -> list[Id]:
    """Returns the platform's id and the device ids among the parameters, in the order of precedence.

    They hold no personal data in clear. Raises InvalidParameterError for an id that cannot be kept, or that would name
    many users, and PersonalDataError where the customer refuses personal data.
    """
    if ID_PARAMETERS.isdisjoint(values):
        return []
    found: list[Id] = []
    if "euid" in values and "pl" in values:
        platform = values["pl"] or ""
        if not _PLATFORM(platform):
            raise InvalidParameterError("pl")
        found += _id_of(f"euid:{platform}", "euid", values, limits)
    for device in DEVICES:
        if device in values:
            found += _id_of(f"device:{device}", device, values, limits)
    return [(kind, protection.id(value)) for kind, value in found]


def _id_of(kind: str, parameter: str, values: Parameters, limits: RequestLimits) -> list[Id]:
    value = values[parameter]
    if value is None or not is_sound_id(value, limits.id_bytes) or is_macro(value):
        raise InvalidParameterError(parameter)
    return [] if names_nobody(value) else [(kind, value)]


def names_nobody(value: str) -> bool:
    """Whether a platform or a device uses this value to say that it does not know, or does not tell, the user."""
    return value in NO_ID or not value.strip(_NO_DEVICE)
