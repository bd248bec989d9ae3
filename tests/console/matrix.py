"""Asks for every page of the console as everybody, and says what is wrong with the answers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import transaction
from django.test import Client
from django.urls import resolve

from core.access import EVERYTHING, RIGHTS, Right, Role
from core.models import Customer
from core.people import members
from core.people.models import end_sessions
from tests.console.matrix_pages import APP, EVERYBODY, NOBODY, ONESELF, PAGES, PERSONAL, Need, Page
from tests.support.console_people import browser_of, person
from tests.support.tenants import MARK, OTHER, OWNER, PERSON, alike, changes, two_tenants

API = "api/v1/"
ONCE = re.compile(r'nonce="[^"]*"|name="csrfmiddlewaretoken" value="[^"]*"')
LINK = re.compile(r'(?:href|action|hx-get|hx-post|formaction)="(/[^"?#]*)')
FORM = re.compile(r'<form\b(?=[^>]*method="post")([^>]*)>(.*?)</form>', re.DOTALL | re.IGNORECASE)
ACTION = re.compile(r'action="([^"?#]*)')
SHOWN, REFUSED = {200, 302}, {403, 404}
NOBODY_AT_ALL = "nobody"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at the console; `refusal`: what they are answered whatever they ask for."""

    name: str
    client: Client
    role: Role = Role.ADMIN
    tenant: int = OWNER
    refusal: int = 0

    @property
    def is_stranger(self) -> bool:
        return self.refusal != 0 or self.tenant != OWNER

    def may(self, need: Need) -> bool:
        if isinstance(need, Right):
            return not self.refusal and need in RIGHTS[self.role]
        return need is EVERYBODY or (need is ONESELF and not self.refusal)

    def expected(self, page: Page) -> set[int]:
        if page.need is EVERYBODY or (page.need is ONESELF and self.refusal != 302):
            return SHOWN | REFUSED | {401, 405}
        if self.refusal:
            return {self.refusal}
        if page.leads_on:
            return {302}
        if page.is_own and self.tenant != OWNER:
            return {404} if self.may(page.need) else REFUSED
        return SHOWN if self.may(page.need) or page.stays else REFUSED


def visitors() -> Iterator[Visitor]:
    customers = {m: Customer.objects.get(m=m) for m in (OWNER, OTHER)}
    yield Visitor(NOBODY_AT_ALL, Client(), refusal=302)
    yield Visitor("logged out from elsewhere", logged_out(customers[OWNER]), refusal=302)
    yield Visitor("without a role any more", without_role(customers[OWNER]), refusal=403)
    for role in Role:
        for m, customer in customers.items():
            yield Visitor(f"{role} of {m}", browser_of(person(role, customer, name=f"{role} of {m}")), role, m)


def logged_out(customer: Customer) -> Client:
    user = person("admin", customer, name="logged out from elsewhere")
    client = browser_of(user)
    assert client.get("/password_change/").status_code == 302
    end_sessions(user.pk)
    return client


def without_role(customer: Customer) -> Client:
    user = person("admin", customer, name="without a role any more")
    members.remove(EVERYTHING, user)
    return browser_of(user)


def wrong_answers(*, decisive: bool) -> list[Any]:
    """Return what differs from the table. `decisive`: leave out who is answered as somebody else who is asked.

    Changes are sent by those who must be refused, and by the least role that may make them.
    """
    two_tenants()
    everybody = list(visitors())
    before = changes()
    return [
        (visitor.name, one.address, one.sent, fault)
        for visitor in everybody
        for one in PAGES
        if is_tried(visitor, one) and (is_decisive(visitor, one) or not decisive)
        for fault in faults(visitor, one, before, decisive=decisive)
    ]


def is_tried(visitor: Visitor, one: Page) -> bool:
    return one.sent is None or visitor.is_stranger or not visitor.may(one.need) or visitor.role is least(one.need)


def is_decisive(visitor: Visitor, one: Page) -> bool:
    """Whether the answer says something new.

    Who is refused whatever they ask for meets no page: lists are enough of them. Of another tenant the admin may most.
    An admin of the tenant is asked for what a marketer may not have.
    """
    if visitor.refusal:
        return visitor.name == NOBODY_AT_ALL or not (one.is_own or one.sent)
    if visitor.tenant != OWNER:
        return visitor.role is Role.ADMIN or (one.is_own and one.sent is None)
    return visitor.role is not Role.ADMIN or one.need not in RIGHTS[Role.MARKETER]


def least(need: Need) -> Role:
    return next(role for role in (Role.ANALYST, Role.MARKETER, Role.ADMIN) if need in RIGHTS[role])


def faults(visitor: Visitor, one: Page, before: int, *, decisive: bool) -> Iterator[Any]:
    """Yield what is wrong with the answer. `before`: `changes()` so far."""
    status, text, after = answer(visitor, one)
    if status not in (expected := visitor.expected(one)):
        yield status, expected
    if visitor.is_stranger and (MARK in text.replace(f"?s={MARK}", "") or PERSON in text):
        yield "shows what is another's"
    has_twin = visitor.tenant != OWNER and one.twin() != one
    if has_twin and (visitor.role is Role.ADMIN or not decisive) and answer(visitor, one.twin())[:2] != (status, text):
        yield "differs from what does not exist"
    if after > before and (visitor.is_stranger or not visitor.may(one.need)):
        yield "changes something"
    if not visitor.may(Right.SEE_PERSONS) and PERSON in text:
        yield "shows personal data"
    is_personal = one.sent is None and one.address in PERSONAL
    if visitor.role is Role.MARKETER and visitor.tenant == OWNER and is_personal and PERSON not in text:
        yield "holds nothing personal, so that nothing is kept from an analyst"
    if status == 200 and not visitor.refusal:
        yield from (f"leads to {path}" for path in set(LINK.findall(text)) if not visitor.may(need_of(path)))
        yield from (f"sends to {path}" for path in sendings(one, text) if not visitor.may(need_of(path, sent=True)))


@cache
def need_of(path: str, *, sent: bool = False) -> Need:
    """Return what somebody needs to open the address, or to send something there."""
    pattern = pattern_of(resolve(path).route)
    if pattern.startswith(API):
        return EVERYBODY
    rows = [one for one in PAGES if one.pattern == pattern]
    rows = [one for one in rows if f"/{one.address}".partition("?")[0] == path] or rows
    fitting = [one.need for one in rows if (one.sent is not None) == sent]
    if fitting:
        return fitting[0]
    return rows[0].need if rows and (not sent or rows[0].need in (EVERYBODY, ONESELF)) else NOBODY


def pattern_of(route: str) -> str:
    return APP if route.startswith(APP) else route


def sendings(one: Page, text: str) -> set[str]:
    """Return the addresses to which the buttons of the page's forms send."""
    forms = [(attributes, inside) for attributes, inside in FORM.findall(text) if 'type="submit"' in inside]
    found = [ACTION.search(attributes) for attributes, _ in forms]
    return {(action[1] if action else "") or f"/{one.address}".partition("?")[0] for action in found}


def answer(visitor: Visitor, one: Page) -> tuple[int, str, int]:
    """Ask for the page, or send what is sent to it, and undo what that did.

    Returns the answer's status and text, and `changes()` after something was sent.
    """
    with transaction.atomic():
        found: Any = (
            visitor.client.get(f"/{one.address}")
            if one.sent is None
            else visitor.client.post(f"/{one.address}", one.sent)
        )
        text = "" if found.streaming else found.content.decode(errors="replace")
        after = 0 if one.sent is None else changes()
        transaction.set_rollback(True)
    return found.status_code, alike(ONCE.sub("", text)), after
