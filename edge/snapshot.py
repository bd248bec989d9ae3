"""The configuration in memory: requests read it, and never the database.

Each `Section` (see `edge.sections`) says what a part of the edge needs of it. Sections are loaded customer by customer,
and again for the customers whose configuration has changed. A section that cannot be loaded stays as it was, and is
tried again; the others go on.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import AsyncConnection, IsolationLevel

from core.errors import UnavailableError

logger = logging.getLogger(__name__)

T = TypeVar("T")
Key = TypeVar("Key")

_CONNECT_SECONDS = 2
_POLL_SECONDS = 0.5
_STATEMENT_SECONDS = 5
_RECENT_SECONDS = 5.0
_VERSION = "SELECT version, version - named FROM configuration_version WHERE id = 1"
_CHANGED = "SELECT customer_id FROM customer_version WHERE version > %s"

Customers = list[int] | None
"""The customers to load; None: all of them, and what belongs to none."""
Parts = Mapping[int | None, Any]
"""What was loaded, by customer."""


@dataclass(frozen=True, slots=True, eq=False)
class Section(Generic[T]):
    """A part of the configuration: how some customers' share of it is loaded, and how all shares are combined.

    `load` runs inside a transaction and must only read. A row that it cannot read must cost that row only.
    """

    name: str
    load: Callable[[AsyncConnection[Any], Customers], Awaitable[Parts]]
    combine: Callable[[Iterable[Any]], T]


def merged(parts: Iterable[Mapping[Key, T]]) -> dict[Key, T]:
    """Returns one mapping of all of them."""
    found: dict[Key, T] = {}
    for part in parts:
        found |= part
    return found


@dataclass(frozen=True, slots=True)
class LoadedConfiguration:
    """All sections as of one configuration version; never changed, only replaced.

    `unnamed` counts the changes so far that named no customers. `late`: the sections that could not be loaded again.
    """

    version: int
    unnamed: int
    values: dict[Section[Any], Any]
    parts: dict[Section[Any], Parts] = field(default_factory=dict)
    late: frozenset[Section[Any]] = frozenset()

    def __getitem__(self, section: Section[T]) -> T:
        found: T = self.values[section]
        return found


class Snapshot:
    """`current` is None until the first load; a refresh that fails keeps the last one."""

    def __init__(self, database_url: str, sections: Sequence[Section[Any]]) -> None:
        self.current: LoadedConfiguration | None = None
        self._database_url = database_url
        self._sections = sections
        self._seen = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def configuration(self) -> LoadedConfiguration:
        """Raises UnavailableError before the first load."""
        current = self.current
        if current is None:
            raise UnavailableError
        return current

    @property
    def fresh(self) -> bool:
        """Loaded, and compared with the database in the last seconds."""
        return self.current is not None and time.monotonic() - self._seen < _RECENT_SECONDS

    async def start(self) -> None:
        self._task = asyncio.create_task(self._keep_fresh())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_fresh(self) -> None:
        while True:
            try:
                await self._follow()
            except (psycopg.Error, OSError) as error:
                logger.warning("the configuration could not be read: %s", error)
            except Exception:  # one bad row of the configuration must not end the refreshing
                logger.exception("the configuration could not be loaded")
            await asyncio.sleep(_POLL_SECONDS)

    async def _follow(self) -> None:
        async with asyncio.timeout(_CONNECT_SECONDS):
            connection = await AsyncConnection.connect(
                self._database_url, autocommit=True, application_name="dmphub edge configuration"
            )
        async with connection:
            await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
            await connection.execute(f"SET statement_timeout = '{_STATEMENT_SECONDS}s'")
            while True:
                version, unnamed = await _version(connection)
                current = self.current
                if current is None or current.late or (version, unnamed) != (current.version, current.unnamed):
                    self.current = await self._load(connection)
                    if current is None or version != current.version:
                        logger.info("configuration version %s", version)
                self._seen = time.monotonic()
                await asyncio.sleep(_POLL_SECONDS)

    async def _load(self, connection: AsyncConnection[Any]) -> LoadedConfiguration:
        before = self.current
        async with connection.transaction():
            version, unnamed = await _version(connection)
            named = before is not None and unnamed == before.unnamed and version >= before.version
            customers = await _changed_since(connection, before.version) if named and before is not None else None
            loaded = LoadedConfiguration(version, unnamed, {}, {})
            renewed = [await self._renew(connection, section, customers, loaded) for section in self._sections]
        late = frozenset(section for section, done in zip(self._sections, renewed, strict=True) if not done)
        return LoadedConfiguration(version, unnamed, loaded.values, loaded.parts, late)

    async def _renew(
        self, connection: AsyncConnection[Any], section: Section[Any], customers: Customers, into: LoadedConfiguration
    ) -> bool:
        """Load a section; returns False where it stays as it was. Raises where it never was loaded."""
        before = self.current
        known = None if before is None else before.parts.get(section)
        if before is not None and section in before.late:
            customers = None
        try:
            async with connection.transaction():
                parts = await section.load(connection, customers)
            if known is not None and customers is not None:
                parts = {**{key: part for key, part in known.items() if key not in customers}, **parts}
            into.values[section] = section.combine(parts.values())
            into.parts[section] = parts
        except Exception:
            if connection.closed or before is None or known is None:
                raise
            if section not in before.late:
                logger.exception("the section %s could not be loaded again: it stays as it was", section.name)
            into.parts[section], into.values[section] = known, before.values[section]
            return False
        return True


async def _version(connection: AsyncConnection[Any]) -> tuple[int, int]:
    """Raises LookupError where the tables are not there yet, or empty."""
    cursor = await connection.execute(_VERSION, prepare=True)
    row = await cursor.fetchone()
    if row is None:
        raise LookupError("configuration_version is empty")
    return int(row[0]), int(row[1])


async def _changed_since(connection: AsyncConnection[Any], version: int) -> list[int]:
    cursor = await connection.execute(_CHANGED, [version])
    return [customer for (customer,) in await cursor.fetchall()]
