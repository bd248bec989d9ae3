"""What somebody who uses the hub may do, and whose data they see. The same holds for API keys and for people.

No Django here: the edge asks it too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum


class Role(StrEnum):
    """What somebody may do. Values are stored."""

    ADMIN = "admin"
    MARKETER = "marketer"
    ANALYST = "analyst"


class Right(Enum):
    """What a page or a call asks for."""

    READ = "see settings and figures"
    SEE_PERSONS = "see personal data: ids, values of attributes, single users"
    CHANGE = "change a customer's data"
    ADMINISTER = "change customers, API keys and people"


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.ANALYST: frozenset({Right.READ}),
    Role.MARKETER: frozenset({Right.READ, Right.SEE_PERSONS, Right.CHANGE}),
    Role.ADMIN: frozenset(Right),
}
_RANKS = {role: len(rights) for role, rights in RIGHTS.items()}


@dataclass(frozen=True, slots=True)
class Access:
    """A role, and the customers for whom it holds; None: every customer. Without a role nothing is allowed."""

    role: Role | None
    customers: frozenset[int] | None

    @property
    def is_bound(self) -> bool:
        """Whether it is limited to some customers."""
        return self.customers is not None

    def may(self, right: Right) -> bool:
        return self.role is not None and right in RIGHTS[self.role]

    def covers(self, other: "Access") -> bool:
        """Whether it allows everything that the other allows: nobody gives away more than they have."""
        if self.role is None:
            return False
        if other.role is not None and _RANKS[other.role] > _RANKS[self.role]:
            return False
        return self.customers is None or (other.customers is not None and other.customers <= self.customers)


NO_ACCESS = Access(None, frozenset())
EVERYTHING = Access(Role.ADMIN, None)

Membership = tuple[Role, int | None]
"""A role and the customer for whom it holds; None: for every customer."""


def of_key(role: str, customer: int | None) -> Access:
    """Return what the holder of an API key may do."""
    return Access(Role(role), None if customer is None else frozenset({customer}))


def of_memberships(memberships: Iterable[Membership], chosen: int | None = None) -> Access:
    """Return what somebody with these memberships may do: for the chosen customer, or for all of theirs together.

    For all of them together the least of the roles holds. A customer that is not theirs cannot be chosen: it counts as
    none.
    """
    roles: dict[int | None, Role] = {}
    for role, customer in memberships:
        roles[customer] = greater(role, roles.get(customer))
    everywhere = roles.pop(None, None)
    if chosen is not None and (chosen in roles or everywhere is not None):
        return Access(greater(everywhere, roles.get(chosen)), frozenset({chosen}))
    if everywhere is not None:
        return Access(everywhere, None)
    own = [role for customer, role in roles.items() if customer is not None]
    return Access(min(own, key=_RANKS.__getitem__), frozenset(c for c in roles if c is not None)) if own else NO_ACCESS


def greater(one: Role | None, other: Role | None) -> Role:
    """Return the greater of two roles, one of which there must be."""
    found = [role for role in (one, other) if role is not None]
    return max(found, key=_RANKS.__getitem__)
