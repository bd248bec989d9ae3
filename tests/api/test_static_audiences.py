"""Static audiences through the API: made, their lists changed, and what is told of each change."""

from typing import Any

import pytest

from audiences.models import ListedUser
from core.models import Inbox
from tests.support.api_caller import Caller
from tests.support.shop import Shop, somebody
from tests.support.tables import db

__all__ = ["db"]


@pytest.fixture
def people(db: None) -> Any:
    found = Shop()
    yield found
    found.absorber.close()


def made(admin: Caller) -> str:
    answer = admin.post("audiences/", {"customer": 1, "name": "VIPs", "kind": "static"})
    assert (answer.status, answer.body["rule"], answer.body["size"]) == (201, None, 0)
    return f"audiences/{answer.body['id']}/"


def test_list__of_a_static_audience__is_changed_and_counted(people: Shop, admin: Caller) -> None:
    known = somebody()
    people.event(known)
    people.event(ids=[("user", "C-1")], data={"UserId": "C-1"})
    people.absorb()
    vips = made(admin)
    people.absorb()

    by_id = admin.post(f"{vips}add/", {"users": [str(known), "not an id", str(somebody())]})
    by_key = admin.post(f"{vips}add/", {"user_keys": ["C-1", "[object Object]"]})
    waiting = admin.get(f"{vips}changes/").body["results"]
    people.absorb()

    assert by_id.status == by_key.status == 202
    assert by_id.body["refused"] == [{"line": 2, "message": "is no user id of ours (a version 4 UUID)"}]
    assert [one["line"] for one in by_key.body["refused"]] == [2]
    assert [one["done"] for one in waiting] == [False, False]
    key, user = admin.get(f"{vips}changes/").body["results"]
    told = ("given", "refused", "changed", "unchanged", "unknown", "done")
    assert [user[name] for name in told] == [2, 1, 1, 0, 1, True]
    assert [key[name] for name in told] == [1, 1, 1, 0, 0, True]
    assert admin.get(vips).body["size"] == 2
    assert {one["user_id"] for one in admin.get(f"{vips}members/").body["results"]} >= {str(known)}

    assert admin.post(f"{vips}remove/", {"user_keys": ["C-1"]}).status == 202
    people.absorb()
    assert admin.get(vips).body["size"] == 1
    assert ListedUser.objects.filter(listed=True).count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"users": [], "user_keys": []},
        {"users": "4711"},
        {"user_keys": ["x"] * 10_001},
        {"user_keys": [None]},
        {"ids": ["4711"]},
    ],
)
def test_list__a_body_that_is_none__is_refused_and_sends_nothing(people: Shop, admin: Caller, body: Any) -> None:
    vips = made(admin)
    people.absorb()
    assert admin.post(f"{vips}add/", body).status == 400
    assert not Inbox.objects.exists()


def test_list__of_an_audience_with_a_rule__is_refused(people: Shop, admin: Caller) -> None:
    rule = {"combinator": "and", "rules": [{"field": f"pixel.{people.pixel.id}.count", "operator": ">=", "value": 1}]}
    ruled = people.audience("seen", rule)
    assert admin.post(f"audiences/{ruled.pk}/add/", {"users": [str(somebody())]}).status == 409


@pytest.mark.parametrize("more", [{"rule": {"combinator": "and", "rules": []}}, {"ttl": "P1D"}, {"retrain_days": 3}])
def test_static_audience__with_a_field_of_other_kinds__is_refused(people: Shop, admin: Caller, more: Any) -> None:
    refused = admin.post("audiences/", {"customer": 1, "name": "VIPs", "kind": "static", **more})
    assert refused.places == [(next(iter(more)), "invalid")]
    vips = made(admin)
    assert admin.patch(vips, more).status == 400
    assert admin.patch(vips, {"name": "Very important"}).status == 200
