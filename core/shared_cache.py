"""What all processes of the console remember for a while: tries of codes and of reset links, and codes that were used.

Django's cache, as libraries know it, in a table: whoever is counted in one process is known in the next one, and
whatever happens to Redis. Values are JSON, so that reading one never runs code.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import connection, models

from core import clock

FOREVER = timedelta(days=365)

_WRITE = """
INSERT INTO shared_value (key, value, expires_at) VALUES (%(key)s, %(value)s, %(end)s)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
_ADD = f"{_WRITE} WHERE shared_value.expires_at <= %(now)s"


class SharedValue(models.Model):
    """One value, until `expires_at`."""

    key = models.CharField(max_length=300, primary_key=True)
    value = models.JSONField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "shared_value"

    def __str__(self) -> str:
        return self.key


class SharedCache(BaseCache):
    """The cache as a table. It keeps no value that JSON does not hold."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        held = SharedValue.objects.filter(key=self._key(key, version), expires_at__gt=clock.now())
        found = list(held.values_list("value", flat=True))
        return found[0] if found else default

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return self._write(_ADD, self._key(key, version), value, timeout)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._write(_WRITE, self._key(key, version), value, timeout)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        held = SharedValue.objects.filter(key=self._key(key, version), expires_at__gt=clock.now())
        return bool(held.update(expires_at=self._end(timeout)))

    def delete(self, key: Any, version: int | None = None) -> bool:
        return bool(SharedValue.objects.filter(key=self._key(key, version)).delete()[0])

    def clear(self) -> None:
        SharedValue.objects.all().delete()

    def _write(self, statement: str, key: str, value: Any, timeout: Any) -> bool:
        try:
            text = json.dumps(value)
        except TypeError:
            return False
        with connection.cursor() as cursor:
            cursor.execute(statement, {"key": key, "value": text, "end": self._end(timeout), "now": clock.now()})
            return bool(cursor.rowcount)

    def _key(self, key: Any, version: int | None) -> str:
        made: str = self.make_and_validate_key(key, version)
        return made

    def _end(self, timeout: Any) -> datetime:
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        return clock.now() + (FOREVER if seconds is None else timedelta(seconds=seconds))


def forget_ended() -> int:
    """Delete what counts no more. Returns how many."""
    return SharedValue.objects.filter(expires_at__lte=clock.now()).delete()[0]
