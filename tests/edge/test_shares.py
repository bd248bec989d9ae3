"""Each customer has a share of the edge, and no more: events, bytes, and bodies that are arriving."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.customer_limits import CustomerLimits, limits_in
from core.errors import OverQuotaError, UnavailableError
from edge import shares as module
from edge.shares import Share, Shares
from tests.support.edge_client import Reply, target
from tests.support.edge_process import (
    CUSTOMER,
    DP,
    OTHER_CUSTOMER,
    OTHER_PIXEL,
    TOKEN_PLATFORM,
    TOKENS,
    RunningEdge,
    api_key,
    raise_version,
    until,
)

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
OTHER = {"m": OTHER_CUSTOMER, "id": OTHER_PIXEL}


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "monotonic", found)
    return found


def taken(share: Share, most: int, size: int = 0) -> int:
    """How many events are let through, one after the other, up to `most`."""
    for number in range(most):
        try:
            share.take(size)
        except OverQuotaError:
            return number
    return most


@settings(max_examples=20)
@given(rate=st.integers(1, 10_000), seconds=st.integers(1, 50))
def test_events__are_let_through_at_the_limit__after_a_burst_of_a_second(rate: int, seconds: int) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "monotonic", clock)
        share = Shares(CustomerLimits(events_per_second=rate)).of(1, {})
        assert abs(taken(share, 2 * rate + 2) - rate) <= 1
        clock.now += seconds
        expected = rate * min(seconds, 1)
        assert abs(taken(share, 2 * rate + 2) - expected) <= 2


def test_bytes__beyond_the_limit__are_refused_until_as_much_time_has_passed(clock: Clock) -> None:
    share = Shares(CustomerLimits(bytes_per_second=1_000)).of(1, {})
    share.take(5_000)
    with pytest.raises(OverQuotaError) as refused:
        share.take(1)
    assert refused.value.retry_after == 4
    clock.now += 4
    share.take(1)


def test_share__of_two_processes__is_half_of_the_limit_in_each(clock: Clock) -> None:
    share = Shares(CustomerLimits(events_per_second=100), processes=2).of(1, {})
    assert abs(taken(share, 200) - 50) <= 1


def test_share__whose_limits_change__follows_them_and_forgets_nothing(clock: Clock) -> None:
    shares = Shares(CustomerLimits())
    assert taken(shares.of(1, {"events_per_second": 10}), 100) <= 11
    assert taken(shares.of(1, {"events_per_second": 5}), 100) == 0
    assert taken(shares.of(2, {}), 100) == 100
    assert taken(shares.of(1, {}), 100) == 0
    clock.now += 1
    assert taken(shares.of(1, {}), 100) == 100


def test_bodies__that_are_arriving__are_bounded_for_one_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ARRIVING_BYTES", 150)
    shares = Shares(CustomerLimits(body_bytes=100))
    one, other = shares.of(1, {}), shares.of(2, {})
    one.hold(100)
    with pytest.raises(OverQuotaError):
        one.hold(1)
    with pytest.raises(UnavailableError):
        other.hold(51)
    one.release(100)
    other.hold(51)


@pytest.mark.parametrize("value", [None, 0, -1, 10**13, 1.5, True, "9", [], {}, [1], {"a": 1}])
def test_stored_limits__that_are_none__are_passed_over(value: Any) -> None:
    assert limits_in(value) == {}
    assert limits_in({"events_per_second": value, "estimates": 3, "other": 1}) == {"estimates": 3}


@pytest.fixture
def limited(edge: RunningEdge) -> Iterator[RunningEdge]:
    """The edge, where the customer may send two events a second."""
    _limit(edge, {"events_per_second": 2, "body_bytes": 1_000})
    until(lambda: _dp(edge, {}).status == 429)
    edge.database.execute("DELETE FROM inbox")
    yield edge
    _limit(edge, {})
    until(lambda: all(_dp(edge, {}).status == 200 for _ in range(10)))


def _limit(edge: RunningEdge, limits: dict[str, int]) -> None:
    edge.database.execute("UPDATE customer SET limits = %s WHERE m = %s", [json.dumps(limits), CUSTOMER])
    raise_version(edge.database)


def _dp(edge: RunningEdge, fields: dict[str, object]) -> Reply:
    return edge.client.get("/dp", {**DP, **fields}, cookie=USER)


def test_customer_over_its_quota__is_refused_everywhere_by_name__and_others_are_not(limited: RunningEdge) -> None:
    client, sync = limited.client, {"pl": TOKEN_PLATFORM, "plsec": TOKENS[0], "userid": "u"}
    until(lambda: client.get("/uid", sync, cookie=USER).status == 429)
    key = {"Authorization": f"Bearer {api_key('marketer')}"}
    replies = [
        _dp(limited, {}),
        client.get("/uid", sync, cookie=USER),
        client.send("POST", target("/dp/batch", DP), b'{"user":"u"}', key),
    ]
    limited.database.execute("DELETE FROM inbox")
    assert [(reply.status, reply.name, reply.headers["retry-after"]) for reply in replies] == [
        (429, "over-quota", "1")
    ] * 3
    for _ in range(10):
        assert client.get("/dp", OTHER, cookie=USER).name == "accepted"


def test_bodies_of_a_customer__arriving_slowly__are_held_up_to_its_limit(limited: RunningEdge) -> None:
    port = limited.process.port
    head = f"POST {target('/dp', {**DP, 'uuid': USER})} HTTP/1.1\r\nHost: e\r\nContent-Length: 5000\r\n\r\n".encode()

    def refused() -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
            slow.sendall(head)
            slow.sendall(bytes(1_001))
            return slow.recv(4_000).startswith(b"HTTP/1.1 429 ") and limited.client.get("/healthz").status == 200

    until(refused)
    assert limited.client.send("POST", target("/dp", OTHER), b'{"a": 1}', {}).status in {200, 302}


def test_body__that_is_announced_and_does_not_come__uses_up_nothing(limited: RunningEdge) -> None:
    _limit(limited, {"bytes_per_second": 2_000})
    until(lambda: all(_dp(limited, {}).status == 200 for _ in range(5)))
    head = f"POST {target('/dp', {**DP, 'uuid': USER})} HTTP/1.1\r\nHost: e\r\nContent-Length: 200000\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", limited.process.port), timeout=20) as silent:
        silent.sendall(head)
        assert _dp(limited, {}).status == 200
    until(lambda: limited.client.send("POST", target("/dp", DP), bytes(9_000), {}).name == "bad-data")
    assert _dp(limited, {}).status == 429
