"""A customer who floods the inbox delays nobody else, and its own rows keep their order."""

import json
from collections import defaultdict
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import clock
from core.inbox import FIRST_LATER, InboxKind, InboxQueue
from core.messages import Event, Sync
from core.models import BadRow, Customer, Inbox
from pipeline import backlog
from pipeline.absorb import absorber
from pipeline.absorb.absorber import Absorber
from pipeline.absorb.flooding import LOOK_SECONDS, RECENT_SECONDS, Flood, LaterQueue, customer_of
from pipeline.absorb.inbox_marks import InboxMarks
from pipeline.absorb.rows import PEEK, InboxRow
from pipeline.models import FloodedBucket
from profiles.models import Pixel, Profile
from tests.support.shop import Shop, in_bucket, now_ms

FULL, BESIDE = 20, 4
SMALL = 2


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absorber, "SIZES", (FULL, 8, 1))
    monkeypatch.setattr(absorber, "BESIDE", BESIDE)


@pytest.fixture
def other(shop: Shop, small_batches: None) -> Pixel:
    """Of another customer. Batches begin at the first bucket."""
    shop.absorber._starts = dict.fromkeys(InboxQueue, 0)
    customer = Customer.objects.create(m=SMALL, name="Small shop")
    return Pixel.objects.create(customer=customer, name="page", user_key="UserId")


def send(shop: Shop, pixel: Pixel, bucket: int, number: int, user: int = 1) -> None:
    """An event of one of the customer's users, with a number."""
    customer = pixel.customer_id
    message = Event(customer, pixel.id, now_ms(), str(in_bucket(bucket, user)), True)
    shop.append(bucket, InboxKind.EVENT, msgspec.json.encode(message), json.dumps({"number": number}).encode())


def waiting() -> dict[tuple[int, int], list[int]]:
    """The numbers of the events that wait, by bucket and customer, in the order in which they will be absorbed."""
    found = defaultdict(list)
    rows = Inbox.objects.filter(kind__in=(InboxKind.EVENT, InboxKind.EVENT + FIRST_LATER))
    for row in sorted(rows, key=lambda row: (row.kind < FIRST_LATER, row.id)):
        found[row.bucket, json.loads(bytes(row.query))["customer"]].append(json.loads(bytes(row.body or b""))["number"])
    return found


def totals(customer: int) -> int:
    return sum(
        days.get("total", 0) for row in Profile.objects.filter(customer_id=customer) for days in row.activity.values()
    )


def test_flood_of_one_customer__is_set_aside__and_anothers_events_do_not_wait(shop: Shop, other: Pixel) -> None:
    for number in range(3 * FULL):
        if number % FULL == 0:
            send(shop, other, number // FULL, number)
        send(shop, shop.pixel, number % 3, number)

    batches = 0
    while totals(SMALL) < 3:
        shop.absorber.absorb()
        batches += 1

    assert batches <= 4
    assert 0 < totals(shop.customer.m) <= batches * BESIDE
    assert FloodedBucket.objects.filter(customer_id=shop.customer.m).exists()
    assert backlog.rows_waiting(1_000, InboxMarks()) == Inbox.objects.count() == 3 * FULL - totals(shop.customer.m)

    shop.absorb()
    assert totals(shop.customer.m) == 3 * FULL
    assert not FloodedBucket.objects.exists()


def test_flood__while_nobody_else_sends__is_absorbed_as_ever(shop: Shop, other: Pixel) -> None:
    for number in range(3 * FULL):
        send(shop, shop.pixel, number % 3, number)
    assert shop.absorber.absorb() == FULL
    assert not Inbox.objects.filter(kind__gte=FIRST_LATER).exists()


def test_customers__with_equal_shares_of_much__are_not_set_aside(shop: Shop, other: Pixel) -> None:
    for number in range(2 * FULL):
        send(shop, (shop.pixel, other)[number % 2], 1, number)
    while shop.absorber.absorb():
        assert not Inbox.objects.filter(kind__gte=FIRST_LATER).exists()


def flood(shop: Shop, other: Pixel) -> None:
    """Twice a batch of the first customer in bucket 1, all of which is set aside, and one row of the other."""
    send(shop, other, 0, 0)
    for number in range(2 * FULL):
        send(shop, shop.pixel, 1, number)
    while Inbox.objects.filter(kind=InboxKind.EVENT).exists():
        shop.absorber.absorb_prompt()
    assert FloodedBucket.objects.get().customer_id == shop.customer.m


def test_queue_of_rows_set_aside__is_looked_at_only_where_somebody_floods(
    shop: Shop, other: Pixel, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(Absorber, "later", LaterQueue(lambda: now[0]))
    looks: list[int] = []

    class NotingCursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *given: Any, **more: Any) -> "NotingCursor":
            looks.extend([1] * (query == PEEK[InboxQueue.LATER]))
            super().execute(query, *given, **more)
            return self

    shop.absorber._connection.cursor_factory = NotingCursor

    def looked_at(batches: int) -> bool:
        looks.clear()
        for number in range(batches):
            send(shop, other, 0, number)
            shop.absorber.absorb()
        return bool(looks)

    assert looked_at(1)  # what was before, nobody knows
    assert not looked_at(3)
    now[0] = LOOK_SECONDS  # another process may have set rows aside, and died
    assert looked_at(1)
    assert not looked_at(3)
    flood(shop, other)
    assert looked_at(1)
    shop.absorb()
    assert not Inbox.objects.exists()
    assert not looked_at(3)


def test_event_after_a_flood__waits_behind_those_set_aside_in_its_bucket(shop: Shop, other: Pixel) -> None:
    flood(shop, other)
    left = waiting()[1, shop.customer.m]
    send(shop, shop.pixel, 1, 1_000)  # alone, in a batch that is far from full
    send(shop, shop.pixel, 2, 2_000)  # where nothing was set aside
    shop.absorber.absorb_prompt()

    assert waiting()[1, shop.customer.m] == [*left, 1_000]
    assert (2, shop.customer.m) not in waiting()


def test_row_of_a_flood__that_fails__becomes_a_bad_row_of_its_kind(shop: Shop, other: Pixel) -> None:
    flood(shop, other)
    broken = Inbox.objects.filter(kind__gte=FIRST_LATER).order_by("id")[0]
    Inbox.objects.filter(bucket=broken.bucket, id=broken.id).update(query=b'{"customer":1,"pixel":"x"}')
    shop.absorb()
    assert [row.kind for row in BadRow.objects.all()] == [InboxKind.EVENT]
    assert totals(shop.customer.m) == 2 * FULL - 1


steps = st.lists(st.tuples(st.sampled_from([1, 1, 1, 1, 2]), st.sampled_from([3, 9])) | st.none(), max_size=80)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_rows_of_a_customer__whatever_floods__are_absorbed_in_their_order(
    shop: Shop, other: Pixel, steps: list[tuple[int, int] | None]
) -> None:
    """In each bucket, what waits of a customer is always the end of what it sent. None: a batch is absorbed."""
    shop.absorb()
    sent: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    pixels = {1: shop.pixel, 2: other}

    def check() -> None:
        for place, numbers in waiting().items():
            assert numbers == sent[place][-len(numbers) :]

    for number, step in enumerate([*steps, *[None] * 3]):
        if step is None:
            shop.absorber.absorb()
            check()
            continue
        customer, bucket = step
        for more in range(8 if customer == 1 else 1):
            send(shop, pixels[customer], bucket, number * 10 + more)
            sent[bucket, customer].append(number * 10 + more)
    shop.absorb()
    assert not waiting()


def row(kind: int, query: bytes) -> InboxRow:
    return InboxRow(1, 1, kind, query, None, clock.now(), 0)


def test_customer_of_a_row__is_read_without_decoding__where_rows_flood() -> None:
    event, sync = Event(12, 1, 0), Sync(3, 1, "u", "p", 0)
    assert customer_of(row(InboxKind.EVENT, msgspec.json.encode(event))) == 12
    assert customer_of(row(InboxKind.SYNC, msgspec.json.encode(sync))) == 3
    assert customer_of(row(InboxKind.WANT, msgspec.json.encode(sync))) is None
    assert [customer_of(row(InboxKind.EVENT, one)) for one in (b"", b"{}", b'{"customer":x,', b'{"customer":')] == [
        None
    ] * 4


def test_flood__is_who_has_far_more_than_its_share_of_those_seen_lately() -> None:
    now = 0.0
    flood = Flood(lambda: now)
    assert flood.flooding({1: 1_000}) == set()
    assert flood.flooding({1: 700, 2: 300}) == set()
    assert flood.flooding({1: 800, 2: 200}) == {1}
    assert flood.flooding({1: 1_000}) == {1}  # the other was seen a moment ago
    assert flood.is_shared
    now += RECENT_SECONDS + 1
    assert flood.flooding({1: 1_000}) == set()
    assert not flood.is_shared
