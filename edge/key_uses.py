"""When and from where API keys are used at the edge: rows of the inbox, one a minute for each key and address.

The edge writes nothing else than the inbox, so absorb enters the use beside the key, or a refused use in the audit log.
"""

from core import buckets, clock
from core.api_keys import prefix_in
from core.inbox import InboxKind
from core.messages import KeyUsed, encode
from edge.group_commit import RowAppender

EVERY_MS = 60_000
REMEMBERED = 10_000


class KeyUses:
    """One for each process: what it has noted lately."""

    def __init__(self, inbox: RowAppender) -> None:
        self._inbox = inbox
        self._noted: dict[tuple[str, str, bool], int] = {}

    async def note(self, authorization: bytes, address: str, *, refused: bool) -> None:
        """Note that the key, which is proven, is used from the address now, or refused because of it."""
        now, prefix = clock.now_ms(), prefix_in(authorization)
        use = (prefix, address, refused)
        if now - self._noted.get(use, 0) < EVERY_MS:
            return
        if len(self._noted) >= REMEMBERED:
            self._noted.clear()
        self._noted[use] = now
        row = KeyUsed(prefix, address, now, refused)
        await self._inbox.append(buckets.of_value(prefix), InboxKind.KEY_USED, encode(row))
