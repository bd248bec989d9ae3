"""What roles may do, and for whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import EVERYTHING, NO_ACCESS, Access, Membership, Right, Role, of_key, of_memberships
from core.scope import Scope

ROLES = [Role.ANALYST, Role.MARKETER, Role.ADMIN]  # the least first
CUSTOMERS = st.integers(1, 4)
MEMBERSHIPS = st.lists(st.tuples(st.sampled_from(ROLES), st.none() | CUSTOMERS), max_size=5)
ACCESSES = st.builds(Access, st.none() | st.sampled_from(ROLES), st.none() | st.frozensets(CUSTOMERS))


def sees(access: Access, customer: int | None) -> bool:
    return Scope(access.customers).sees(customer)


@pytest.mark.parametrize("right", list(Right))
def test_rights__of_a_greater_role__hold_those_of_a_lesser(right: Right) -> None:
    held = [of_key(role, None).may(right) for role in ROLES]

    assert held == sorted(held)
    assert not NO_ACCESS.may(right)


def test_analyst__may_see_no_personal_data_and_change_nothing() -> None:
    assert [right for right in Right if of_key("analyst", 1).may(right)] == [Right.READ]


def test_bound_key__sees_its_customer_only() -> None:
    assert sees(of_key("admin", 1), 1)
    assert not sees(of_key("admin", 1), 2)
    assert not sees(of_key("admin", 1), None)
    assert sees(of_key("analyst", None), None)


def test_memberships__several_customers__have_the_least_role_until_one_is_chosen() -> None:
    mixed: list[Membership] = [(Role.ADMIN, 1), (Role.ANALYST, 2)]

    assert of_memberships(mixed) == Access(Role.ANALYST, frozenset({1, 2}))
    assert of_memberships(mixed, 1) == Access(Role.ADMIN, frozenset({1}))
    assert of_memberships(mixed, 3) == of_memberships(mixed)
    assert of_memberships([]) == of_memberships([], 1) == NO_ACCESS


@given(MEMBERSHIPS, st.none() | CUSTOMERS)
def test_memberships__whatever_is_chosen__never_give_more_than_they_say(
    memberships: list[Membership], chosen: int | None
) -> None:
    access = of_memberships(memberships, chosen)

    for customer in range(1, 5):
        roles = [role for role, of in memberships if of in {None, customer}]
        if sees(access, customer):
            assert access.role is not None
            assert ROLES.index(access.role) <= max(map(ROLES.index, roles))
        if not roles:
            assert not sees(access, customer)


@given(ACCESSES, ACCESSES)
def test_covers__only_who_has_no_less__for_every_right_and_customer(giver: Access, given_: Access) -> None:
    def allowed(access: Access) -> set[tuple[Right, int | None]]:
        customers = (None, 1, 2, 3, 4, 5)
        return {(right, c) for right in Right for c in customers if access.may(right) and sees(access, c)}

    if giver.covers(given_):
        assert allowed(given_) <= allowed(giver)
    assert not EVERYTHING.covers(given_) or allowed(given_) <= allowed(EVERYTHING)
