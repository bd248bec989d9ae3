"""A model field whose value is JSON, stored encrypted."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models

from core.keys import KeyRing

if TYPE_CHECKING:
    _BinaryField = models.BinaryField[Any, Any]
else:
    _BinaryField = models.BinaryField  # generic to the type checker only


class SecretField(_BinaryField):
    """A JSON value, sealed by the hub's key ring. Never searchable, never shown again."""

    def get_prep_value(self, value: Any) -> bytes:
        return KeyRing(settings.SECRET_KEYS).seal(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return super().get_db_prep_value(value if prepared else self.get_prep_value(value), connection, prepared=True)

    def from_db_value(self, value: bytes | memoryview | None, *_: Any) -> Any:
        return None if value is None else KeyRing(settings.SECRET_KEYS).open(bytes(value))

    def value_to_string(self, obj: models.Model) -> str:
        raise TypeError(f"{self.name} is secret and is not serialised")
