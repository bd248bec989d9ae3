"""What the edge says of API keys that were used there."""

from typing import Any, Protocol

from psycopg import Cursor

from core import audit
from core.audit import Actor
from core.clock import moment
from core.messages import KeyUsed
from pipeline.absorb.loader import Needs
from pipeline.absorb.rows import InboxRow

_USED = """
INSERT INTO api_key_use AS known (api_key_id, address, used_at) SELECT id, %s, %s FROM api_key WHERE prefix = %s
ON CONFLICT (api_key_id, address) DO UPDATE SET used_at = excluded.used_at WHERE known.used_at < excluded.used_at
"""
_KEY = "SELECT id, name, customer_id FROM api_key WHERE prefix = %s"


class CursorScope(Protocol):
    """The part of a batch that this needs."""

    @property
    def cursor(self) -> Cursor[Any]: ...


def needs_use(use: KeyUsed, needs: Needs) -> None:
    """Nothing: it is about no user."""


def absorb_use(unit: CursorScope, row: InboxRow, use: KeyUsed) -> None:
    """Note the use beside the key; a refused one in the audit log. A key that is gone is skipped."""
    if not use.refused:
        unit.cursor.execute(_USED, [use.address, moment(use.at), use.prefix])
        return
    found = unit.cursor.execute(_KEY, [use.prefix]).fetchone()
    if found is not None:
        key, name, customer = found
        holder = Actor("key", str(name), use.prefix, "edge", use.address)
        entry = audit.Entry(
            "refuse", "api_key", key, f"{name} ({use.prefix}…)", customer, after={"address": use.address}
        )
        audit.insert(unit.cursor, entry, holder, moment(use.at))
