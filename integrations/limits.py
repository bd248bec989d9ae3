"""How much the hub may send to a platform: the limits that the platform documents, and those that its owner sets."""

from typing import Any

import msgspec
from django.core.exceptions import ValidationError


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The limits of one platform; None means no limit.

    `per_second`, `concurrent` and `per_day` (a UTC day) count requests.
    """

    per_second: float | None = None
    concurrent: int | None = None
    per_day: int | None = None
    files_per_hour: int | None = None
    bytes_per_day: int | None = None


NAMES = Limits.__struct_fields__


def read(limits: dict[str, Any], default: Limits) -> Limits:
    """Return the default limits of a connector, with those replaced that the platform sets. Raises like `check`."""
    check(limits)
    whole = {name: value if name == "per_second" else int(value) for name, value in limits.items()}
    return msgspec.structs.replace(default, **whole)


def check(limits: dict[str, Any]) -> None:
    """Raise Django's `ValidationError` with every error; its keys are `limits.<name>`."""
    if not isinstance(limits, dict):  # stored by a statement that nobody checked
        raise ValidationError({"limits": "must be an object"})
    errors = {}
    for name, value in limits.items():
        if name not in NAMES:
            errors[f"limits.{name}"] = f"There is no such limit; there are {', '.join(NAMES)}."
        elif isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            errors[f"limits.{name}"] = "must be a number above 0"
        elif name != "per_second" and value != int(value):
            errors[f"limits.{name}"] = "must be a whole number"
    if errors:
        raise ValidationError(errors)
