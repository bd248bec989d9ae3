"""A customer who floods the inbox delays nobody else, and its own rows keep their order."""

import json
from collections import defaultdict

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import clock
from core.database import connect
from core.inbox import InboxKind, InboxQueue
from core.messages import Event, Sync
from core.models import BadRow, Customer, Inbox
from pipeline.absorb import absorber, flooding
from pipeline.absorb.absorber import Absorber
from pipeline.absorb.flooding import BESIDE_SECONDS, MANY, PATIENCE_SECONDS, RECENT_SECONDS, Flood, Taken, customer_of
from pipeline.absorb.inbox_marks import InboxMarks
from pipeline.absorb.journal import Journal
from pipeline.absorb.rows import InboxRow, take
from profiles.models import Pixel, Profile
from tests.support.shop import Shop, in_bucket, now_ms

FULL, BESIDE = 20, 4
SMALL = 2


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absorber, "SIZES", (FULL, 8, 1))
    monkeypatch.setattr(flooding, "BESIDE", BESIDE)
    monkeypatch.setattr(flooding, "LEAST_BESIDE", BESIDE)
    monkeypatch.setattr(flooding, "MANY", FULL // 2)


@pytest.fixture
def other(shop: Shop, small_batches: None) -> Pixel:
    """Of another customer. Batches begin at the first bucket."""
    shop.absorber._starts = dict.fromkeys(InboxQueue, 0)
    shop.absorber._flood = Flood()
    customer = Customer.objects.create(m=SMALL, name="Small shop")
    return Pixel.objects.create(customer=customer, name="page", user_key="UserId")


def send(shop: Shop, pixel: Pixel, bucket: int, number: int, user: int = 1) -> None:
    """An event of one of the customer's users, with a number."""
    customer = pixel.customer_id
    message = Event(customer, pixel.id, now_ms(), str(in_bucket(bucket, user)), True)
    shop.append(bucket, InboxKind.EVENT, msgspec.json.encode(message), json.dumps({"number": number}).encode())


def waiting() -> dict[tuple[int, int], list[int]]:
    """The numbers of the events that wait, by bucket and customer, in the order of their ids."""
    found = defaultdict(list)
    for row in Inbox.objects.filter(kind=InboxKind.EVENT).order_by("id"):
        found[row.bucket, json.loads(bytes(row.query))["customer"]].append(json.loads(bytes(row.body or b""))["number"])
    return found


def totals(customer: int) -> int:
    return sum(
        days.get("total", 0) for row in Profile.objects.filter(customer_id=customer) for days in row.activity.values()
    )


def test_flood_of_one_customer__lets_anothers_events_pass__wherever_they_lie(shop: Shop, other: Pixel) -> None:
    for number in range(10 * FULL):
        send(shop, shop.pixel, number % 3, number)
    for bucket in (0, 2, 200):
        send(shop, other, bucket, bucket)

    shop.absorber.absorb()  # shows who floods
    before = totals(shop.customer.m)
    shop.absorber.absorb()

    assert totals(SMALL) == 3
    assert before <= FULL
    assert totals(shop.customer.m) <= before + BESIDE
    shop.absorb()
    assert totals(shop.customer.m) == 10 * FULL


def test_flood__while_nobody_else_sends__is_absorbed_as_ever__and_others_come_first(shop: Shop, other: Pixel) -> None:
    for number in range(5 * FULL):
        send(shop, shop.pixel, number % 3, number)
    assert [shop.absorber.absorb() for _ in range(3)] == [FULL] * 3
    send(shop, other, 1, 1)
    assert shop.absorber.absorb() <= 1 + FULL
    assert totals(SMALL) == 1
    send(shop, other, 2, 2)
    assert shop.absorber.absorb() == 1 + BESIDE
    assert totals(SMALL) == 2


def test_customers__with_equal_shares_of_much__are_absorbed_together(shop: Shop, other: Pixel) -> None:
    for number in range(2 * FULL):
        send(shop, (shop.pixel, other)[number % 2], 1, number)
    assert [shop.absorber.absorb() for _ in range(2)] == [FULL] * 2


def test_only_customer__is_absorbed__without_looks_for_others(shop: Shop, small_batches: None) -> None:
    for number in range(3 * FULL):
        send(shop, shop.pixel, 1, number)
    shop.absorber.absorb()
    assert not shop.absorber._flood.customers


def test_flood_that_lasts_beside_others__is_told_in_each_round__and_no_other_is(
    shop: Shop, other: Pixel, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, told = [0.0], list[set[int]]()
    floods = Absorber(shop.absorber._on_commit, lambda customers: told.append(set(customers)))
    floods._flood = Flood(lambda: now[0])
    for number in range(4 * FULL):
        send(shop, shop.pixel, number % 3, number)
    floods.absorb()
    now[0] += PATIENCE_SECONDS
    floods.absorb()  # alone
    assert told == []
    send(shop, other, 0, 0)
    floods.absorb()
    floods.absorb()
    assert told == [{shop.customer.m}]
    while floods.absorb():
        pass
    told.clear()
    send(shop, shop.pixel, 1, 1)
    send(shop, other, 1, 1)
    floods.absorb()
    assert told == []
    floods.close()


def test_row_of_another__that_fails_beside_a_flood__becomes_a_bad_row(shop: Shop, other: Pixel) -> None:
    for number in range(4 * FULL):
        send(shop, shop.pixel, 1, number)
    shop.absorber.absorb()
    for number in range(3):
        send(shop, other, 1, number)
    broken = Inbox.objects.order_by("-id")[0]
    Inbox.objects.filter(bucket=broken.bucket, id=broken.id).update(query=b'{"customer":2,"pixel":"x"}')
    shop.absorb()
    assert [row.kind for row in BadRow.objects.all()] == [InboxKind.EVENT]
    assert (totals(shop.customer.m), totals(SMALL)) == (4 * FULL, 2)


def test_worker_that_died_over_rows_of_others__is_held_against_none_that_was_passed_over(
    shop: Shop, other: Pixel
) -> None:
    for number, pixel in enumerate([shop.pixel, other, shop.pixel, other, shop.pixel]):
        send(shop, pixel, 1, number)
    with connect(durable=False) as connection, connection.transaction(), connection.cursor(binary=True) as cursor:
        marks = InboxMarks()
        marks.pass_over(frozenset({shop.customer.m}))
        rows = take(cursor, {1}, 0, FULL, queue=InboxQueue.OTHERS, marks=marks)
        dead = Journal(connect(durable=False))
        dead.note(rows, are_first=False)
        dead.count_attempts(cursor, {1})
        dead.close()
    assert list(Inbox.objects.order_by("id").values_list("attempts", flat=True)) == [0, 1, 0, 1, 0]


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


def rows_of(**customers: int) -> list[InboxRow]:
    """So many rows of each customer, named `_1`, `_2`…"""
    queries = [b'{"customer":%d,' % int(name[1:]) for name, count in customers.items() for _ in range(count)]
    return [row(InboxKind.EVENT, query) for query in queries]


def test_flood__is_who_has_far_more_than_its_share_of_those_seen_lately() -> None:
    now = 0.0
    flood = Flood(lambda: now)

    def flooding_after(*, is_full: bool = True, of_all: bool = True, others: bool = True, **customers: int) -> set[int]:
        flood.note(Taken(rows_of(**customers), is_full=is_full, of_all=of_all), lambda: others)
        return set(flood.customers)

    assert flooding_after(_1=MANY, others=False) == set()
    assert flooding_after(_1=700, _2=300) == set()
    assert flooding_after(_1=800, _2=200) == {1}
    assert flooding_after(_1=MANY // 2) == {1}
    assert (flood.is_shared, flood.lasts) == (True, False)
    now += PATIENCE_SECONDS
    assert (flood.is_shared, flood.lasts) == (True, True)
    assert flooding_after(_3=5, of_all=False, is_full=False) == {1}
    assert flooding_after(_3=MANY, of_all=False) == {1, 3}
    assert flooding_after(_1=MANY - 1, is_full=False) == set()
    now += RECENT_SECONDS + 1
    assert flooding_after(_1=MANY) == {1}
    assert not flood.is_shared


def test_flood__of_a_customer_that_floods_no_more__ends_though_another_goes_on() -> None:
    now = 0.0
    flood = Flood(lambda: now)
    flood.note(Taken(rows_of(_1=MANY, _2=MANY, _3=1, _4=1), is_full=True, of_all=True), lambda: True)
    assert flood.customers == {1, 2}
    now += RECENT_SECONDS + 1
    flood.note(Taken(rows_of(_1=MANY, _2=2, _3=1), is_full=True, of_all=True), lambda: True)
    assert flood.customers == {1}


def test_rows_of_who_floods__are_fewer_at_once__the_longer_they_take() -> None:
    now, most = 0.0, list[int]()
    flood = Flood(lambda: now)
    for seconds in [0.0, *[BESIDE_SECONDS * 4] * 5, *[BESIDE_SECONDS / 4] * 5]:
        with flood.beside() as rows:
            now += seconds
        most.append(rows)
    assert most == [200, 200, 50, 16, 16, 16, 16, 32, 64, 128, 200]
