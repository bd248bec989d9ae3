"""Request bodies, read and unpacked within the limits of size and time."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from core.errors import InputTooLargeError, InvalidParameterError
from core.limits import RequestLimits
from edge.refusals import TOO_SLOW, RequestRefusedError

_MOST_MEMBERS = 100  # what follows a member is copied each time

Receive = Callable[[], Awaitable[dict[str, Any]]]


class DisconnectedError(Exception):
    """The sender went away before its body was complete."""


async def read(receive: Receive, limits: RequestLimits) -> bytes:
    """Read the whole body as it arrives.

    Raises InputTooLargeError, RequestRefusedError for what is slower than the limits allow, or DisconnectedError.
    """
    try:
        async with asyncio.timeout(limits.body_seconds):
            return await _read(receive, limits)
    except TimeoutError:
        raise RequestRefusedError(TOO_SLOW) from None


async def _read(receive: Receive, limits: RequestLimits) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise DisconnectedError
        body += message.get("body", b"")
        check_size(len(body), limits)
        if not message.get("more_body"):
            return bytes(body)


def check_size(size: int, limits: RequestLimits) -> None:
    """Raises InputTooLargeError for more bytes than the limit."""
    if size > limits.body_bytes:
        raise InputTooLargeError


def gunzip(packed: bytes, limits: RequestLimits) -> bytes:
    """Unpack one gzip member or several, up to 100. Stops at the limit, however much more there is."""
    unpacked = b""
    for _ in range(_MOST_MEMBERS):
        if not packed:
            return unpacked
        member = zlib.decompressobj(wbits=31)
        try:
            unpacked += member.decompress(packed, limits.body_bytes + 1 - len(unpacked))
        except zlib.error:
            raise InvalidParameterError("data") from None
        check_size(len(unpacked), limits)
        if not member.eof:
            raise InvalidParameterError("data")
        packed = member.unused_data
    raise InvalidParameterError("data")
