"""What a batch sends to other buckets: rows of their inboxes, appended in the same transaction.

A command bears the moment at which the row that it follows from was accepted, however many buckets that row has passed.
Erasures compare it: what was accepted before an erasure must not bring anybody back.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Cursor

from core import inbox
from core.inbox import InboxCommand, InboxKind


class Outbox:
    """Gathers the rows; `append` writes them all. What follows from no row bears the moment of the batch."""

    __slots__ = ("_accepted", "_commands", "_cursor", "_now")

    def __init__(self, cursor: Cursor[Any], now: datetime) -> None:
        self._cursor = cursor
        self._accepted = self._now = now
        self._commands: list[InboxCommand] = []

    def follow(self, accepted: datetime | None) -> None:
        """What is sent from now on follows from a row that was accepted then; None: from no row."""
        self._accepted = accepted or self._now

    def send(
        self,
        bucket: int,
        kind: InboxKind,
        message: msgspec.Struct,
        body: bytes | None = None,
        accepted: datetime | None = None,
    ) -> None:
        """Send a message to a bucket, this one or another. `accepted`: it follows from what was accepted then."""
        command = InboxCommand(bucket, kind, msgspec.json.encode(message), accepted or self._accepted, body)
        self._commands.append(command)

    def send_again(self, commands: Iterable[InboxCommand]) -> None:
        """Send rows as they were when they were taken off an inbox."""
        self._commands += commands

    def append(self) -> None:
        """Append the rows to the inbox: the last step of the transaction."""
        inbox.append(self._cursor, self._commands)
