"""What a batch sends to other buckets: rows of their inboxes, appended in the same transaction."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import Cursor

from core import inbox
from core.inbox import InboxCommand, InboxKind


class Outbox:
    """Gathers the rows; `append` writes them all."""

    __slots__ = ("_commands", "_cursor", "_now")

    def __init__(self, cursor: Cursor[Any], now: datetime) -> None:
        self._cursor = cursor
        self._now = now
        self._commands: list[InboxCommand] = []

    def send(
        self,
        bucket: int,
        kind: InboxKind,
        message: msgspec.Struct,
        body: bytes | None = None,
        at: datetime | None = None,
    ) -> None:
        """Send a message to a bucket, this one or another. `at` is when it was received: now, where left out."""
        self._commands.append(InboxCommand(bucket, kind, msgspec.json.encode(message), at or self._now, body))

    def append(self) -> None:
        """Append the rows to the inbox: the last step of the transaction."""
        inbox.append(self._cursor, self._commands)
