"""What changes of rows look like in the audit log: only the fields that changed, and no secrets.

`core.configuration` calls this around every write of a row of the configuration, the console around those of others.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import connection, models

from core import audit
from core.keys import KeyRing

MASK = "•••"
Values = dict[str, Any]

_SECRET_WORDS = ("secret", "password", "passphrase", "token", "credential", "authorization", "cookie", "salt", "digest")
_API_KEY = "apikey"
_EMPTY: tuple[Any, ...] = (None, "", [], {})
_PERSONAL = frozenset({"email", "first_name", "last_name"})  # of people who use the console
_NEVER = frozenset({"created_at", "updated_at", "last_login"})


def read(model: type[models.Model], keys: Collection[Any]) -> dict[Any, Values]:
    """Returns rows by key, with the values of their columns as JSON has them."""
    quote, meta = connection.ops.quote_name, model._meta
    key = quote(str(meta.pk.column))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key}, to_jsonb(t)::text FROM {quote(meta.db_table)} AS t WHERE {key} = ANY(%s)", [list(keys)]
        )
        return {found: json.loads(text) for found, text in cursor.fetchall()}


def record(
    model: type[models.Model],
    key: Any,
    before: Values | None,
    after: Values | None,
    *,
    customer: int | None = None,
    name: str = "",
) -> None:
    """Add the entry of one row; none where nothing changed that counts."""
    old, new = _differences(model, before or {}, after or {})
    if not (old or new):
        return
    action = "create" if before is None else "delete" if after is None else "change"
    found = name or str((after or before or {}).get("name", ""))
    was, is_ = None if before is None else old, None if after is None else new
    audit.record(action, model._meta.db_table, key, found, customer=customer, before=was, after=is_)


def _differences(model: type[models.Model], before: Values, after: Values) -> tuple[Values, Values]:
    old, new = {}, {}
    ignored = _NEVER | getattr(model, "unaudited_fields", frozenset())
    sealed = {field.column for field in model._meta.concrete_fields if isinstance(field, models.BinaryField)}
    for name in before.keys() | after.keys():
        was, is_ = before.get(name), after.get(name)
        if not before and is_ in _EMPTY:
            continue
        if name in ignored or was == is_ or (name in sealed and _opened(was) == _opened(is_)):
            continue
        if name in sealed or name in _PERSONAL or _names_secret(name):
            was, is_ = (MASK if value else value for value in (was, is_))
        if name in before:
            old[name] = _masked(was)
        if name in after:
            new[name] = _masked(is_)
    return old, new


def _opened(value: Any) -> Any:
    """A sealed value is another text each time it is written."""
    try:
        return KeyRing(settings.SECRET_KEYS).open(bytes.fromhex(str(value).removeprefix("\\x")))
    except (InvalidToken, ValueError):
        return value


def _masked(value: Any) -> Any:
    """The value without what is called like a secret in it."""
    if isinstance(value, Mapping):
        return {
            name: MASK if isinstance(held, str) and held and _names_secret(name) else _masked(held)
            for name, held in value.items()
        }
    if isinstance(value, list):
        return [_masked(held) for held in value]
    return value


def _names_secret(name: str) -> bool:
    """Whether the name of a field says that its value is secret."""
    lower = name.lower()
    return any(word in lower for word in _SECRET_WORDS) or _API_KEY in "".join(filter(str.isalnum, lower))
