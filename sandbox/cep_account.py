"""What a CEP system holds: groups with their members. Its contacts are the numbers from 1 to 999,999,999.

Contact 17 has the mail address `contact+17@example.com` and the identifier `contact-17`. A new system has one group,
which is there to be cloned.
"""

import re
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

import msgspec

from sandbox.exchange import RejectedError
from sandbox.ledger import MemberRow, Operation, PartyAccount
from sandbox.rates import Window

DEFAULT_GROUP = 4711
FIRST_CLONE = 5001
CALLS_A_SECOND = 10
LONGEST_NAME = 150
LONGEST_DESCRIPTION = 3000
MOST_CONTACTS = 999_999_999
MAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")

ErrorCode = Literal[
    "NO_SUCH_OBJECT", "OBJECT_ALREADY_EXISTS", "MISSING_PARAMETER", "INVALID_PARAMETER", "PERMISSION_DENIED"
]


def rejected(code: ErrorCode, message: str, status: int = 400) -> RejectedError:
    """Return an error in the documented form. A missing object is a 400 too."""
    return RejectedError(status, message, document={"errorActor": "CLIENT", "errorCode": code, "message": message})


class Clone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The body of `group/clone`. The document states no default for the four booleans."""

    name: str
    email: str
    include_prepared_messages: bool
    include_test_users: bool
    keep_owner: bool
    with_owner_as_member: bool
    description: str = ""


@dataclass(slots=True)
class ContactGroup:
    name: str
    email: str
    description: str = ""
    members: set[int] = field(default_factory=set)

    def document(self, number: int) -> dict[str, Any]:
        return {"id": number, "name": self.name, "description": self.description, "email": self.email}


def _first_group() -> dict[int, ContactGroup]:
    return {DEFAULT_GROUP: ContactGroup("DMP default", "dmp-default@example.com")}


@dataclass(slots=True)
class CepAccount(PartyAccount):
    """`mails` counts the contacts who received a mail because of an unsubscription, which must never happen."""

    groups: dict[int, ContactGroup] = field(default_factory=_first_group)
    adds: int = 0
    removes: int = 0
    repeats: int = 0
    mails: int = 0
    calls: Window = field(default_factory=lambda: Window(CALLS_A_SECOND))
    ids: "count[int]" = field(default_factory=lambda: count(FIRST_CLONE))

    def group(self, number: int) -> ContactGroup:
        if number not in self.groups:
            raise rejected("NO_SUCH_OBJECT", f"no group {number}")
        return self.groups[number]

    def check(self, clone: Clone) -> None:
        """Raise `RejectedError` if the group may not be created."""
        if not clone.name.strip() or len(clone.name) > LONGEST_NAME or not clone.name.isprintable():
            raise rejected("INVALID_PARAMETER", f"name: 1 to {LONGEST_NAME} printable characters")
        if len(clone.description) > LONGEST_DESCRIPTION:
            raise rejected("INVALID_PARAMETER", f"description: at most {LONGEST_DESCRIPTION} characters")
        if not MAIL.fullmatch(clone.email):
            raise rejected("INVALID_PARAMETER", "email is no mail address")
        if any(clone.name == group.name for group in self.groups.values()):
            raise rejected("OBJECT_ALREADY_EXISTS", "a group of that name exists")
        if any(clone.email.lower() == group.email.lower() for group in self.groups.values()):
            raise rejected("OBJECT_ALREADY_EXISTS", "a group of that mail address exists")

    def clone(self, clone: Clone) -> dict[str, Any]:
        """Create the group and return its document. Members are not copied."""
        number = next(self.ids)
        self.groups[number] = ContactGroup(clone.name, clone.email, clone.description)
        return self.groups[number].document(number)

    def subscribe(self, group: ContactGroup, number: int, contact: int) -> None:
        self.adds += 1
        self.repeats += contact in group.members
        group.members.add(contact)
        self._record("add", number, contact)

    def unsubscribe(self, group: ContactGroup, number: int, contact: int) -> None:
        self.removes += 1
        self.repeats += contact not in group.members
        group.members.discard(contact)
        self._record("remove", number, contact)

    def holdings(self, *, members: bool) -> dict[str, Any]:
        groups: dict[str, Any] = {}
        for number, group in self.groups.items():
            groups[str(number)] = group.document(number) | {"size": len(group.members)}
            if members:
                groups[str(number)]["members"] = sorted(map(str, group.members))
        counted = {"adds": self.adds, "removes": self.removes, "repeats": self.repeats, "mails": self.mails}
        return {"groups": groups} | counted

    def sizes(self) -> list[tuple[str, int]]:
        return [(f"{number} {group.name}", len(group.members)) for number, group in self.groups.items()]

    def _record(self, operation: Operation, group: int, contact: int) -> None:
        self.arrivals.record(operation, [MemberRow(group, str(contact))])


def contact_document(number: int) -> dict[str, Any]:
    """Return the document of a contact. Raises `RejectedError` if there is none of that number."""
    if not 1 <= number <= MOST_CONTACTS:
        raise rejected("NO_SUCH_OBJECT", f"no user {number}")
    mail = {"email": f"contact+{number}@example.com", "identifier": f"contact-{number}"}
    return {"id": number, "mobileNumber": None} | mail


def contact_named(pattern: str, name: str) -> int:
    """Return the number in a mail address or identifier. Raises `RejectedError` if no contact has it."""
    found = re.fullmatch(pattern, name, re.ASCII)
    if found is None:
        raise rejected("NO_SUCH_OBJECT", f"no user {name!r}")
    return int(contact_document(int(found[1]))["id"])
