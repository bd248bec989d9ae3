"""The platforms as user sync sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from core.consent_mode import ConsentMode
from core.keys import KeyRing
from edge.snapshot import Section
from usersync.authentication import SyncSecrets


@dataclass(frozen=True, slots=True)
class SyncPlatform:
    """`secrets`: newest first; those of a token platform are the tokens. `consent`: as its customer wants it."""

    pl: int
    customer: int
    signed: bool
    secrets: tuple[str, ...]
    consent: ConsentMode


Platforms = Mapping[str, SyncPlatform]
"""Enabled platforms by `pl` as requests write it."""


def platforms_section(keys: KeyRing) -> Section[Platforms]:
    """Needs the hub's key ring: the secrets are stored sealed."""
    return Section("platforms", _Loader(keys).load)


class _Loader:
    def __init__(self, keys: KeyRing) -> None:
        self._secrets = SyncSecrets(keys)

    async def load(self, connection: AsyncConnection[Any]) -> Platforms:
        cursor = await connection.execute(
            "SELECT pl, customer_id, sync_auth, sync_secrets, consent "
            "FROM platform JOIN customer ON m = customer_id WHERE enabled",
            binary=True,
        )
        rows = await cursor.fetchall()
        opened = self._secrets.open_all({pl: bytes(sealed) for pl, _, _, sealed, _ in rows})
        return {
            str(pl): SyncPlatform(pl, customer, auth == "signed", opened[pl], ConsentMode(consent))
            for pl, customer, auth, _, consent in rows
        }
