"""Every call of the API, by everybody: what each role of the tenant, each role of another, and nobody is answered.

A call that is not in the table fails the test: whoever adds one says who may make it. Each call is undone. What belongs
to another tenant is answered exactly as what does not exist, and an analyst is told nothing personal.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import transaction

from core import clock
from core.access import RIGHTS, Right, Role
from core.models import ApiKey, Customer
from tests.support.api_caller import Caller
from tests.support.routes import routes
from tests.support.tenants import (
    ANOTHER,
    ERASURE,
    LOOKALIKE,
    MARK,
    NUMBER,
    OTHER,
    OWNER,
    PERSON,
    RULE,
    SETTINGS,
    STATIC,
    SUSPECT,
    USER,
    alike,
    changes,
    twin,
    two_tenants,
)

READ, PERSONS, CHANGE, ADMINISTER = Right.READ, Right.SEE_PERSONS, Right.CHANGE, Right.ADMINISTER
ANYBODY = None
PREFIX = "api/v1/"
NEW = {"customer": OWNER, "name": "New"}


@dataclass(frozen=True, slots=True)
class Call:
    """`right`: who may make it; `status`: what they are answered; `other`: what the same role of another tenant is."""

    method: str
    pattern: str
    address: str
    right: Right | None
    status: int
    other: int
    body: Any = None

    def twin(self) -> "Call":
        """The same call about what does not exist; the call itself where it names nothing."""
        body = self.body if isinstance(self.body, bytes) else json.loads(twin(json.dumps(self.body)))
        return replace(self, address=twin(self.address), body=body)


def of(name: str, key: object = NUMBER) -> tuple[str, str]:
    """The pattern and the address of one row of a resource, or of a call to it (`audiences.members`)."""
    resource, _, action = name.partition(".")
    ending = f"{action}/" if action else ""
    pattern = "[0-9a-f-]{36}" if resource == "erasures" else r"\d{1,18}"
    return f"^{resource}/(?P<pk>{pattern})/{ending}$", f"{resource}/{key}/{ending}"


def all_of(name: str, query: str = "") -> tuple[str, str]:
    """The same of a list, or of a call to it."""
    place = f"{name.replace('.', '/')}/"
    return f"^{place}$", place + query


def get(place: tuple[str, str], status: int = 200, other: int = 404, right: Right = READ) -> Call:
    return Call("get", *place, right, status, other)


def listed(name: str, query: str = "", right: Right = READ) -> Call:
    return get(all_of(name, query), other=200, right=right)


def post(place: tuple[str, str], body: Any = None, status: int = 200, other: int = 404, right: Right = CHANGE) -> Call:
    return Call("post", *place, right, status, other, body)


def patch(name: str, body: Any, right: Right = CHANGE) -> Call:
    return Call("patch", *of(name), right, 200, 404, body)


def delete(name: str, status: int, key: int = NUMBER, right: Right = CHANGE) -> Call:
    return Call("delete", *of(name, key), right, status, 404)


USERS = "users/<uuid:user_id>/"
SUSPECTS = "^suspect-ids/(?P<name>[A-Za-z0-9_-]{1,800})/"
CALLS = [
    listed("customers"),
    get(of("customers", OWNER)),
    post(all_of("customers"), {"name": "New"}, 403, 403, ADMINISTER),  # a bound key adds no customers
    Call("patch", *of("customers", OWNER), ADMINISTER, 200, 404, {"name": "Renamed"}),
    listed("pixels"),
    get(of("pixels")),
    get(of("pixels.tag")),
    post(all_of("pixels"), NEW, 201, 400),
    patch("pixels", {"name": "Renamed"}),
    delete("pixels", 409),  # audiences count on it
    post(of("pixels.rotate-secret")),
    listed("attributes"),
    get(all_of("attributes.summary", f"?customer={OWNER}")),
    get(of("attributes")),
    post(all_of("attributes"), {"customer": OWNER, "path": "city"}, 201, 400),
    patch("attributes", {"name": "Renamed"}),
    listed("platforms"),
    get(all_of("platforms.connectors"), other=200),
    get(of("platforms")),
    post(all_of("platforms"), {**NEW, "connector": "none"}, 201, 400),
    patch("platforms", {"settings": SETTINGS}),
    delete("platforms", 409),  # audiences are activated on it
    post(of("platforms.check")),
    post(of("platforms.rotate-secret")),
    post(
        ("platforms/<int:pk>/links/", f"platforms/{NUMBER}/links/"), {"kind": "click", "target": "https://x.example/"}
    ),
    post(("platforms/<int:pk>/publish/", f"platforms/{NUMBER}/publish/"), {"kind": "taxonomy", "order": {}}, 400),
    get(("platforms/<int:pl>/match-rate/", f"platforms/{NUMBER}/match-rate/")),
    listed("audiences"),
    get(of("audiences")),
    post(all_of("audiences"), {**NEW, "rule": RULE}, 201, 400),
    patch("audiences", {"name": "Renamed"}),
    delete("audiences", 204, ANOTHER),
    post(all_of("audiences.estimate"), {"customer": OWNER, "rule": RULE}, 200, 400, PERSONS),
    get(all_of("audiences.overlap", f"?ids={NUMBER},{ANOTHER}"), other=400),
    post(of("audiences.difference"), {"rule": RULE}, right=PERSONS),
    get((of("audiences.explain")[0], f"{of('audiences.explain')[1]}?user_id={USER}"), right=PERSONS),
    post(of("audiences.go-back"), {"version": 1}),
    get(of("audiences.history")),
    get(of("audiences.members"), right=PERSONS),
    get(of("audiences.model", LOOKALIKE)),
    post(of("audiences.train", LOOKALIKE), {}, 202),
    get(of("audiences.versions")),
    post(of("audiences.add", STATIC), {"user_keys": ["C-1"]}, 202),
    post(of("audiences.remove", STATIC), {"users": [str(USER)]}, 202),
    get(of("audiences.changes", STATIC)),
    get(of("audiences.export"), right=PERSONS),
    listed("exports"),
    get(of("exports")),
    post(all_of("exports"), {"audience": NUMBER, "name": "members"}, 201, 400),
    patch("exports", {"paused": True}),
    delete("exports", 204),
    post(of("exports.run"), status=202),
    get(of("exports.runs")),
    get(of("exports.download"), right=PERSONS),
    listed("activations"),
    get(of("activations")),
    post(
        all_of("activations"), {"audience": ANOTHER, "platform": NUMBER, "settings": {"segment_id": 7}}, 201, other=400
    ),
    delete("activations", 202),
    post(of("activations.pause")),
    post(of("activations.resume")),
    post(of("activations.resync")),
    post(of("activations.preview"), right=PERSONS),
    post(of("activations.reconcile"), {}, 400),  # it cannot be read back
    post(of("activations.test"), {"platform_user_id": "x"}),
    listed("batches"),
    listed("dead-letters"),
    listed("dead-letters.replays"),
    post(all_of("dead-letters.replay"), {"activation": NUMBER}, other=400),
    listed("bad-rows"),
    post(all_of("bad-rows.replay"), {"customer": OWNER}),
    listed("hot-ids", right=PERSONS),
    listed("suspect-ids", right=PERSONS),
    post((f"{SUSPECTS}good/$", f"suspect-ids/{SUSPECT}/good/")),
    post((f"{SUSPECTS}bad/$", f"suspect-ids/{SUSPECT}/bad/")),
    listed("mappings", f"?platform={NUMBER}", PERSONS),
    post(all_of("mappings.upload"), b"", other=200),
    listed("imports/templates"),
    get(of("imports/templates")),
    post(all_of("imports/templates"), NEW, 201, 400),
    patch("imports/templates", {"decimal": ","}),
    delete("imports/templates", 204),
    listed("imports/schedules"),
    get(of("imports/schedules")),
    # the platform is no place of files
    post(all_of("imports/schedules"), {**NEW, "pixel": NUMBER, "platform": NUMBER}, 400, other=400),
    patch("imports/schedules", {"pattern": "*.csv"}),
    delete("imports/schedules", 204),
    post(of("imports/schedules.run")),
    listed("imports"),
    get(of("imports")),
    get(of("imports.errors"), right=PERSONS),
    post(all_of("imports", f"?pixel={NUMBER}&name=p.csv"), b"UserId\nC-1\n", 201, 400),
    get(of("imports.sample"), right=PERSONS),
    post(of("imports.start")),
    post(of("imports.look-again"), {}),
    post(of("imports.cancel")),
    listed("api-keys", right=ADMINISTER),
    get(of("api-keys"), right=ADMINISTER),
    post(all_of("api-keys"), {**NEW, "role": "analyst"}, 201, 400, ADMINISTER),
    patch("api-keys", {"name": "Renamed"}, ADMINISTER),
    delete("api-keys", 204, right=ADMINISTER),
    post(of("api-keys.rotate"), {}, right=ADMINISTER),
    listed("people", right=ADMINISTER),
    get(of("people"), right=ADMINISTER),
    patch("people", {"role": "marketer", "customers": [OWNER]}, ADMINISTER),
    delete("people", 204, right=ADMINISTER),
    listed("people/invitations", right=ADMINISTER),
    post(all_of("people/invitations"), {"role": "analyst", "customers": [OWNER]}, 201, 403, ADMINISTER),
    delete("people/invitations", 204, right=ADMINISTER),
    listed("audit-log", right=ADMINISTER),
    listed("audit-log.export", right=ADMINISTER),
    get(of("audit-log"), right=ADMINISTER),
    listed("erasures"),
    get(of("erasures", ERASURE)),
    get((USERS, f"users/{USER}/?customer={OWNER}"), right=PERSONS),
    get((f"{USERS}export/", f"users/{USER}/export/?customer={OWNER}"), right=PERSONS),
    Call("delete", USERS, f"users/{USER}/?customer={OWNER}", CHANGE, 202, 404),
    get(("pipeline/", "pipeline/"), other=200),
    Call("get", "schema/", "schema/", ANYBODY, 200, 200),
    Call("get", "docs/", "docs/", ANYBODY, 200, 200),
    Call("get", "", "nowhere/", ANYBODY, 404, 404),
]
SAME = {"schema/", "docs/"}  # the same for everybody, and slow


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who calls; `refusal`: what they are answered whatever they ask for."""

    name: str
    key: str | None
    role: Role = Role.ADMIN
    tenant: int = OWNER
    refusal: int = 0

    def expected(self, call: Call) -> int:
        if call.right is ANYBODY and (call.address in SAME or self.key is None):
            return call.status
        if self.refusal:
            return self.refusal
        if call.right is not ANYBODY and call.right not in RIGHTS[self.role]:
            return 403
        return call.status if self.tenant == OWNER else call.other

    @property
    def is_stranger(self) -> bool:
        return self.refusal != 0 or self.tenant != OWNER


def parties() -> Iterator[Party]:
    yield Party("nobody", None, refusal=401)
    yield Party("a key that does not exist", "unknown.secret", refusal=401)
    yield Party("revoked", key(Role.ADMIN, revoked_at=clock.now()), refusal=401)
    yield Party("expired", key(Role.ADMIN, expires_at=clock.now() - timedelta(seconds=1)), refusal=401)
    yield Party("from elsewhere", key(Role.ADMIN, allowed_addresses=["192.0.2.7"]), refusal=403)
    for role in Role:
        for m in (OWNER, OTHER):
            yield Party(f"{role} of {m}", key(role, m), role, m)


def key(role: Role, customer: int = OWNER, **limits: Any) -> str:
    row, text = ApiKey.issue(f"{role} of {customer}", role, Customer.objects.get(m=customer))
    ApiKey.objects.filter(pk=row.pk).update(**limits)
    return text


@pytest.fixture
def world(tmp_path: Any, settings: Any) -> None:
    settings.FILES_ROOT = tmp_path
    two_tenants()


@pytest.mark.usefixtures("world")
def test_call__by_everybody__is_answered_as_the_table_says() -> None:
    everybody = list(parties())
    before = changes()

    wrong = [
        (party.name, call.method, call.address, fault)
        for party in everybody
        for call in CALLS
        if call.address not in SAME or party.key is None
        for fault in faults(party, call, before)
    ]

    assert wrong == []


def faults(party: Party, call: Call, before: int) -> Iterator[str]:
    """Yield what is wrong with the answer. `before`: `changes()` so far."""
    status, text, after = answer(party, call)
    if status != (expected := party.expected(call)):
        yield f"is {status}, not {expected}: {text[:300]}"
    if after > before:
        yield "changes what is another's"
    if party.is_stranger and (MARK in text or PERSON in text):
        yield f"tells what is another's: {text[:300]}"
    if party.tenant != OWNER and (other := call.twin()) != call and answer(party, other)[:2] != (status, text):
        yield "differs from what does not exist"
    if party.role is Role.ANALYST and PERSON in text:
        yield "tells an analyst personal data"
    is_personal = call.method == "get" and call.address in PERSONAL
    if party.role is Role.MARKETER and party.tenant == OWNER and is_personal and PERSON not in text:
        yield "holds nothing personal, so that nothing is kept from an analyst"


def answer(party: Party, call: Call) -> tuple[int, str, int]:
    """Make the call and undo it. Returns its status, its text, and `changes()` after one by a stranger."""
    with transaction.atomic():
        caller = Caller(party.key, next(ADDRESSES)) if party.refusal else Caller(party.key)
        found = caller.call(call.method, call.address, call.body)
        after = changes() if party.is_stranger and call.method != "get" else 0
        transaction.set_rollback(True)
    return found.status, alike(str(found.body)), after


# a call that is refused comes from an address of its own: nobody is taken for somebody who tries keys
ADDRESSES = (f"10.1.{number >> 8}.{number & 255}" for number in count(1))
PERSONAL = {
    *("attributes/", "batches/", "dead-letters/", "bad-rows/", "hot-ids/", "suspect-ids/"),
    *("activations/", "platforms/"),
}


def test_every_call_of_the_api__is_in_the_table() -> None:
    found = {
        (method, one.pattern.removeprefix(PREFIX))
        for one in routes()
        if one.pattern.startswith(PREFIX)
        for method in one.methods
    }

    assert found == {(call.method, call.pattern) for call in CALLS}
