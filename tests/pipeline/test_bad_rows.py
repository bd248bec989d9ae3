"""Rows that cannot be absorbed end alone among the bad rows."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import buckets
from core.inbox import InboxKind
from core.messages import Event
from core.models import BadRow, Inbox
from pipeline.bad_rows import replay
from tests.support.shop import Shop, somebody

EVENT = b'{"customer":1,"pixel":1,"at":1700000000000,"user":"00000000-0000-4000-8000-000000000042"}'

POISON: dict[str, tuple[int, bytes, bytes | None]] = {
    "bytes that are no JSON": (InboxKind.EVENT, b"\xff\x00{", None),
    "a message of another shape": (InboxKind.EVENT, b'{"customer":"one"}', None),
    "a user id that is none": (InboxKind.EVENT, b'{"customer":1,"pixel":1,"at":1,"user":"nobody"}', None),
    "an event of nobody": (InboxKind.EVENT, b'{"customer":1,"pixel":1,"at":1}', None),
    "a customer beyond the column": (InboxKind.EVENT, EVENT.replace(b'r":1', b'r":99999999999'), None),
    "a kind that nobody knows": (77, b"{}", None),
    "a body that is no JSON": (InboxKind.EVENT, EVENT, b'{"a":'),
    "a body that is no object": (InboxKind.EVENT, EVENT, b"[1, 2]"),
    "a body that the database refuses": (InboxKind.EVENT, EVENT, b'{"a":"\\u0000"}'),
    "a key that the database refuses": (InboxKind.EVENT, EVENT, b'{"\\u0000":1}'),
    "a lone surrogate": (InboxKind.EVENT, EVENT, b'{"a":"\\ud800"}'),
    "a body too deep to read": (InboxKind.EVENT, EVENT, b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
    "a sync of nobody": (InboxKind.SYNC, b'{"customer":1,"platform":1,"user":"","platform_user_id":"x","at":1}', None),
    "a want of no user": (
        InboxKind.WANT,
        b'{"customer":1,"activation":1,"platform":1,"platform_user_id":"x","user":"","epoch":0,"version":0,"wanted":true}',
        None,
    ),
    "a build of nothing": (InboxKind.BUILD, b"null", None),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
def test_row_that_cannot_be_absorbed__ends_alone_among_the_bad_rows(
    shop: Shop, poison: tuple[int, bytes, bytes | None]
) -> None:
    same_bucket = [type(somebody())(int=(somebody().int >> 8 << 8) | 0x42) for _ in range(4)]
    elsewhere = [somebody() for _ in range(20)]
    for user in [*same_bucket[:2], *elsewhere]:
        shop.event(user, {"a": 1})
    bad = shop.append(0x42, *poison)
    for user in same_bucket[2:]:
        shop.event(user, {"a": 1})

    shop.absorb()

    assert [(row.bucket, row.id, row.kind) for row in shop.bad_rows()] == [(0x42, bad, poison[0])]
    assert [shop.total(user) for user in same_bucket + elsewhere] == [1] * 24
    assert not Inbox.objects.exists()


def test_bad_row__says_why_and_whose_it_is(shop: Shop) -> None:
    shop.append(0x42, InboxKind.EVENT, EVENT, b"nonsense")
    shop.absorb()

    (bad,) = shop.bad_rows()
    assert bad.customer_id == 1
    assert bad.reason.startswith("DecodeError: JSON is malformed")
    assert (bytes(bad.query), bytes(bad.body or b"")) == (EVENT, b"nonsense")


rows = st.lists(
    st.tuples(
        st.sampled_from([*map(int, InboxKind), 0, 99]),
        st.one_of(st.binary(max_size=40), st.sampled_from([EVENT, b"{}", b"null", b'{"customer":1}'])),
        st.one_of(st.none(), st.binary(max_size=40), st.text(max_size=20).map(lambda text: text.encode())),
    ),
    max_size=6,
)


@given(rubbish=rows)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_rubbish__never_costs_a_neighbour(shop: Shop, rubbish: list[tuple[int, bytes, bytes | None]]) -> None:
    user = type(somebody())(int=(somebody().int >> 8 << 8) | 0x42)
    for row in rubbish:
        shop.append(0x42, *row)
        shop.event(user)

    shop.absorb()

    if rubbish:
        assert shop.total(user) == len(rubbish)
    assert not Inbox.objects.exists()


def test_replay__once_the_cause_is_mended__absorbs_the_row_as_of_its_own_time(shop: Shop) -> None:
    user = somebody()
    shop.event(user, b'{"a": 1', at=1_700_000_000_000, received=1_700_000_001_000)
    shop.absorb()
    (bad,) = shop.bad_rows()
    BadRow.objects.filter(id=bad.id).update(body=b'{"a": 1}')

    assert replay([(bad.bucket, bad.id)]) == 1
    shop.absorb()

    assert shop.profile(user).attributes == {"a": 1}
    assert shop.profile(user).times == {"a:a": [1_700_000_000_000, 1_700_000_001_000]}
    assert shop.bad_rows() == []
    assert replay([(bad.bucket, bad.id)]) == 0


def test_replay__of_a_row_whose_rest_was_used__does_not_count_the_event_again(shop: Shop) -> None:
    user = somebody()
    shop.attribute("amount", "number")
    shop.event(user, {"amount": "plenty", "city": "Bonn"})
    shop.absorb()
    assert shop.total(user) == 1

    replay((bad.bucket, bad.id) for bad in shop.bad_rows())
    shop.absorb()

    assert shop.total(user) == 1


def test_event_message__is_what_the_edge_writes() -> None:
    assert msgspec.json.decode(EVENT, type=Event).user is not None
    assert buckets.of_user(type(somebody())(msgspec.json.decode(EVENT, type=Event).user)) == 0x42
