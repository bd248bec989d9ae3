"""`manage.py generate_profiles`: people who look as if absorb had made them."""

from collections.abc import Iterator
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core import buckets
from core.buckets import BUCKET_LOCKS
from core.database import connect
from local.synthetic import generation, people
from local.synthetic.people import PopulationSettings
from profiles.models import Attribute, Identity, Profile
from profiles.state import DAY_MS
from profiles.user_counts import known_users
from tests.support.shop import Shop, rule
from tests.support.tables import db
from usersync.models import UserMapping
from usersync.services import mapped_users

__all__ = ["db"]

DAY = date(2026, 3, 1)
COUNT = 1_500


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several rounds of several blocks."""
    monkeypatch.setattr(people, "BLOCK", 256)
    monkeypatch.setattr(generation, "BLOCK", 256)
    monkeypatch.setattr(generation, "AT_ONCE", 512)


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.absorber.close()


def generate(count: int = COUNT, m: int = 1, seed: int = 1) -> str:
    said = StringIO()
    call_command("generate_profiles", customer=m, count=count, seed=seed, day=DAY, stdout=said)
    return said.getvalue()


def everything() -> list[Any]:
    rows = Profile.objects.order_by("user_id").values()
    mappings = UserMapping.objects.order_by("user_id", "platform_id").values()
    return [*rows, *mappings, *Identity.objects.order_by("kind", "value").values()]


def test_profiles__of_a_customer_that_is_missing__bring_customer_pixels_and_enabled_attributes(db: None) -> None:
    said = generate(300, m=9)

    assert said.startswith("300 new profiles")
    assert known_users() == {9: 300}
    rows = Attribute.objects.filter(customer_id=9)
    assert all(row.enabled and row.type != Attribute.Type.MIXED for row in rows)
    profile = Profile.objects.filter(customer_id=9).first()
    assert profile is not None
    assert profile.attributes.keys() <= {row.path.partition(".")[0] for row in rows}
    assert profile.attributes["Address"]["City"] == profile.attributes["City"]


def test_profile__as_generated__is_one_that_absorb_could_have_made(shop: Shop) -> None:
    generate()

    for row in Profile.objects.all():
        own_id = row.attributes["UserId"]
        assert row.bucket == buckets.of_user(row.user_id) == buckets.of_value(own_id)
        assert row.user_id.version == 4
        assert row.ids == [["user", own_id]]
        assert shop.named("user", own_id) == row.user_id
        marks = {f"a:{name}" for name in row.attributes} | {f"d:{name}" for name in row.dimensions}
        assert row.times.keys() == marks
        assert row.created_at <= row.updated_at
        for seen in row.activity.values():
            assert sum(seen["days"].values()) == seen["total"]
            assert {seen["first"] // DAY_MS, seen["last"] // DAY_MS} <= {int(day) for day in seen["days"]}
            assert seen["last"] // DAY_MS <= (DAY - date(1970, 1, 1)).days


def test_matches__of_the_customers_platforms__are_in_both_tables_and_in_the_counters(shop: Shop) -> None:
    first, second = shop.platform("ads"), shop.platform("mail")

    generate()

    for platform, share in ((first, 0.62), (second, 0.47)):
        mappings = UserMapping.objects.filter(platform_id=platform.pl)
        assert mappings.count() == mapped_users()[platform.pl]
        assert abs(mappings.count() / COUNT - share) < 0.06
        for mapping in mappings:
            identity = shop.identity(f"platform:{platform.pl}", mapping.platform_user_id)
            assert (identity.user_id, identity.epoch) == (mapping.user_id, mapping.epoch)


def test_same_seed__again__adds_nothing_and_a_larger_count_only_the_rest(shop: Shop) -> None:
    shop.platform()
    generate(700)
    before = everything()

    assert generate(700).startswith("0 new profiles, 700")
    assert everything() == before
    assert generate(COUNT).startswith("800 new profiles, 700")
    assert [row for row in everything() if row in before] == before
    assert known_users() == {1: COUNT}


def test_same_seed__in_an_empty_hub__makes_the_same_people_and_another_seed_makes_others() -> None:
    one, other = (PopulationSettings(1, seed, "UserId", [1, 2], DAY) for seed in (1, 2))

    assert list(people.people(one, 3)) == list(people.people(one, 3))
    assert {p.user_id for p in people.people(one, 0)}.isdisjoint(p.user_id for p in people.people(other, 0))


def test_run__that_was_ended_in_the_middle__is_completed_by_another(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = shop.platform()

    def fail(*_: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("local.synthetic.loading._mapping", fail)
        with pytest.raises(KeyboardInterrupt):
            generate()
    generate()

    mapped = UserMapping.objects.count()
    assert (Profile.objects.count(), known_users(), mapped_users()) == (COUNT, {1: COUNT}, {platform.pl: mapped})


def test_audience__that_is_there_already__holds_the_generated_people_once_absorbed(shop: Shop) -> None:
    shop.attribute("Age", "integer")
    audience = shop.audience("young", rule("attribute.Age", "<", 30))

    said = generate()
    shop.absorb()

    assert "young" in said
    young = {row.user_id for row in Profile.objects.all() if row.attributes["Age"] < 30}
    assert shop.members(audience) == young
    assert 0 < len(young) < COUNT


def test_event__of_a_generated_person__goes_to_that_person(shop: Shop) -> None:
    generate(10)
    person = Profile.objects.first()
    assert person is not None
    before = person.activity[str(shop.pixel.pk)]["total"]

    shop.event(ids=[("user", person.attributes["UserId"])], data={"City": "Oslo"})
    shop.absorb()

    after = shop.profile(person.user_id)
    assert (after.attributes["City"], after.activity[str(shop.pixel.pk)]["total"]) == ("Oslo", before + 1)


def test_attribute__fixed_to_another_type__is_a_clear_refusal(shop: Shop) -> None:
    shop.attribute("Age", "string")

    with pytest.raises(CommandError, match="attribute Age is a string here"):
        generate(10)


def test_bucket__in_other_hands__is_written_once_it_is_free(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = connect(durable=False)
    holder.execute("SELECT pg_advisory_lock(%s, 7)", [BUCKET_LOCKS])
    waited: list[int] = []

    def let_go(_: float) -> None:
        waited.append(Profile.objects.filter(bucket=7).count())
        holder.execute("SELECT pg_advisory_unlock(%s, 7)", [BUCKET_LOCKS])

    monkeypatch.setattr("local.synthetic.loading.time.sleep", let_go)
    generate()
    holder.close()

    assert waited
    assert set(waited) == {0}
    assert Profile.objects.count() == COUNT
