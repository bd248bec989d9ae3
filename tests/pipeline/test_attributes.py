"""The External Attributes service: what is seen is catalogued, what is enabled is typed and serves rules."""

from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from audiences.attributes import set_attribute
from core import buckets
from core.models import BadRow
from pipeline.absorb import bulk, stage
from pipeline.bad_rows import replay_all
from profiles import attribute_catalogue, attribute_sampling
from profiles.models import Attribute, AttributeStatistics
from tests.support.shop import Shop, now_ms, rule, somebody


def written(shop: Shop, *data: dict[str, Any], at: int | None = None) -> None:
    """The data, absorbed, and what was seen in it written."""
    for one in data:
        shop.event(somebody(), one, at=at)
    shop.absorb()
    for customer, sample in dict(attribute_sampling.sampler.samples).items():
        attribute_catalogue.flush(customer, sample)
    attribute_sampling.sampler.discard()


def seen(path: str) -> AttributeStatistics:
    return AttributeStatistics.objects.get(attribute_id=Attribute.objects.get(path=path).id)


def type_of(path: str) -> str:
    return Attribute.objects.get(path=path).type


def test_every_path__is_catalogued_with_what_was_seen(shop: Shop) -> None:
    now = now_ms()
    written(shop, {"a": 1, "b": {"c.d": "x", "e": [True]}, "empty": "", "none": None, "no": {}}, at=now - 60_000)
    written(shop, {"a": 2}, {"a": 2}, {"b": {"e": False}}, at=now)

    assert set(Attribute.objects.values_list("path", flat=True)) == {"a", r"b.c\.d", "b.e"}
    assert (type_of("a"), type_of(r"b.c\.d"), type_of("b.e")) == ("integer", "string", "boolean")
    a = seen("a")
    assert (a.events, a.examples, a.types) == (3, [1, 2], {"integer": 3})
    assert (round(a.first_seen.timestamp() * 1000), round(a.last_seen.timestamp() * 1000)) == (now - 60_000, now)
    events = attribute_catalogue.events_by_customer([1])[1]
    assert (attribute_catalogue.share(a, events), attribute_catalogue.share(seen("b.e"), events)) == (0.75, 0.5)


def test_figures_of_attributes_that_were_written__wait_longer_than_an_attribute_that_is_new() -> None:
    now = 100.0
    sampler = attribute_sampling.AttributeSampler(clock=lambda: now)

    def taken(*customers: int, **data: Any) -> set[int]:
        for customer in customers:
            sampler.sample(customer, data, at=0)
        return set(sampler.take_due())

    assert taken(1, 2, a=1) == {1, 2}
    now += attribute_sampling.FLUSH_SECONDS
    assert taken(1, 2, a=2) == set()
    assert taken(2, b=2) == {2}
    now += attribute_sampling.KNOWN_SECONDS
    assert taken(2, b=3) == {1, 2}
    assert not sampler.samples


def test_worker_that_goes_to_sleep__keeps_nothing_of_what_it_has_seen(shop: Shop) -> None:
    """An erasure empties examples a few seconds after it was asked for. What was written later would stay."""
    for value in ("first", "second"):
        shop.event(somebody(), {"seen": value})
        stage.drain(0)

    assert seen("seen").examples == ["first", "second"]


def test_empty_keys__are_no_names_at_any_depth(shop: Shop) -> None:
    written(shop, {"": {"b": 1}, "a": {"": {"c": 1}, "d": 3}, "x\ny": 1, "k" * 401: 1})

    assert list(Attribute.objects.values_list("path", flat=True)) == ["a.d"]


def test_bad_path_that_is_enabled__converts_nothing_and_makes_no_bad_row(shop: Shop) -> None:
    shop.attribute("good", "number")
    Attribute.objects.create(customer=shop.customer, path="x", type="number", enabled=True)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE attribute SET path = '.b' WHERE path = 'x'")
    user = somebody()
    written(shop, {"": {"b": "1"}, "good": "2"})
    shop.event(user, {"": {"b": "1"}, "good": "2"})
    shop.absorb()

    assert not BadRow.objects.exists()
    assert shop.profile(user).attributes == {"": {"b": "1"}, "good": 2}


def test_type_that_nobody_fixed__is_what_was_seen_and_mixed_where_it_differs(shop: Shop) -> None:
    written(shop, {"n": 1, "m": 1, "fixed": 1})
    set_attribute(Attribute.objects.get(path="fixed"), type_="string")
    written(shop, {"n": 1.5, "m": "x", "fixed": True})

    assert (type_of("n"), type_of("m"), type_of("fixed")) == ("number", "mixed", "string")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2.5], "number"),
        ([2.5, 1], "number"),
        ([1, 2], "integer"),
        ([1, "x"], "mixed"),
        ([True, 1], "mixed"),
        ([1, {"a": 1}], "mixed"),
        (["x", "y"], "string"),
        ([[1], [2.5]], "number"),
        ([[], [1]], "integer"),
        ([1, None], "mixed"),
    ],
)
def test_type_of_a_list__is_the_least_that_holds_all_its_elements(shop: Shop, value: Any, expected: str) -> None:
    written(shop, {"a": value})

    assert type_of("a") == expected


def test_f34_whole_numbers_seen_first__do_not_decide_what_is_enabled(shop: Shop) -> None:
    user = somebody()
    written(shop, {"amounts": [1], "chosen": 1, "price": 1})
    set_attribute(Attribute.objects.get(path="amounts"), enabled=True)
    set_attribute(Attribute.objects.get(path="price"), enabled=True)
    set_attribute(Attribute.objects.get(path="chosen"), enabled=True, type_="integer")
    assert (type_of("amounts"), type_of("price"), type_of("chosen")) == ("number", "number", "integer")

    shop.event(user, {"amounts": [1, 2.5], "price": 9.99, "chosen": 3})
    shop.absorb()

    assert shop.profile(user).attributes == {"amounts": [1, 2.5], "price": 9.99, "chosen": 3}
    assert shop.bad_rows() == []


def test_integer_that_a_person_chose__stays_when_it_is_enabled_later(shop: Shop) -> None:
    written(shop, {"age": 1})
    set_attribute(Attribute.objects.get(path="age"), type_="integer")
    set_attribute(Attribute.objects.get(path="age"), enabled=True)

    assert type_of("age") == "integer"


def test_examples__are_few_and_short_and_none_of_what_is_personal(shop: Shop) -> None:
    written(shop, *({"a": f"{number}-" + "x" * 100, "mail": f"m{number}"} for number in range(9)))
    assert len(seen("a").examples) == attribute_sampling.EXAMPLES
    assert max(len(example) for example in seen("a").examples) == attribute_sampling.EXAMPLE_LENGTH + 1
    assert seen("mail").examples

    set_attribute(Attribute.objects.get(path="mail"), personal=True)
    assert seen("mail").examples == []
    written(shop, {"mail": "again"})
    assert (seen("mail").examples, seen("mail").events) == ([], 10)


def test_value_that_no_table_can_hold__keeps_no_other_out_of_the_catalogue(shop: Shop) -> None:
    """Its row is a bad one by then; what was seen in it is noted before."""
    written(shop, {"bad": "a\0b"}, {"good": "x"})

    assert len(shop.bad_rows()) == 1
    assert (seen("bad").examples, seen("good").examples) == (["a\N{REPLACEMENT CHARACTER}b"], ["x"])


def test_paths_beyond_the_most__are_counted_and_reported(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (attribute_sampling, attribute_catalogue):
        monkeypatch.setattr(module, "MOST", 10)
    written(shop, {f"k{number}": 1 for number in range(8)})
    for start in (8, 30, 30):
        written(shop, {f"k{number}": 1 for number in range(start, start + 100)})

    told = attribute_catalogue.summary(1)
    assert (told.catalogued, told.most) == (10, 10)
    assert abs(told.left_out - 120) <= 3  # k8 to k129, two of which found room
    assert told.left_out_at is not None


def test_events_beyond_the_sample__still_show_new_paths(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribute_sampling, "SAMPLED_EVENTS", 3)
    written(shop, *({"a": 1} for _ in range(9)), {"a": 1, "rare": {"x": "y"}})

    assert type_of("rare.x") == "string"
    assert (seen("a").events, attribute_catalogue.events_by_customer([1])) == (3, {1: 3})


def test_enabling_and_retyping__converts_what_is_stored_and_asks_the_audiences_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PAGE", 3)
    users = [somebody() for _ in range(12)]
    crowded = [type(one)(int=(one.int >> 8 << 8) | 0x42) for one in users]
    for number, user in enumerate(crowded):
        shop.event(user, {"amount": f"{number}00" if number else "plenty", "rest": "x"})
    shop.absorb()
    shop.attribute("amount", "integer")
    buyers = shop.audience("buyers", rule("attribute.amount", ">", 500))
    assert shop.members(buyers) == set(crowded[6:])
    assert shop.profile(crowded[3]).attributes == {"amount": 300, "rest": "x"}
    assert shop.profile(crowded[0]).attributes == {"amount": "plenty", "rest": "x"}


def test_retyping__moves_members_of_audiences_that_do_not_stand_on_it_only_by_name(shop: Shop) -> None:
    user = somebody()
    flag = shop.attribute("flag", "mixed")
    shop.event(user, {"flag": "yes"})
    shop.absorb()
    flagged = shop.audience("flagged", rule("attribute.flag", "=", True))
    assert shop.members(flagged) == set()

    Attribute.objects.filter(id=flag.id).update(type="boolean")
    set_attribute(flag, enabled=True)
    shop.absorb()

    assert shop.members(flagged) == {user}


def test_time_in_milliseconds__that_was_taken_for_seconds__is_read_again_by_the_migration(shop: Shop) -> None:
    user = somebody()
    shop.attribute("at", "time")
    shop.event(user, {"at": 1710010112})
    shop.absorb()
    migration = import_module("profiles.migrations.0014_times_by_size")
    with connection.cursor() as cursor:
        cursor.execute("""UPDATE profile SET attributes = '{"at": 1710010112345}'""")
        cursor.execute(migration.CONVERT)
    shop.absorb()

    assert shop.profile(user).attributes == {"at": 1710010112.345}


def test_merged_profile__that_was_not_converted_yet__is_converted_on_its_way(shop: Shop) -> None:
    older, younger = somebody(), somebody()
    shop.event(older)
    shop.absorb()
    shop.event(younger, {"amount": "7"}, ids=[("device:devid_g", "g")])
    shop.event(older, ids=[("device:devid_g", "g")])
    shop.absorber.absorb()
    shop.attribute("amount", "integer")
    shop.absorb()

    assert shop.profile(older).attributes == {"amount": 7}


def test_value_that_does_not_convert__is_there_once_the_type_is_fixed_and_its_row_replayed(shop: Shop) -> None:
    user, now = somebody(), now_ms()
    size = shop.attribute("size", "integer")
    shop.event(user, {"size": "XL", "city": "Bonn"}, at=now - 5_000)
    shop.event(user, {"size": "12"}, at=now - 9_000)
    shop.absorb()
    assert shop.profile(user).attributes == {"size": 12, "city": "Bonn"}
    (bad,) = shop.bad_rows()
    assert (bad.customer_id, bad.bucket) == (1, buckets.of_user(user))
    assert bad.reason == "attribute size: the value does not convert to its type"
    assert b"XL" in bytes(bad.body or b"")

    assert replay_all(BadRow.objects.filter(customer_id=1)) == 1  # not mended yet
    shop.absorb()
    assert len(shop.bad_rows()) == 1
    set_attribute(size, type_="string")
    assert replay_all(BadRow.objects.filter(reason__contains="size")) == 1
    shop.absorb()

    assert shop.profile(user).attributes == {"size": "XL", "city": "Bonn"}
    assert shop.total(user) == 2
    assert shop.bad_rows() == []


@pytest.mark.parametrize("nothing", ["", [], {}, None])
def test_empty_value__of_a_typed_attribute__changes_nothing_and_is_no_fault(shop: Shop, nothing: Any) -> None:
    shop.attribute("age", "integer")
    shop.attribute("home.floor", "integer")
    user = somebody()
    shop.event(user, {"age": 7})
    shop.event(user, {"age": nothing, "home": {"floor": nothing, "city": "Bern"}})
    shop.absorb()
    found = shop.profile(user).attributes
    assert (found["age"], found["home"]["city"], shop.bad_rows()) == (7, "Bern", [])
