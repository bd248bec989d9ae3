"""What data collection needs of the configuration: customers, their pixels, and the API keys that write for them."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from core.api_keys import Key
from core.client_address import networks
from core.consent_mode import ConsentMode
from core.customer_limits import limits_in
from core.errors import InvalidParameterError
from core.keys import KeyRing
from core.limits import RequestLimits
from core.origins import NO_ORIGINS, Origins
from core.own_ids import words_in
from core.query import Parameters
from core.steps import Steps
from edge.snapshot import Customers, Section, merged
from profiles.events.ids import IdReader
from profiles.personal.protection import Policy, Protection
from usersync.authentication import SyncSecrets

_CUSTOMERS = "SELECT m FROM customer WHERE %s::int[] IS NULL OR m = ANY(%s::int[])"
_PIXELS = (
    "SELECT id, customer_id, user_key, auth, consent, personal_data, salt, phone_region, nobody_words, "
    "limits, origins "
    "FROM pixel JOIN customer ON m = customer_id WHERE %s::int[] IS NULL OR customer_id = ANY(%s::int[])"
)
_KEYS = (
    "SELECT prefix, digest, role, customer_id, expires_at, allowed_addresses, previous_digest, previous_until "
    "FROM api_key "
    "WHERE revoked_at IS NULL AND (%s::int[] IS NULL OR customer_id = ANY(%s::int[]))"
)

_steps = Steps(logging.getLogger(__name__))


@dataclass(frozen=True, slots=True)
class CollectingPixel:
    """`user_key`: the path of the attribute that names the customer's own user; empty where none does.

    `signed`: only signed requests are taken. `consent_mode`, `protection` (from personal data in clear), `ids`: as
    its customer wants it. `limits`: the customer's own. `origins`: the sites whose pages may read the answers.
    """

    id: int
    customer: int
    user_key: tuple[str, ...]
    signed: bool
    consent_mode: ConsentMode
    protection: Protection
    ids: IdReader
    limits: Mapping[str, int] = field(hash=False, compare=False)
    origins: Origins = field(default=NO_ORIGINS, hash=False, compare=False)


@dataclass(frozen=True, slots=True)
class Collection:
    """Customers by `m` and pixels by `id`, both as requests write them.

    `has_origins`: the answers of some pixel may be read by pages of other sites.
    """

    customers: Mapping[str, int]
    pixels: dict[str, CollectingPixel]
    has_origins: bool = False


def named_pixel(values: Parameters, collection: Collection) -> CollectingPixel:
    """Returns the pixel that `m` and `id` of a request name. Raises InvalidParameterError."""
    customer = collection.customers.get(values.get("m") or "")
    if customer is None:
        raise InvalidParameterError("m")
    pixel = collection.pixels.get(values.get("id") or "")
    if pixel is None or pixel.customer != customer:
        raise InvalidParameterError("id")
    return pixel


async def _load(connection: AsyncConnection[Any], customers: Customers) -> Mapping[int | None, Collection]:
    cursor = await connection.execute(_CUSTOMERS, [customers, customers])
    found: dict[int | None, Collection] = {m: Collection({str(m): m}, {}) for (m,) in await cursor.fetchall()}
    cursor = await connection.execute(_PIXELS, [customers, customers])
    for row in await cursor.fetchall():
        pixel = _steps.run(f"pixel {row[0]} is left out", partial(_pixel, *row))
        if pixel is not None:
            found[pixel.customer].pixels[str(pixel.id)] = pixel
    return found


def _pixel(
    pixel: int, customer: int, user_key: str, auth: str, consent: str, policy: str, salt: UUID, *own: Any
) -> CollectingPixel:
    path, signed = tuple(user_key.split(".")) if user_key else (), auth != "open"
    region, words, limits, origins = own
    protection = Protection(Policy(policy), salt, region)
    ids = IdReader(RequestLimits(), protection, words_in(words))
    return CollectingPixel(
        pixel, customer, path, signed, ConsentMode(consent), protection, ids, limits_in(limits), Origins(origins)
    )


def _combine(parts: Iterable[Collection]) -> Collection:
    known = list(parts)
    pixels = merged(part.pixels for part in known)
    return Collection(merged(part.customers for part in known), pixels, any(one.origins for one in pixels.values()))


COLLECTION = Section("collection", _load, _combine)


async def _load_keys(connection: AsyncConnection[Any], customers: Customers) -> Mapping[int | None, dict[str, Key]]:
    cursor = await connection.execute(_KEYS, [customers, customers])
    found: dict[int | None, dict[str, Key]] = defaultdict(dict)
    for prefix, *columns in await cursor.fetchall():
        key = _steps.run(f"the API key {prefix} is left out", partial(_key, *columns))
        if key is not None:
            found[key.customer][prefix] = key
    return found


def _key(
    digest: str, role: str, customer: int | None, expires: datetime | None, allowed: list[str], *previous: Any
) -> Key:
    return Key(digest, role, customer, expires, networks(allowed), *previous)


API_KEYS: Section[Mapping[str, Key]] = Section("API keys", _load_keys, merged)
"""By prefix."""


_SECRETS = (
    "SELECT id, customer_id, signing_secrets FROM pixel "
    "WHERE signing_secrets IS NOT NULL AND (%s::int[] IS NULL OR customer_id = ANY(%s::int[]))"
)

SigningSecrets = Mapping[int, tuple[str, ...]]
"""The secrets of signed pixels, newest first."""


def signing_section(keys: KeyRing) -> Section[SigningSecrets]:
    secrets = SyncSecrets(keys, "pixel")

    async def load(connection: AsyncConnection[Any], customers: Customers) -> Mapping[int | None, SigningSecrets]:
        cursor = await connection.execute(_SECRETS, [customers, customers], binary=True)
        rows = await cursor.fetchall()
        opened = secrets.open_all({pixel: bytes(sealed) for pixel, _, sealed in rows})
        found: dict[int | None, dict[int, tuple[str, ...]]] = defaultdict(dict)
        for pixel, customer, _ in rows:
            found[customer][pixel] = opened[pixel]
        return found

    return Section("signing secrets", load, merged)
