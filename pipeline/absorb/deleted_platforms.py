"""Ids that requests named users by, of platforms that are deleted by now: they name nobody any more.

Any number of a platform may be used for such ids, also one that the hub does not know. Only where a platform had the
number, and is deleted, are its ids forgotten: what is under way with them must not make them known again.
"""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

from activation.activation_index import ActivationIndex
from core.messages import Id
from profiles.identities import EUID

IS_DELETED = """
SELECT EXISTS (SELECT 1 FROM used_number WHERE kind = 'platform' AND number = %s)
   AND NOT EXISTS (SELECT 1 FROM platform WHERE pl = %s)
"""


class DeletedPlatforms:
    """Which platforms are deleted, as of this transaction. Reads the database for numbers that the customer lacks."""

    __slots__ = ("_activations", "_cursor", "_deleted")

    def __init__(self, cursor: Cursor[Any], activations: ActivationIndex) -> None:
        self._cursor = cursor
        self._activations = activations
        self._deleted: dict[int, bool] = {}

    def had(self, customer: int, kind: str) -> bool:
        """Whether ids of this kind were a deleted platform's."""
        if not kind.startswith(EUID):
            return False
        platform = int(kind.removeprefix(EUID))
        if platform in self._activations.of(customer).platforms:
            return False
        if platform not in self._deleted:
            self._cursor.execute(IS_DELETED, [platform, platform])
            self._deleted[platform] = bool((self._cursor.fetchone() or (False,))[0])
        return self._deleted[platform]

    def without(self, customer: int, ids: Sequence[Id]) -> list[Id]:
        """Returns the other ids."""
        return [one for one in ids if not self.had(customer, one[0])]
