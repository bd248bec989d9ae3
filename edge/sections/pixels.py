"""What data collection needs of the configuration: customers, their pixels, and the API keys that write for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from core.api_keys import Key
from core.consent_mode import ConsentMode
from core.errors import InvalidParameterError
from core.query import Parameters
from edge.snapshot import Section
from profiles.personal.protection import Policy, Protection


@dataclass(frozen=True, slots=True)
class CollectingPixel:
    """`user_key`: the path of the attribute that names the customer's own user; empty where none does.

    `consent_mode`, `protection` (from personal data in clear): as its customer wants it.
    """

    id: int
    customer: int
    user_key: tuple[str, ...]
    consent_mode: ConsentMode
    protection: Protection


@dataclass(frozen=True, slots=True)
class Collection:
    """Customers by `m` and pixels by `id`, both as requests write them."""

    customers: Mapping[str, int]
    pixels: Mapping[str, CollectingPixel]


def named_pixel(values: Parameters, collection: Collection) -> CollectingPixel:
    """Returns the pixel that `m` and `id` of a request name. Raises InvalidParameterError."""
    customer = collection.customers.get(values.get("m") or "")
    if customer is None:
        raise InvalidParameterError("m")
    pixel = collection.pixels.get(values.get("id") or "")
    if pixel is None or pixel.customer != customer:
        raise InvalidParameterError("id")
    return pixel


async def _load(connection: AsyncConnection[Any]) -> Collection:
    cursor = await connection.execute("SELECT m FROM customer")
    customers = {str(m): m for (m,) in await cursor.fetchall()}
    cursor = await connection.execute(
        "SELECT id, customer_id, user_key, consent, personal_data, salt FROM pixel JOIN customer ON m = customer_id"
    )
    pixels = {
        str(pixel): CollectingPixel(
            pixel, customer, _path(user_key), ConsentMode(consent), Protection(Policy(policy), salt)
        )
        for pixel, customer, user_key, consent, policy, salt in await cursor.fetchall()
    }
    return Collection(customers, pixels)


def _path(user_key: str) -> tuple[str, ...]:
    return tuple(user_key.split(".")) if user_key else ()


COLLECTION = Section("collection", _load)


async def _load_keys(connection: AsyncConnection[Any]) -> Mapping[str, Key]:
    cursor = await connection.execute("SELECT prefix, digest, role, customer_id FROM api_key WHERE revoked_at IS NULL")
    return {prefix: Key(*rest) for prefix, *rest in await cursor.fetchall()}


API_KEYS = Section("API keys", _load_keys)
"""By prefix."""
