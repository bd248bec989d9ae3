"""The platforms as user sync sees them: who may call `/uid`, and which syncs each pixel starts.

Both sections need the hub's key ring, because the sync secrets are stored sealed.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from psycopg import AsyncConnection

from core.consent_mode import ConsentMode
from core.customer_limits import limits_in
from core.keys import KeyRing
from core.own_ids import words_in
from core.steps import Steps
from edge.snapshot import Customers, Section, merged
from integrations.sync_templates import find_errors
from usersync.authentication import SyncSecrets
from usersync.sync_cookie import SyncCandidate
from usersync.sync_urls import SyncUrl

logger = logging.getLogger(__name__)

_DAY = 86_400
_CALLERS = (
    "SELECT pl, customer_id, sync_auth, consent, nobody_words, customer.limits, sync_secrets "
    "FROM platform JOIN customer ON m = customer_id "
    "WHERE enabled AND (%s::int[] IS NULL OR customer_id = ANY(%s::int[]))"
)
_PLATFORMS = (
    "SELECT pl, customer_id, sync_template, sync_interval_days, sync_auth, sync_tag, sync_secrets FROM platform "
    "WHERE enabled AND sync_template <> '' AND (%s::int[] IS NULL OR customer_id = ANY(%s::int[]))"
)
_INTEGRATIONS = (
    "SELECT customer_id, pixel_id, platform_id, priority FROM pixel_integration JOIN pixel ON pixel.id = pixel_id "
    "WHERE %s::int[] IS NULL OR customer_id = ANY(%s::int[]) ORDER BY pixel_id, platform_id"
)

_steps = Steps(logger)


@dataclass(frozen=True, slots=True)
class SyncPlatform:
    """`secrets`: newest first; those of a token platform are the tokens. `consent_mode`: as its customer wants it.

    `own_words` (for nobody), `limits`: the customer's own.
    """

    pl: int
    customer: int
    signed: bool
    secrets: tuple[str, ...]
    consent_mode: ConsentMode
    own_words: frozenset[str]
    limits: Mapping[str, int] = field(hash=False, compare=False)


Platforms = Mapping[str, SyncPlatform]
"""Enabled platforms by `pl` as requests write it."""


def platforms_section(keys: KeyRing) -> Section[Platforms]:
    return Section("platforms", _PlatformLoader(keys).load, merged)


class _PlatformLoader:
    def __init__(self, keys: KeyRing) -> None:
        self._secrets = SyncSecrets(keys)

    async def load(
        self, connection: AsyncConnection[Any], customers: Customers
    ) -> Mapping[int | None, dict[str, SyncPlatform]]:
        cursor = await connection.execute(_CALLERS, [customers, customers], binary=True)
        rows = await cursor.fetchall()
        opened = self._secrets.open_all({row[0]: bytes(row[-1]) for row in rows})
        found: dict[int | None, dict[str, SyncPlatform]] = defaultdict(dict)
        for pl, customer, auth, consent, words, limits, _ in rows:
            mode = _steps.run(f"platform {pl} is left out", partial(ConsentMode, consent))
            if mode is not None:
                signed, own = auth == "signed", (words_in(words), limits_in(limits))
                found[customer][str(pl)] = SyncPlatform(pl, customer, signed, opened[pl], mode, *own)
        return found


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


@dataclass(frozen=True, slots=True)
class _CustomerSyncs:
    """What can be synced by `pl`, and the (pixel, pl, priority) of what its pixels start."""

    by_pl: dict[int, PlatformSync] = field(default_factory=dict)
    started: list[tuple[int, int, int]] = field(default_factory=list)


def syncs_section(keys: KeyRing, edge_url: str) -> Section[PlatformSyncs]:
    """`edge_url`: the edge's public address, where platforms send browsers back to."""
    return Section("syncs", _SyncLoader(keys, edge_url).load, _combine)


class _SyncLoader:
    def __init__(self, keys: KeyRing, edge_url: str) -> None:
        self._secrets = SyncSecrets(keys)
        self._edge_url = edge_url

    async def load(self, connection: AsyncConnection[Any], customers: Customers) -> Mapping[int | None, _CustomerSyncs]:
        found: dict[int | None, _CustomerSyncs] = defaultdict(_CustomerSyncs)
        cursor = await connection.execute(_PLATFORMS, [customers, customers], binary=True)
        rows = await cursor.fetchall()
        secrets = self._secrets.open_all({row[0]: bytes(row[-1]) for row in rows})
        for pl, customer, template, days, auth, tag, _ in rows:
            settings = (pl, template, days, auth, tag, secrets[pl])
            sync = _steps.run(f"platform {pl} is not synced", partial(self._sync, *settings))
            if sync is not None:
                found[customer].by_pl[pl] = sync
        cursor = await connection.execute(_INTEGRATIONS, [customers, customers], binary=True)
        for customer, pixel, pl, priority in await cursor.fetchall():
            found[customer].started.append((pixel, pl, priority))
        return found

    def _sync(self, pl: int, template: str, days: int, auth: str, tag: str, secrets: tuple[str, ...]) -> PlatformSync:
        """Raises `ValueError` for what cannot be synced: a template older than its checks, no secret."""
        wrong = find_errors(template, auth) or ([] if secrets else ["its secrets cannot be read"])
        if wrong:
            raise ValueError(f"its sync template {'; '.join(wrong)}")
        token = None if auth == "signed" else secrets[0]
        return PlatformSync(SyncUrl(template, self._edge_url, pl, token), tag == "js", max(days, 1) * _DAY)


def _combine(parts: Iterable[_CustomerSyncs]) -> PlatformSyncs:
    known = list(parts)
    by_pl = merged(part.by_pl for part in known)
    pixels = _pixels((row for part in known for row in part.started), by_pl)
    images = {pixel: tuple(one for one in ones if not by_pl[one.pl].script) for pixel, ones in pixels.items()}
    return PlatformSyncs(by_pl, pixels, images)


def _pixels(
    rows: Iterable[tuple[int, int, int]], by_pl: Mapping[int, PlatformSync]
) -> dict[int, tuple[SyncCandidate, ...]]:
    found: defaultdict[int, list[SyncCandidate]] = defaultdict(list)
    for pixel, pl, priority in rows:
        if pl in by_pl:
            found[pixel].append(SyncCandidate(pl, priority, by_pl[pl].interval))
    return {pixel: tuple(ones) for pixel, ones in found.items()}
