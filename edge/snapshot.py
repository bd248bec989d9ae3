"""The configuration in memory: requests read it, and never the database.

Each `Section` (see `edge.sections`) says what a part of the edge needs of it. All sections are loaded in one
transaction, and again whenever the configuration version has changed.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import psycopg
from psycopg import AsyncConnection, IsolationLevel

from core.errors import UnavailableError

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CONNECT_SECONDS = 2
_POLL_SECONDS = 0.5
_STATEMENT_SECONDS = 5
_RECENT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Section(Generic[T]):
    """A part of the configuration, and how it is loaded. `load` runs inside a transaction and must only read."""

    name: str
    load: Callable[[AsyncConnection[Any]], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class LoadedConfiguration:
    """All sections as of one configuration version; never changed, only replaced."""

    version: int
    values: dict[Section[Any], Any]

    def __getitem__(self, section: Section[T]) -> T:
        return cast("T", self.values[section])


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
                version = await _version(connection)
                if self.current is None or version != self.current.version:
                    self.current = await self._load(connection)
                    logger.info("configuration version %s", self.current.version)
                self._seen = time.monotonic()
                await asyncio.sleep(_POLL_SECONDS)

    async def _load(self, connection: AsyncConnection[Any]) -> LoadedConfiguration:
        async with connection.transaction():
            version = await _version(connection)
            values = {section: await section.load(connection) for section in self._sections}
        return LoadedConfiguration(version, values)


async def _version(connection: AsyncConnection[Any]) -> int:
    """Raises LookupError where the tables are not there yet, or empty."""
    cursor = await connection.execute("SELECT version FROM configuration_version WHERE id = 1", prepare=True)
    row = await cursor.fetchone()
    if row is None:
        raise LookupError("configuration_version is empty")
    return int(row[0])
