"""A request's body as it arrives: how fast, how long, and whether all of it came."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

SECONDS = 15.0
LEAST_RATE = 8 * 1024


class TooSlowError(Exception):
    """The client is slower than allowed."""


class TooLongError(Exception):
    """The body is longer than one of somebody unknown may be."""


class NoRoomError(Exception):
    """Too many bodies are arriving at once."""


class CutOffError(OSError):
    """The client went away before its body was complete."""


class Pace:
    """The time that a client has left: more, the more it has sent or taken."""

    def __init__(self) -> None:
        self._end = asyncio.get_running_loop().time() + SECONDS

    async def within(self, step: Any) -> Any:
        """Await one step of the client. Raises TooSlowError."""
        try:
            async with asyncio.timeout_at(self._end):
                result = await step
        except TimeoutError:
            raise TooSlowError from None
        return result

    def earn(self, size: int) -> None:
        self._end += size / LEAST_RATE


class Room:
    """`left`: bytes of bodies that may yet arrive and are not handed on. Bodies that share a room take each other's."""

    def __init__(self, left: int) -> None:
        self.left = left


class IncomingBody:
    """A body as it arrives. `announced`: its length; None: it comes in chunks.

    `earns`: the client has more time, the more it sends; else it has `SECONDS`, from when the body is first asked for.
    `fault`: what was raised to whoever read it.
    """

    def __init__(self, parts: AsyncIterator[bytes], announced: int | None) -> None:
        self._parts = parts
        self._announced = announced
        self._pace: Pace | None = None
        self._received = 0
        self.earns = False
        self.fault: Exception | None = None

    async def part(self) -> bytes:
        """Returns what comes next; nothing at the end. Raises TooSlowError, CutOffError."""
        try:
            return await self._part()
        except (TooSlowError, CutOffError) as fault:
            self.fault = fault
            raise

    async def _part(self) -> bytes:
        if self._received == self._announced:
            return b""
        self._pace = self._pace or Pace()
        found = await self._next(self._pace)
        if not found:
            await self._check_end(self._pace, found)
            return b""
        if self.earns:
            self._pace.earn(len(found))
        self._received += len(found)
        return found

    async def _next(self, pace: Pace) -> bytes | None:
        """Returns what the server hands on; None: no more."""
        try:
            found: bytes = await pace.within(anext(self._parts))
        except TooSlowError:
            raise
        except StopAsyncIteration:  # not by a default of `anext`: at the end of granian's parts that ends the process
            return None
        except Exception as error:  # as the server says that the connection is lost
            raise CutOffError(type(error).__name__) from None
        return found

    async def _check_end(self, pace: Pace, found: bytes | None) -> None:
        """Raises CutOffError where that was not the end.

        Granian ends a chunked body with one empty part. One that is cut off, or has trailers, has two: for what is no
        data, and for the end.
        """
        if self._announced is not None or (found is not None and await self._next(pace) is not None):
            raise CutOffError("the body is not complete")

    async def whole(self, room: Room, most: int | None = None) -> bytes:
        """Returns all of it. Raises NoRoomError, TooLongError for more than `most`, TooSlowError, CutOffError."""
        parts, size = [], 0
        try:
            while part := await self.part():
                parts.append(part)
                size += len(part)
                room.left -= len(part)
                if room.left < 0:
                    raise NoRoomError
                if most is not None and size > most:
                    raise TooLongError
        finally:
            room.left += size
        return b"".join(parts)
