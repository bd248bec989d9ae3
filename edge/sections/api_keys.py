"""The API keys as the edge holds them in memory: the database is not asked for each request."""

from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection

from core.api_keys import Key
from edge.snapshot import Section


async def _load(connection: AsyncConnection[Any]) -> Mapping[str, Key]:
    cursor = await connection.execute("SELECT prefix, digest, role, customer_id FROM api_key WHERE revoked_at IS NULL")
    return {prefix: Key(*rest) for prefix, *rest in await cursor.fetchall()}


API_KEYS = Section("API keys", _load)
