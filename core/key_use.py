"""When and from where API keys were used: noted at most once a minute for each key and address."""

from datetime import datetime, timedelta

from django.db import connection

from core import audit, clock
from core.models import ApiKey

EVERY = timedelta(minutes=1)
MOST_ADDRESSES = 50
"""So many addresses are kept of a key: those of the newest uses."""

_REMEMBERED = 10_000
_NOTE = """
INSERT INTO api_key_use AS known (api_key_id, address, used_at) VALUES (%s, %s, %s)
ON CONFLICT (api_key_id, address) DO UPDATE SET used_at = excluded.used_at WHERE known.used_at < excluded.used_at
"""
_FORGET = """
DELETE FROM api_key_use WHERE api_key_id = %s AND used_at < (
    SELECT used_at FROM api_key_use WHERE api_key_id = %s ORDER BY used_at DESC OFFSET %s LIMIT 1
)
"""

Noted = dict[tuple[int, str], datetime]

_noted: Noted = {}
_refused: Noted = {}
"""What this process noted last: most requests ask nothing of the database."""


def note(key: int, address: str) -> None:
    """Note that the key is used from the address now."""
    if _is_new(_noted, (key, address)):
        write(key, address, clock.now())


def note_refusal(key: ApiKey, address: str) -> None:
    """Enter in the audit log that the key was used from an address that it is not allowed at."""
    if _is_new(_refused, (key.pk, address)):
        audit.record("refuse", "api_key", key.pk, str(key), customer=key.customer_id, after={"address": address})


def write(key: int, address: str, at: datetime) -> None:
    """Store a use, which may be older than what is known."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [key, address, at])
        cursor.execute(_FORGET, [key, key, MOST_ADDRESSES - 1])


def _is_new(noted: Noted, use: tuple[int, str]) -> bool:
    """Tell whether the use was not noted within the last minute, and note it."""
    now = clock.now()
    before = noted.get(use)
    if before is not None and now - before < EVERY:
        return False
    if len(noted) >= _REMEMBERED:
        noted.clear()
    noted[use] = now
    return True
