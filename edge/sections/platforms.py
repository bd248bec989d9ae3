"""The platforms as user sync sees them: who may call `/uid`, and which syncs each pixel starts.

Both sections need the hub's key ring, because the sync secrets are stored sealed.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from core.consent_mode import ConsentMode
from core.keys import KeyRing
from edge.snapshot import Section
from integrations.sync_templates import find_errors
from usersync.authentication import SyncSecrets
from usersync.sync_cookie import SyncCandidate
from usersync.sync_urls import SyncUrl

logger = logging.getLogger(__name__)

_DAY = 86_400
_PLATFORMS = (
    "SELECT pl, sync_template, sync_interval_days, sync_auth, sync_tag, sync_secrets "
    "FROM platform WHERE enabled AND sync_template <> ''"
)
_INTEGRATIONS = "SELECT pixel_id, platform_id, priority FROM pixel_integration ORDER BY pixel_id, platform_id"


@dataclass(frozen=True, slots=True)
class SyncPlatform:
    """`secrets`: newest first; those of a token platform are the tokens. `consent_mode`: as its customer wants it."""

    pl: int
    customer: int
    signed: bool
    secrets: tuple[str, ...]
    consent_mode: ConsentMode


Platforms = Mapping[str, SyncPlatform]
"""Enabled platforms by `pl` as requests write it."""


def platforms_section(keys: KeyRing) -> Section[Platforms]:
    return Section("platforms", _PlatformLoader(keys).load)


class _PlatformLoader:
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


@dataclass(frozen=True, slots=True)
class PlatformSync:
    """`script`: the browser must run what the platform answers, so that no redirect can lead there."""

    url: SyncUrl
    script: bool
    interval: int


@dataclass(frozen=True, slots=True)
class PlatformSyncs:
    """`by_pl`: what can be synced at all; `pixels`: whose syncs each pixel starts; `images`: those by redirects."""

    by_pl: Mapping[int, PlatformSync]
    pixels: Mapping[int, tuple[SyncCandidate, ...]]
    images: Mapping[int, tuple[SyncCandidate, ...]]


def syncs_section(keys: KeyRing, edge_url: str) -> Section[PlatformSyncs]:
    """`edge_url`: the edge's public address, where platforms send browsers back to."""
    return Section("syncs", _SyncLoader(keys, edge_url).load)


class _SyncLoader:
    def __init__(self, keys: KeyRing, edge_url: str) -> None:
        self._secrets = SyncSecrets(keys)
        self._edge_url = edge_url

    async def load(self, connection: AsyncConnection[Any]) -> PlatformSyncs:
        cursor = await connection.execute(_PLATFORMS, binary=True)
        rows = await cursor.fetchall()
        secrets = self._secrets.open_all({row[0]: bytes(row[-1]) for row in rows})
        compiled = {
            pl: self._sync(pl, template, days, auth, tag, secrets[pl]) for pl, template, days, auth, tag, _ in rows
        }
        by_pl = {pl: sync for pl, sync in compiled.items() if sync is not None}
        cursor = await connection.execute(_INTEGRATIONS, binary=True)
        pixels = _pixels(await cursor.fetchall(), by_pl)
        images = {pixel: tuple(one for one in ones if not by_pl[one.pl].script) for pixel, ones in pixels.items()}
        return PlatformSyncs(by_pl, pixels, images)

    def _sync(
        self, pl: int, template: str, days: int, auth: str, tag: str, secrets: tuple[str, ...]
    ) -> PlatformSync | None:
        """None, and a line in the log, for what cannot be synced: a template older than its checks, no secret."""
        wrong = find_errors(template, auth) or ([] if secrets else ["its secrets cannot be read"])
        if wrong:
            logger.warning("platform %s is not synced: its sync template %s", pl, "; ".join(wrong))
            return None
        token = None if auth == "signed" else secrets[0]
        return PlatformSync(SyncUrl(template, self._edge_url, pl, token), tag == "js", max(days, 1) * _DAY)


def _pixels(
    rows: list[tuple[int, int, int]], by_pl: Mapping[int, PlatformSync]
) -> dict[int, tuple[SyncCandidate, ...]]:
    found: defaultdict[int, list[SyncCandidate]] = defaultdict(list)
    for pixel, pl, priority in rows:
        if pl in by_pl:
            found[pixel].append(SyncCandidate(pl, priority, by_pl[pl].interval))
    return {pixel: tuple(ones) for pixel, ones in found.items()}
