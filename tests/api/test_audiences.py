"""What can be asked of audiences through the API."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from activation.models import Activation
from audiences import estimates, history, services
from audiences.models import Audience, AudienceBucket, AudienceHour
from core.models import Customer
from pipeline.sweeper import finish_deletions
from tests.support.api_caller import Caller, caller
from tests.support.shop import Shop as People
from tests.support.shop import now_ms, somebody
from tests.support.shop import rule as one
from tests.support.tables import db

__all__ = ["db"]


@pytest.fixture
def people(db: None) -> Any:
    found = People()
    found.attribute("amount", "number")
    yield found
    found.absorber.close()


def shop_with(people: People, amounts: range) -> list[Any]:
    chance = random.Random(5)  # the same people each time: a margin that holds 95 times in 100 is no test by itself
    users = [UUID(int=chance.getrandbits(128), version=4) for _ in amounts]
    for user, amount in zip(users, amounts, strict=True):
        people.event(user, {"amount": amount})
    people.absorb()
    return users


def test_estimate__few_people__is_exact_with_a_sample_and_the_rule_in_words(people: People, admin: Caller) -> None:
    users = shop_with(people, range(30))
    body = {"customer": 1, "rule": one("attribute.amount", ">=", 20)}

    answer = admin.post("audiences/estimate/", body)

    assert answer.status == 200
    assert {key: answer.body[key] for key in ("estimate", "low", "high", "exact", "text")} == {
        "estimate": 10,
        "low": 10,
        "high": 10,
        "exact": True,
        "text": "attribute amount is at least 20",
    }
    assert set(answer.body["sample"]) <= {str(user) for user in users[20:]}
    assert len(answer.body["sample"]) == 10


def test_estimate__of_many__holds_the_truth_within_its_margin(
    people: People, admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop_with(people, range(600))
    monkeypatch.setattr(estimates, "COUNTED", 100)

    answer = admin.post("audiences/estimate/", {"customer": 1, "rule": one("attribute.amount", "<", 300)}).body

    assert answer["exact"] is False
    assert answer["low"] < 300 < answer["high"]
    assert 200 < answer["estimate"] < 400


@pytest.mark.parametrize("seen", [0, 1, 50, 999])
def test_estimated__margin__never_leaves_what_is_possible(seen: int) -> None:
    for hits in {0, seen // 2, seen}:
        found = estimates.estimate_from_sample(hits, seen, 1000)
        assert hits <= found.low <= found.estimate <= found.high <= 1000 - (seen - hits)


def test_estimate__of_a_wrong_rule__names_the_place(people: People, admin: Caller) -> None:
    answer = admin.post("audiences/estimate/", {"customer": 1, "rule": one("attribute.nothing", "=", 1), "x": 1})
    assert answer.status == 400
    answer = admin.post("audiences/estimate/", {"customer": 1, "rule": one("attribute.nothing", "=", 1)})
    assert answer.body["errors"][0]["attr"] == "rule.rules[0].field"


def test_versions__say_who_changed_what_and_are_gone_back_to(people: People, admin: Caller) -> None:
    users = shop_with(people, range(4))
    big = admin.post("audiences/", {"customer": 1, "name": "big", "rule": one("attribute.amount", ">=", 3)}).body
    admin.patch(f"audiences/{big['id']}/", {"rule": one("attribute.amount", ">=", 1), "ttl": "P30D"})
    audience = Audience.objects.get(pk=big["id"])
    people.absorb()
    assert people.members(audience) == set(users[1:])

    found = admin.post(f"audiences/{big['id']}/go-back/", {"version": 1})
    people.absorb()

    assert found.status == 200
    assert people.members(audience) == {users[3]}
    told = admin.get(f"audiences/{big['id']}/versions/").body["results"]
    assert [(row["version"], row["change"], row["by"], row["ttl"]) for row in told] == [
        (3, "went back to version 1", "API key “admin of a test”", ""),
        (2, "rule changed", "API key “admin of a test”", "P30D"),
        (1, "made", "API key “admin of a test”", ""),
    ]
    assert admin.post(f"audiences/{big['id']}/go-back/", {"version": 9}).status == 400
    assert admin.patch(f"audiences/{big['id']}/", {"ttl": "P1M"}).status == 400


def test_audience_that_asks_about_itself__is_refused_at_every_place_that_does(people: People, admin: Caller) -> None:
    big = people.audience("big", one("attribute.amount", ">=", 6))
    between = people.audience("between", one("audience", "in", big.pk))
    harmless = people.audience("harmless", one("attribute.amount", "<", 6))
    inner = {"combinator": "or", "rules": [{"field": "audience", "operator": "notIn", "value": big.pk}]}
    parts = [
        {"field": "attribute.amount", "operator": ">", "value": 7},
        inner,
        {"field": "audience", "operator": "in", "value": [harmless.pk, between.pk]},
    ]
    circular = {"combinator": "and", "rules": parts}

    for refused in (
        admin.patch(f"audiences/{big.pk}/", {"rule": circular}),
        admin.post(f"audiences/{big.pk}/difference/", {"rule": circular}),
    ):
        assert refused.status == 400
        assert [place for place, _ in refused.places] == ["rule.rules[1].rules[0].value", "rule.rules[2].value[1]"]


def test_rule_that_cannot_work_any_more__keeps_no_other_audience_from_changes(people: People, admin: Caller) -> None:
    broken = people.audience("broken", one("attribute.amount", ">=", 6))
    other = people.audience("other", one("attribute.amount", ">=", 3))
    Audience.objects.filter(pk=broken.pk).update(rule=one("attribute.gone", ">=", 6))

    changed = admin.patch(f"audiences/{other.pk}/", {"rule": one("attribute.amount", ">=", 4)})

    assert changed.status == 200
    assert admin.delete(f"audiences/{other.pk}/").status < 300


def test_difference__tells_who_would_enter_and_leave_and_saves_nothing(people: People, admin: Caller) -> None:
    shop_with(people, range(10))
    big = people.audience("big", one("attribute.amount", ">=", 6))

    answer = admin.post(f"audiences/{big.pk}/difference/", {"rule": one("attribute.amount", "between", [3, 7])}).body

    assert [answer[key]["estimate"] for key in ("members", "enter", "leave")] == [5, 3, 2]
    assert answer["exact"] is True
    big.refresh_from_db()
    assert big.version == 1
    refused = admin.post(f"audiences/{big.pk}/difference/", {"rule": one("audience", "in", big.pk)})
    assert refused.status == 400


def test_explain__tells_every_part_with_what_was_found(people: People, admin: Caller) -> None:
    user, ads = somebody(), people.platform()
    other = people.audience("other", one("attribute.amount", ">", 0))
    people.sync(user, ads, "x")
    people.event(user, {"amount": 5})
    people.absorb()
    pixel = people.pixel.id
    parts = [
        {"field": "attribute.amount", "operator": ">", "value": 7},
        {"field": f"pixel.{pixel}.count", "operator": ">=", "value": 1, "days": 7},
        {"combinator": "and", "rules": [{"field": f"pixel.{pixel}.last", "operator": "withinLast", "value": "P1D"}]},
        {"field": "audience", "operator": "in", "value": [other.pk]},
        {"field": "platform", "operator": "notIn", "value": ads.pl},
        {"field": "split.test", "operator": "<", "value": 100},
    ]
    big = services.create_audience(people.customer, "any", {"combinator": "or", "rules": parts}, ttl="P2D")
    people.absorb()

    told = admin.get(f"audiences/{big.pk}/explain/?user_id={user}").body

    assert (told["member"], told["eligible"], told["tree"]["true"]) == (True, True, True)
    rules = told["tree"]["rules"]
    assert [part["true"] for part in rules] == [False, True, True, True, False, True]
    assert [rules[place]["found"] for place in (0, 1, 3, 4)] == [5, 1, [other.pk], [ads.pl]]
    assert rules[1]["text"] == "pixel “front page” at least 1 time in the last 7 days"
    assert rules[2]["rules"][0]["until"] is not None
    assert told["expiry"]["ttl"] == "P2D"
    assert told["until"] == told["expiry"]["until"]
    assert admin.get(f"audiences/{big.pk}/explain/?user_id={somebody()}").status == 404
    assert admin.get(f"audiences/{big.pk}/explain/?user_id=x").status == 400
    assert admin.get(f"audiences/{big.pk}/explain/").status == 400


def test_history__hours_and_days__have_sizes_entries_and_exits(shop: Customer, admin: Caller) -> None:
    audience = Audience.objects.create(customer=shop, name="a", rule={}, status="live", alert_percent=20)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for age, size, entered, gone in ((50, 10, 10, 0), (26, 40, 40, 0), (3, 35, 45, 10)):
        AudienceHour.objects.create(
            audience=audience, hour=hour - timedelta(hours=age), size=size, entered=entered, gone=gone
        )
    AudienceBucket.objects.create(bucket=1, audience_id=audience.pk, size=30, entered=50, gone=20)

    hours = admin.get(f"audiences/{audience.pk}/history/?last=5").body
    days = admin.get(f"audiences/{audience.pk}/history/?step=day&last=30").body

    assert [(one["size"], one["entered"], one["left"]) for one in hours] == [
        (40, 0, 0),
        (35, 5, 10),
        (35, 0, 0),
        (35, 0, 0),
        (30, 5, 10),
    ]
    assert (days[0]["size"], days[-1]["size"]) == (10, 30)
    assert (sum(day["entered"] for day in days), sum(day["left"] for day in days)) == (50, 20)
    assert admin.get(f"audiences/{audience.pk}/history/?step=year").status == 400
    for last in ("0", "4801", "1000000001", "9" * 5000):
        assert admin.get(f"audiences/{audience.pk}/history/?last={last}").status == 400

    AudienceHour.objects.filter(size=35).delete()
    AudienceHour.objects.create(audience=audience, hour=hour - timedelta(hours=20), size=40, entered=40, gone=0)
    (row,) = admin.get("audiences/").body["results"]
    assert (row["alert"]["before"], row["alert"]["now"], row["alert"]["percent"]) == (40, 30, 25.0)
    audience.alert_percent = 25
    audience.save()
    assert admin.get(f"audiences/{audience.pk}/").body["alert"] is None


def test_note__keeps_the_present_hour_and_of_old_days_the_last(shop: Customer) -> None:
    audience = Audience.objects.create(customer=shop, name="a", rule={}, status="live")
    old = datetime(2020, 5, 1, tzinfo=UTC)
    for hour in (1, 5, 30):
        AudienceHour.objects.create(audience=audience, hour=old + timedelta(hours=hour), size=hour, entered=0, gone=0)
    for size in (3, 4):
        AudienceBucket.objects.update_or_create(
            bucket=2, audience_id=audience.pk, defaults={"size": size, "entered": 9, "gone": 2}
        )
        history.note_sizes()
    kept = AudienceHour.objects.filter(audience=audience).order_by("hour")
    assert [row.size for row in kept] == [5, 30, 4]


def test_overlap__counts_two_by_two_and_all_together(people: People, admin: Caller) -> None:
    shop_with(people, range(10))
    found = [
        people.audience(name, one("attribute.amount", "between", ends))
        for name, ends in (("a", [0, 5]), ("b", [4, 9]), ("c", [5, 6]))
    ]
    a, b, c = (audience.pk for audience in found)

    told = admin.get(f"audiences/overlap/?ids={a},{b},{c}").body

    assert told["sizes"] == {str(a): 6, str(b): 6, str(c): 2}
    assert [(pair["audiences"], pair["users"], pair["share"]) for pair in told["pairs"]] == [
        ([a, b], 2, 0.3333),
        ([a, c], 1, 0.5),
        ([b, c], 2, 1.0),
    ]
    assert (told["all"], told["any"], told["exact"]) == (1, 10, True)
    for wrong in ("", "1", f"{a},{a}", "x,y", f"{a},999999", ",".join(map(str, range(11)))):
        assert admin.get(f"audiences/overlap/?ids={wrong}").status == 400


def test_overlap__asked_by_an_analyst__is_told_in_whole_twenties(people: People, admin: Caller) -> None:
    shop_with(people, range(30))
    most, few = (
        people.audience(name, one("attribute.amount", "between", ends)).pk
        for name, ends in (("most", [0, 24]), ("few", [23, 29]))
    )
    ids = f"audiences/overlap/?ids={most},{few}"

    told = caller("analyst", people.customer).get(ids).body

    assert admin.get(ids).body["all"] == 2
    assert (told["pairs"][0]["users"], told["all"], told["any"], told["exact"]) == (0, 0, 20, False)


def test_deletion__third_parties_are_told_first(people: People, admin: Caller) -> None:
    user, ads = somebody(), people.platform()
    people.sync(user, ads, "x")
    people.event(user, {"amount": 5})
    people.absorb()
    big = people.audience("big", one("attribute.amount", ">", 1))
    activation = people.activation(big, ads)
    Activation.objects.filter(pk=activation.pk).update(segment_id=7, status="live")
    people.accept_all_deliveries()

    assert admin.delete(f"audiences/{big.pk}/").status == 204
    finish_deletions()
    people.absorb()  # the end of an activation goes page by page, by rows of the inbox

    assert people.due() == {("x", False)}
    assert admin.get(f"audiences/{big.pk}/").body["status"] == "deleting"
    assert admin.delete(f"audiences/{big.pk}/").status == 409
    assert admin.patch(f"audiences/{big.pk}/", {"status": "live"}).status == 409
    people.event(user, {"amount": 0}, at=now_ms() + 1000)
    people.absorb()  # nothing evaluates it any more
    Activation.objects.all().delete()
    assert finish_deletions() == 1
    assert admin.get(f"audiences/{big.pk}/").status == 404


def test_deletion__of_what_others_ask_about__is_refused(people: People, admin: Caller) -> None:
    big = people.audience("big", one("attribute.amount", ">", 1))
    people.audience("asks", one("audience", "notIn", [big.pk]))
    assert admin.delete(f"audiences/{big.pk}/").status == 409
