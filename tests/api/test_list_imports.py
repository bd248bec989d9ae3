"""Files of ids and of people that change a list; and what was exported, imported again."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from audiences import listing
from audiences.models import Audience, ListChange
from pipeline.imports import services
from pipeline.models import Import
from profiles.models import Attribute, Profile
from tests.api.test_imports import upload
from tests.support.api_caller import Caller
from tests.support.shop import Shop, rule, somebody
from tests.support.tables import db

__all__ = ["db"]

# whole attributes, with values that files like to change
NASTY: dict[str, Any] = {
    "city": ["=1+1", 'a "b", c\r\nd', "[1]", " x ", "007", "Zürich \U0001f600", "true", '"', "-5", "1e400"],
    "tags": [["a", "b"], ["x"], [], "one", ["=1"], ["a,b"], ["1"], None, [""], ["ü"]],
    "age": [2**53 + 1, 2**63 - 1, 2**64 - 1, -(2**63), 0, 1, 2, 3, 4, 5],
    "amount": [0.1, 1e300, 5, 2**53 + 1, -0.5, 1e-300, 3, 1, 2, 0],
    "bought": [1_700_000_000, 1_700_000_000.5, 951_782_400, None, None, None, None, None, None, None],
    "yes": [True, False, True, None, False, True, False, True, None, True],
    "note": ["5", 5, "null", True, "true", {"a": [1, "x"]}, ["5", 5], "", "[", 1.5],
}
TYPES = {"city": "string", "tags": "string", "age": "integer", "amount": "number", "bought": "time", "yes": "boolean"}


@pytest.fixture
def people(db: None, tmp_path: Path, settings: Any) -> Any:
    settings.FILES_ROOT = tmp_path
    found = Shop()
    for path, type_ in TYPES.items():
        found.attribute(path, type_)
    Attribute.objects.create(customer=found.customer, path="note")  # seen, and not enabled
    found.absorb()
    yield found
    found.absorber.close()


def imported(admin: Caller, people: Shop, body: bytes, name: str, **more: Any) -> Import:
    answer = upload(admin, body, urlencode({"pixel": people.pixel.pk, "name": name, **more}))
    assert answer.status == 201, answer.body
    while services.work_off():
        pass
    people.absorb()
    return Import.objects.get(pk=answer.body["id"])


def counts_of(change: ListChange) -> tuple[int, int, int, bool]:
    found = listing.counts_of([change.pk])[change.pk]
    return found.changed, found.unchanged, found.unknown, found.all == change.given


def test_file_of_ids__lists_who_is_known__and_makes_nobody(people: Shop, admin: Caller) -> None:
    people.event(ids=[("user", "C-1")], data={"UserId": "C-1"})
    people.absorb()
    vips = listing.create_static(people.customer, "VIPs")
    file = b"UserId,city\nC-1,Paris\nC-9,Rome\nundefined,Oslo\n"

    row = imported(admin, people, file, "ids.csv", audience=vips.pk, known=1)

    assert (row.status, row.stored, row.errors) == ("done", 2, 1)
    change = ListChange.objects.get()
    assert (counts_of(change), change.refused) == ((1, 0, 1, True), 1)
    assert people.members(vips) == {people.named("user", "C-1")}
    assert Profile.objects.get().attributes == {"UserId": "C-1"}

    imported(admin, people, file, "ids.csv", audience=vips.pk, known=1, action="remove")
    assert people.members(vips) == set()


def test_file_of_people__with_a_list__makes_them_and_lists_them(people: Shop, admin: Caller) -> None:
    vips = listing.create_static(people.customer, "VIPs")
    known = somebody()
    file = f"uuid,UserId,city\n{known},C-1,Paris\n{somebody()},C-2,Rome\n".encode()
    looked = imported(admin, people, file, "people.csv", audience=vips.pk, dry_run=1)
    assert (looked.stored, ListChange.objects.count(), Profile.objects.count()) == (2, 0, 0)

    services.start(looked)
    assert services.work_off()
    people.absorb()

    assert people.members(vips) == set(Profile.objects.values_list("user_id", flat=True))
    assert counts_of(ListChange.objects.get()) == (2, 0, 0, True)
    assert people.profile(known).attributes["city"] == "Paris"


@pytest.mark.parametrize(
    "more", [{"audience": 999}, {"audience": "x"}, {"known": 1}, {"action": "add"}, {"cells": "x"}]
)
def test_import__with_options_of_lists_that_do_not_fit__is_refused(people: Shop, admin: Caller, more: Any) -> None:
    answer = upload(admin, b"UserId\nC-1\n", urlencode({"pixel": people.pixel.pk, "name": "p.csv", **more}))
    assert (answer.status, [place for place, _ in answer.places]) == (400, [next(iter(more))])


def test_import__into_a_list_whose_audience_has_gone__fails(people: Shop, admin: Caller) -> None:
    vips = listing.create_static(people.customer, "VIPs")
    upload(admin, b"UserId\nC-1\n", urlencode({"pixel": people.pixel.pk, "name": "p.csv", "audience": vips.pk}))
    Audience.objects.all().delete()
    while services.work_off():
        pass
    assert Import.objects.get().error == "the audience of its list is not there any more"


def stored() -> dict[UUID, tuple[Any, Any]]:
    return {row.user_id: (row.attributes, row.activity) for row in Profile.objects.all()}


@pytest.mark.parametrize(("name", "options"), [("p.csv", {"cells": "json"}), ("p.parquet", {})])
def test_import__of_what_was_exported__changes_nothing(people: Shop, admin: Caller, name: str, options: Any) -> None:
    for number in range(10):
        given = {key: values[number] for key, values in NASTY.items()}
        people.event(somebody(), {key: value for key, value in given.items() if value is not None})
    people.absorb()
    everybody = people.audience("seen", rule(f"pixel.{people.pixel.id}.count", ">=", 1))
    before = stored()
    fields = ",".join(["user_id", *(f"attribute.{key}" for key in NASTY)])
    file = admin.get(f"audiences/{everybody.pk}/export/?format={name[2:]}&fields={fields}").body

    row = imported(admin, people, file, name, **options)

    assert (row.status, row.stored, row.errors, row.error) == ("done", 10, 0, "")
    assert stored() == before
    assert people.bad_rows() == []

    Profile.objects.all().delete()  # and it brings back whoever is gone
    imported(admin, people, file, name, **options)
    assert {user: attributes for user, (attributes, _) in stored().items()} == {
        user: attributes for user, (attributes, _) in before.items()
    }
