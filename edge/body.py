"""Request bodies, read and unpacked within the limits of size and time."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from core.errors import InputTooLargeError, InvalidParameterError
from core.limits import RequestLimits
from edge.refusals import TOO_SLOW, RequestRefusedError
from edge.shares import Share

_MOST_MEMBERS = 100  # what follows a member is copied each time

Receive = Callable[[], Awaitable[dict[str, Any]]]


class DisconnectedError(Exception):
    """The sender went away before its body was complete."""


async def read(receive: Receive, limits: RequestLimits, share: Share) -> bytes:
    """Read a body that has yet to arrive, within its time. The customer's share holds what is here of it.

    Raises InputTooLargeError, OverQuotaError, UnavailableError, RequestRefusedError for what is slower than the limits
    allow, or DisconnectedError.
    """
    try:
        async with asyncio.timeout(limits.body_seconds):
            return await _read(receive, limits, share)
    except TimeoutError:
        raise RequestRefusedError(TOO_SLOW) from None


async def _read(receive: Receive, limits: RequestLimits, share: Share) -> bytes:
    body = bytearray()
    held = 0
    try:
        while True:
            part, is_last = await _part(receive)
            share.hold(len(part))
            held += len(part)
            body += part
            check_size(held, limits)
            if is_last:
                return bytes(body)
    finally:
        share.release(held)


async def _part(receive: Receive) -> tuple[bytes, bool]:
    """Returns the next part, and whether it is the last."""
    message = await receive()
    if message["type"] != "http.request":
        raise DisconnectedError
    return message.get("body", b""), not message.get("more_body")


def check_size(size: int, limits: RequestLimits) -> None:
    """Raises InputTooLargeError for more bytes than the limit."""
    if size > limits.body_bytes:
        raise InputTooLargeError(f"a body may have {limits.body_bytes} bytes at most, unpacked too")


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
