"""Bodies that arrive in pieces, slowly, or not at all."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from core.customer_limits import CustomerLimits
from core.errors import InputTooLargeError
from core.limits import RequestLimits
from edge import body as bodies
from edge.refusals import RequestRefusedError
from edge.shares import Shares

LIMITS = RequestLimits(body_bytes=10, body_seconds=0.05)


def _read(messages: Sequence[dict[str, Any]]) -> bytes:
    """Reads from a sender that says no more after its messages."""
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        return await asyncio.Future[dict[str, Any]]()

    share = Shares(CustomerLimits()).of(1, {})
    try:
        return asyncio.run(bodies.read(receive, LIMITS, share))
    finally:
        assert share.arriving == 0  # however it ends


def _part(content: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


def test_read__whole_at_once__needs_no_end() -> None:
    assert _read([_part(b"12345", more=False)]) == b"12345"


@pytest.mark.parametrize("last", [b"", b"45"])
def test_read__in_pieces__is_put_together(last: bytes) -> None:
    assert _read([_part(b"12"), _part(b"3"), _part(last, more=False)]) == b"123" + last


def test_read__longer_than_the_limit__stops_there() -> None:
    with pytest.raises(InputTooLargeError):
        _read([_part(b"123456"), _part(b"123456")])


@pytest.mark.parametrize("sent", [[], [_part(b"12")]])
def test_read__sender_stalls__is_too_slow(sent: list[dict[str, Any]]) -> None:
    with pytest.raises(RequestRefusedError) as refusal:
        _read(sent)
    assert refusal.value.response.name == "too-slow"


def test_read__sender_leaves__is_told_apart() -> None:
    with pytest.raises(bodies.DisconnectedError):
        _read([_part(b"12"), {"type": "http.disconnect"}])
