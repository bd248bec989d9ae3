"""A column of JSON whose numbers Django reads as the hub keeps them (`core.json_values`)."""

from typing import Any

from django.db import models

from core.json_values import loads


class KeptJSONField(models.JSONField):
    """As Django's field, which would read 1e300 back as an integer of 301 digits: PostgreSQL writes every digit."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Returns the value in kept form. What a lookup has taken out of it may be no text any more."""
        return loads(value) if isinstance(value, str) else value

    def deconstruct(self) -> Any:
        """Describe it as Django's: the column is the same."""
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.JSONField", arguments, options
