"""The audit log: every change by a person, a key, a command or the hub itself. Entries are added, never changed.

Whoever makes a change is known by the context: doors call `entered_by` when they know who calls; what nobody entered is
the hub's own act. Rows of the configuration note their changes themselves (`core.audit.rows`); what changes anything
else calls `record` in the transaction of the change. Entries hold no secrets, and nothing of the customers' users.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from core import clock
from core.inbox import AnyCursor

LONGEST_VALUE = 20_000
"""A longer value, as JSON, is left out; its length is noted instead."""

_INSERT = """
INSERT INTO audit_entry (
    at, actor_kind, actor, actor_number, door, address, customer_id, action, object, object_number, name, before, after
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something. `kind`: person, key, command, hub or nobody; `door`: api, console, command line or hub."""

    kind: str
    name: str = ""
    number: str = ""
    door: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done, as of `record`."""

    action: str
    kind: str
    number: object = ""
    name: str = ""
    customer: int | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


HUB = Actor("hub", door="hub")

_entered: ContextVar[Callable[[], Actor]] = ContextVar("audit_actor", default=lambda: HUB)
_written: ContextVar[int] = ContextVar("audit_written", default=0)


def actor() -> Actor:
    """Returns who makes the changes of the present context."""
    return _entered.get()()


def entered_by(who: Callable[[], Actor]) -> Token[Callable[[], Actor]]:
    """From now on changes are made by this actor, who is asked for when there is something to record."""
    _written.set(0)
    return _entered.set(who)


def left(token: Token[Callable[[], Actor]]) -> None:
    """Changes are made again by whoever made them before `entered_by`."""
    _entered.reset(token)


@contextmanager
def acting(who: Actor) -> Iterator[None]:
    """Changes inside are made by this actor."""
    token = entered_by(lambda: who)
    try:
        yield
    finally:
        left(token)


def record(
    action: str,
    kind: str,
    number: object = "",
    name: str = "",
    *,
    customer: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    by: Actor | None = None,
) -> None:
    """Add an entry, in the present transaction.

    `kind`, `number`, `name`: the object. `customer`: whose admins may read it; None: only those of the whole hub.
    `before`, `after`: what changed. Neither may hold a secret, or an id or data of a customer's user.
    """
    entry = Entry(action, kind, number, name, customer, before, after)
    with connection.cursor() as cursor:
        insert(cursor, entry, by or actor(), clock.now())
    _written.set(_written.get() + 1)


def insert(cursor: AnyCursor, entry: Entry, who: Actor, at: datetime) -> None:
    """Add an entry in the transaction of any cursor."""
    cursor.execute(
        _INSERT,
        [
            *(at, who.kind, who.name[:200], who.number, who.door, who.address, entry.customer, entry.action),
            *(entry.kind, str(entry.number), entry.name[:300], _json(entry.before), _json(entry.after)),
        ],
    )


@contextmanager
def at_least(
    action: str, kind: str, number: object = "", *, customer: int | None = None, in_request: bool = False
) -> Iterator[None]:
    """Add this entry where what is done inside has recorded nothing itself. Nothing is recorded if it raises.

    `in_request`: an entry from before, in the same request, will do too.
    """
    before = 0 if in_request else _written.get()
    yield
    if _written.get() == before:
        record(action, kind, number, customer=customer)


def is_recorded() -> bool:
    """Whether the present request, or what else was entered, has left an entry."""
    return _written.get() > 0


def _json(values: Mapping[str, Any] | None) -> str | None:
    if values is None:
        return None
    return msgspec.json.encode({name: _bounded(value) for name, value in values.items()}, enc_hook=str).decode()


def _bounded(value: Any) -> Any:
    length = len(msgspec.json.encode(value, enc_hook=str))
    return value if length <= LONGEST_VALUE else {"left out": f"{length} bytes"}
