"""Configuration in the stages: compiled by customer, only where it has changed; what is broken concerns nobody else."""

import logging
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.fernet import Fernet
from django.db import connection, transaction

from audiences import services as audiences
from audiences.compiled import CompiledAudience
from audiences.models import Audience
from core.configuration import ConfigurationVersion
from core.database import connect
from core.keys import KeyRing
from core.models import ConfigurationProblem, Customer
from core.user_ids import new as new_user
from integrations.models import Platform
from pipeline import catalogue
from pipeline.sweeper import Sweeper
from profiles.models import Attribute, Pixel
from tests.support.shop import Shop, rule, somebody

TENANTS = 10
RULES = 4


def compiled() -> dict[int, CompiledAudience]:
    """Every audience in force, as a batch under its locks would find it now, by id."""

    def read() -> dict[int, CompiledAudience]:
        with connect(durable=False) as own, own.cursor(binary=True) as cursor:
            known = catalogue.current(cursor).audiences
            found = [known.all_of(customer).audiences for customer in Customer.objects.values_list("m", flat=True)]
        return {audience.id: audience for of in found for audience in of}

    return catalogue.run(read)


def tenant(m: int) -> Customer:
    customer = Customer.objects.create(m=m, name=f"tenant {m}")
    Attribute.objects.create(customer=customer, path="city", type="string", enabled=True)
    pixel = Pixel.objects.create(customer=customer, name="page")
    for number in range(RULES):
        counted = rule(f"pixel.{pixel.id}.count", ">", number)
        asked = rule("attribute.city", "=", str(number)) if number % 2 else counted
        audiences.create_audience(customer, f"audience {number}", asked)
    return customer


@pytest.fixture
def tenants(db: None) -> list[Customer]:
    return [tenant(m) for m in range(1, TENANTS + 1)]


def newly_compiled(before: dict[int, CompiledAudience]) -> set[int]:
    return {key for key, audience in compiled().items() if audience is not before.get(key)}


def test_one_tenants_rule_changed__of_all_tenants_only_that_rule_is_compiled_again(tenants: list[Customer]) -> None:
    before = compiled()
    assert len(before) == TENANTS * RULES

    changed = Audience.objects.filter(customer=tenants[7]).latest("id")
    audiences.change_rule(changed, rule("attribute.city", "=", "Berlin"))

    assert newly_compiled(before) == {changed.id}


def test_attribute_retyped__only_the_rules_that_name_it_are_compiled_again(tenants: list[Customer]) -> None:
    before = compiled()

    Attribute.objects.filter(customer=tenants[7]).update(type="mixed")

    naming = Audience.objects.filter(customer=tenants[7], rule__icontains="attribute.city")
    assert newly_compiled(before) == set(naming.values_list("id", flat=True))


def test_version_raised_by_a_bare_statement__everything_is_read_and_only_changes_are_compiled(
    tenants: list[Customer],
) -> None:
    before = compiled()
    changed = Audience.objects.filter(customer=tenants[3]).latest("id")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE audience SET ttl = 'P1D' WHERE id = %s", [changed.id])
        cursor.execute("UPDATE configuration_version SET version = version + 1")

    assert newly_compiled(before) == {changed.id}


def test_tenant_deleted__is_gone_from_what_is_compiled(tenants: list[Customer]) -> None:
    before = compiled()

    tenants[3].delete()

    assert len(compiled()) == len(before) - RULES


def test_rows_changed_through_a_queryset_that_was_read__are_read_again(shop: Shop) -> None:
    shop.attribute("city", "string")
    rows = Attribute.objects.filter(customer=shop.customer)
    assert [row.name for row in rows] == [""]

    rows.update(name="town")

    assert [row.name for row in rows] == ["town"]


def test_audience_built_everywhere__does_not_raise_the_version(shop: Shop) -> None:
    built = shop.audience("seen", rule(f"pixel.{shop.pixel.id}.count", ">", 1))
    before = ConfigurationVersion.objects.get().version
    assert audiences.finish_builds() == 1

    assert Audience.objects.get(id=built.id).status == Audience.Status.LIVE
    assert ConfigurationVersion.objects.get().version == before


def test_attribute_seen_for_the_first_time__does_not_raise_the_version(shop: Shop) -> None:
    shop.event(somebody(), {"city": "Bonn", "n": 1})
    before = ConfigurationVersion.objects.get().version
    shop.absorb()

    assert {one.path for one in Attribute.objects.filter(customer=shop.customer)} == {"city", "n"}
    assert ConfigurationVersion.objects.get().version == before


def test_rule_changed_after_it_was_compiled__the_next_event_is_judged_by_the_new_one(shop: Shop) -> None:
    shop.attribute("city", "string")
    here = shop.audience("here", rule("attribute.city", "=", "Bonn"))
    shop.event(somebody(), {"city": "Bonn"})
    shop.absorb()

    with transaction.atomic(), connection.cursor() as cursor:  # no build follows that would repair it
        changed = msgspec.json.encode(rule("attribute.city", "=", "Rome")).decode()
        cursor.execute("UPDATE audience SET rule = %s WHERE id = %s", [changed, here.id])
        ConfigurationVersion.raise_([shop.customer.m])
    roman = somebody()
    shop.event(roman, {"city": "Rome"})
    shop.absorb()

    assert roman in shop.members(here)


def test_tenant_created_by_another_process__its_first_events_are_absorbed(shop: Shop) -> None:
    shop.event(somebody())
    shop.absorb()
    other = tenant(2)
    shop.customer, shop.pixel = other, Pixel.objects.get(customer=other)
    seen = Audience.objects.get(customer=other, name="audience 0")
    user = somebody()
    shop.event(user)
    shop.absorb()

    assert shop.members(seen) == {user}


# ── what is broken ───────────────────────────────────────────────────────────────────────────────────


def sql(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        ConfigurationVersion.raise_()


def broken_audience(other: Customer) -> str:
    return f"audience {Audience.objects.filter(customer=other).earliest('id').id}"


def ads(other: Customer) -> Platform:
    call = {"method": "POST", "url": "http://ads.invalid/", "body": [{"id": "{{userid}}"}]}
    settings = {"add": call, "id_source": "own"}
    platform = Platform.objects.create(customer=other, name="ads", connector="http", settings=settings)
    audience = Audience.objects.filter(customer=other).earliest("id")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO activation (audience_id, platform_id, settings, status, last_error, possible_orphan,"
            " broken_by, created_at) VALUES (%s, %s, '{}', 'live', '', '', '', now())",
            [audience.id, platform.pl],
        )
    return platform


def no_connector(other: Customer) -> str:
    platform = ads(other)
    sql("UPDATE platform SET connector = 'gone' WHERE pl = %s", platform.pl)
    return f"platform {platform.pl}"


def no_key(other: Customer) -> str:
    platform = ads(other)
    foreign = KeyRing([Fernet.generate_key().decode()]).seal({"type": "basic"})
    sql("UPDATE platform SET credentials = %s, sync_secrets = %s WHERE pl = %s", foreign, foreign, platform.pl)
    return f"platform {platform.pl}"


def wrong_settings(other: Customer) -> str:
    platform = ads(other)
    sql("""UPDATE platform SET settings = '{"add": 1, "old": true}' WHERE pl = %s""", platform.pl)
    return f"platform {platform.pl}"


def wrong_limits(other: Customer) -> str:
    platform = ads(other)
    sql("UPDATE platform SET limits = '[1]' WHERE pl = %s", platform.pl)
    return f"platform {platform.pl}"


def wrong_activation(other: Customer) -> str:
    platform = ads(other)
    activation = platform.activations.get()
    sql("UPDATE activation SET settings = '[1]' WHERE id = %s", activation.id)
    return f"activation {activation.id}"


def wrong_path(other: Customer) -> str:
    sql("UPDATE attribute SET path = 'a..b' WHERE customer_id = %s", other.m)
    return f"attribute {Attribute.objects.get(customer=other).id}"


def wrong_type(other: Customer) -> str:
    sql("UPDATE attribute SET type = 'colour' WHERE customer_id = %s", other.m)
    return f"attribute {Attribute.objects.get(customer=other).id}"


def wrong_rule(other: Customer) -> str:
    sql("""UPDATE audience SET rule = '{"rules": [1, {"field": []}]}' WHERE customer_id = %s""", other.m)
    return broken_audience(other)


def no_rule(other: Customer) -> str:
    sql("UPDATE audience SET rule = 'null' WHERE customer_id = %s", other.m)
    return broken_audience(other)


def wrong_ttl(other: Customer) -> str:
    sql("UPDATE audience SET ttl = 'soon' WHERE customer_id = %s", other.m)
    return broken_audience(other)


def asks_itself(other: Customer) -> str:
    row = Audience.objects.filter(customer=other).earliest("id")
    asked = msgspec.json.encode(rule("audience", "in", row.id)).decode()
    sql("UPDATE audience SET rule = %s WHERE id = %s", asked, row.id)
    return broken_audience(other)


def no_model(other: Customer) -> str:
    seed = Audience.objects.filter(customer=other).earliest("id")
    row = Audience.objects.create(
        customer=other, name="alike", kind="lookalike", seed=seed, reach={"people": 5}, status="live"
    )
    sql(
        "INSERT INTO lookalike_model (audience_id, number, random_state, content, refusal, figures, made_at)"
        " VALUES (%s, 1, 0, '\\x0102', '', '{}', now())",
        row.id,
    )
    sql("UPDATE audience SET model_number = 1, threshold = 0 WHERE id = %s", row.id)
    return f"audience {row.id}"


BREAKS = [
    *(no_connector, no_key, wrong_settings, wrong_limits, wrong_activation, wrong_path, wrong_type, wrong_rule),
    *(no_rule, wrong_ttl, asks_itself, no_model),
]


def problems() -> set[str]:
    return {f"{row.subject} {row.number}" for row in ConfigurationProblem.objects.all()}


@pytest.mark.parametrize("break_", BREAKS)
def test_configuration_of_a_tenant_is_broken__others_and_its_own_events_are_absorbed_and_it_says_so_once(
    shop: Shop, break_: Callable[[Customer], str], caplog: pytest.LogCaptureFixture
) -> None:
    seen = shop.audience("seen", rule(f"pixel.{shop.pixel.id}.count", ">=", 1))
    other = tenant(2)
    shop.absorb()
    broken = break_(other)
    caplog.set_level(logging.WARNING)
    ours, theirs = new_user(7), new_user(7)
    shop.event(ours, {"city": "Bonn", "a": {"b": 1}})
    shop.absorb()
    mine, shop.customer, shop.pixel = shop.customer, other, Pixel.objects.get(customer=other)
    shop.event(theirs, {"city": "Bonn", "a": {"b": 1}})
    shop.absorb()
    shop.customer = mine

    assert shop.bad_rows() == []
    assert shop.members(seen) == {ours}
    assert broken in problems()
    Sweeper().sweep()
    assert sum(f"{broken} of customer 2" in line for line in caplog.messages) == 1


def test_rule_can_be_evaluated_again__members_are_those_who_should_have_entered_meanwhile(shop: Shop) -> None:
    shop.attribute("city", "string")
    here = shop.audience("here", rule("attribute.city", "=", "Bonn"))
    sql("UPDATE attribute SET type = 'colour'")
    user = somebody()
    shop.event(user, {"city": "Bonn"})
    shop.absorb()
    assert shop.members(here) == set()
    assert f"audience {here.id}" in problems()

    sql("UPDATE attribute SET type = 'string'")
    Sweeper().sweep()
    shop.absorb()

    assert shop.members(here) == {user}
    assert problems() == set()


def test_rule_of_another_tenant_is_broken__audiences_can_be_changed_and_deleted(shop: Shop) -> None:
    seen = shop.audience("seen", rule(f"pixel.{shop.pixel.id}.count", ">=", 1))
    wrong_rule(tenant(2))

    audiences.change_rule(seen, rule(f"pixel.{shop.pixel.id}.count", ">=", 2))
    audiences.delete_audience(seen)

    assert not Audience.objects.filter(id=seen.id).exists()
