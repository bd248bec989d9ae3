"""The counters of known and mapped users say what a count of the tables would say."""

from typing import Any

import psycopg
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import buckets
from core.inbox import InboxKind
from core.messages import OptOutChoice, encode
from core.models import Customer
from integrations.models import Platform
from pipeline import counts
from pipeline.privacy import erasures
from profiles.user_counts import known_users
from profiles.user_counts import recount as recount_users
from tests.support.shop import Shop, now_ms, somebody
from usersync.messages import Mapped
from usersync.services import mapped_users
from usersync.user_counts import recount as recount_mapped

USERS, IDS = 5, 4

KNOWN = """
SELECT customer_id, count(*) FROM profile WHERE confirmed AND merged_into IS NULL AND NOT opted_out GROUP BY 1
"""
MAPPED = "SELECT platform_id, count(DISTINCT user_id) FROM user_mapping GROUP BY 1"
LATE = "UPDATE identity SET expires_at = now() - interval '1 second' WHERE expires_at IS NOT NULL"

steps = st.lists(
    st.tuples(
        st.sampled_from(["sync", "sync", "sync", "brief", "clear", "meet", "event", "out", "in", "expire", "absorb"]),
        st.integers(0, USERS - 1),
        st.integers(0, IDS - 1),
        st.integers(0, 1),
    ),
    min_size=5,
    max_size=40,
)


@pytest.fixture
def platforms(shop: Shop) -> list[Platform]:
    return [shop.platform("one"), shop.platform("two")]


def counted(query: str) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return dict(cursor.fetchall())


def without_zeros(counts: dict[int, int]) -> dict[int, int]:
    return {key: count for key, count in counts.items() if count}


def choose(shop: Shop, kind: InboxKind, user: Any) -> None:
    shop.append(buckets.of_user(user), kind, encode(OptOutChoice(str(user), now_ms())))


def run_out(shop: Shop) -> None:
    """Every match with an end comes to it."""
    with connection.cursor() as cursor:
        cursor.execute(LATE)
    shop.absorber.absorb_due()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=steps)
def test_counters__after_any_history__equal_a_real_count(
    shop: Shop, platforms: list[Platform], steps: list[tuple[str, int, int, int]]
) -> None:
    """Each example adds its own users to what the ones before it left."""
    users = [somebody() for _ in range(USERS)]
    own = users[0].hex
    for step, one, number, place in steps:
        user, platform_user_id = users[one], f"{own}-{number}"
        if step in {"sync", "brief"}:
            more = {"ttl_days": 1} if step == "brief" else {}
            shop.sync(user, platforms[place], platform_user_id, **more)
        elif step == "clear":
            shop.sync(user, platforms[place], "")
        elif step == "meet":
            shop.event(user, ids=[("device:devid_g", f"{own}-{number}")])
        elif step == "event":
            shop.event(user, confirmed=bool(place))
        elif step in {"out", "in"}:
            choose(shop, InboxKind.OPT_OUT if step == "out" else InboxKind.OPT_IN, user)
        elif step == "expire":
            run_out(shop)
        else:
            shop.absorber.absorb()
    shop.absorb()

    assert without_zeros(known_users()) == counted(KNOWN)
    assert without_zeros(mapped_users()) == counted(MAPPED)
    assert shop.bad_rows() == []


def test_user_with_several_ids__counts_once_until_the_last_is_gone(shop: Shop, platforms: list[Platform]) -> None:
    user, other, ads = somebody(), somebody(), platforms[0]
    for number in range(3):
        shop.sync(user, ads, f"x-{number}")
    shop.absorb()
    assert (mapped_users(), known_users()) == ({ads.pl: 1}, {shop.customer.m: 1})

    for number in range(2):
        shop.sync(other, ads, f"x-{number}")
    shop.absorb()
    assert mapped_users() == {ads.pl: 2}

    shop.sync(other, ads, "x-2")
    shop.absorb()
    assert mapped_users() == {ads.pl: 1}
    assert known_users() == {shop.customer.m: 2}


def test_user__new_to_one_customer_and_known_to_another__counts_for_both(shop: Shop, platforms: list[Platform]) -> None:
    """In one batch: the second id at one customer, the first at the other."""
    user, ads = somebody(), platforms[0]
    rival = Customer.objects.create(m=2, name="Rival")
    theirs = Platform.objects.create(customer=rival, name="theirs", connector="none")
    shop.sync(user, ads, "x-1")
    shop.absorb()

    shop.append(buckets.of_user(user), InboxKind.MAPPED, encode(Mapped(1, ads.pl, "x-2", str(user), 1, now_ms())))
    shop.append(buckets.of_user(user), InboxKind.MAPPED, encode(Mapped(2, theirs.pl, "y", str(user), 1, now_ms())))
    shop.absorb()

    assert mapped_users() == counted(MAPPED) == {ads.pl: 1, theirs.pl: 1}
    assert known_users() == {1: 1, 2: 1}


def test_recount__of_what_was_loaded_past_absorb__is_the_real_count(
    shop: Shop, platforms: list[Platform], database: psycopg.Connection[Any]
) -> None:
    for _ in range(20):
        shop.sync(somebody(), platforms[0], str(somebody()))
    shop.absorb()
    with database.cursor() as cursor:
        cursor.execute("UPDATE known_users SET users = 99")
        cursor.execute("DELETE FROM mapped_users")
        for bucket in range(buckets.BUCKETS):
            recount_users(cursor, bucket)
            recount_mapped(cursor, bucket)

    assert known_users() == {shop.customer.m: 20}
    assert mapped_users() == {platforms[0].pl: 20}


def test_user_who_comes_again__in_the_batch_of_the_erasure__is_matched_no_more(
    shop: Shop, platforms: list[Platform]
) -> None:
    user, ads = somebody(), platforms[0]
    shop.sync(user, ads, "x-1")
    shop.absorb()
    erasures.request(shop.customer.m, user, "a test")
    shop.event(user, received=now_ms() + 1_000)
    shop.absorb()

    assert mapped_users() == {ads.pl: 0}
    assert known_users() == {shop.customer.m: 1}
    assert counts.check() == []
