"""Memberships as they are read for a batch."""

from uuid import UUID, uuid4

import pytest

from audiences import store
from core import clock
from core.database import bare_cursor

pytestmark = pytest.mark.django_db


def _save(users: list[UUID], audiences: range) -> None:
    memberships = {
        user: {key: store.MembershipState(1, True, clock.now(), 1, None, dirty=True) for key in audiences}
        for user in users
    }
    with bare_cursor() as cursor:
        store.save(cursor, memberships)


@pytest.mark.parametrize("asked", [range(3, 6), range(3, 3 + 2 * store.MOST_NAMED)])
def test_load__of_few_or_many_audiences__returns_those_asked_for_and_no_other(asked: range) -> None:
    users = [uuid4() for _ in range(3)]
    _save(users, range(1, 6))

    with bare_cursor() as cursor:
        found = store.load(cursor, users[:2], set(asked))

    assert {user: set(held) for user, held in found.items()} == {user: {3, 4, 5} for user in users[:2]}
