"""What the names of columns say: an id of the user, the row's time, or the path of an attribute."""

from typing import Any

from core.limits import RequestLimits
from pipeline.imports.errors import BadRowError
from profiles.events.ids import ID_PARAMETERS
from profiles.paths import split_path

USER_COLUMNS = frozenset({"uuid", "at"} | ID_PARAMETERS)
"""Columns that name the user, or the time. All others are attributes, unless the import's mapping says otherwise."""

LIMITS = RequestLimits()


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
