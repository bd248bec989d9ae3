"""The one filter of what is read for a key or a person."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps

from activation.models import Activation, Batch
from audiences.models import Audience, AudienceVersion
from core.models import Customer, Inbox
from core.scope import EVERYTHING, NOTHING, OutOfScopeError, Scope, UnscopedModelError, has_customer
from integrations.models import Platform
from profiles.models import Attribute, AttributeStatistics

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OURS = {"activation", "audiences", "core", "integrations", "lookalikes", "pipeline", "profiles", "usersync"}
# rows that belong to no customer: the hub's own, of every customer, or under way
NOBODYS = {
    *("AbsorbRun", "ConfigurationVersion", "FoundId", "Inbox", "OptOut", "ReplayedBucket", "RetentionRun"),
    *("SegmentNumber", "SharedValue", "UsedNumber"),
    # people and what invites them are seen by `core.people.members` and `core.people.invitations`
    *("EndedSessions", "Invitation"),
}


def rows_of_two_customers() -> None:
    for m in (1, 2):
        customer = Customer.objects.create(m=m, name=f"C{m}")
        platform = Platform.objects.create(pl=m * 10, customer=customer, name="Ads", connector="none")
        audience = Audience.objects.create(pk=m * 10, customer=customer, name="A", rule={}, status="live")
        Activation.objects.create(pk=m * 10, audience=audience, platform=platform)
        AudienceVersion.objects.create(pk=m * 10, audience=audience, version=1, change="made", by="a test", at=NOW)
        attribute = Attribute.objects.create(pk=m * 10, customer=customer, path="age")
        AttributeStatistics.objects.create(attribute_id=attribute.pk, first_seen=NOW, last_seen=NOW)
        Batch.objects.create(
            bucket=0, id=uuid4(), platform_id=m * 10, operation="add", status="done", rows=m, started_at=NOW
        )


@pytest.mark.django_db
def test_rows__by_every_way_to_a_customer__are_those_of_the_scope() -> None:
    rows_of_two_customers()

    for model in (Customer, Platform, Audience, Activation, AudienceVersion, Attribute, AttributeStatistics, Batch):
        rows: Any = model
        first = Scope.of_customer(1).of(rows)
        assert (first.count(), EVERYTHING.of(rows).count(), NOTHING.of(rows).count()) == (1, 2, 0), model
        assert Scope(frozenset({1, 2, 3})).of(rows).count() == 2
    assert Scope.of_customer(1).of(Batch).get().platform_id == 10
    assert Scope.of_customer(2).of(AttributeStatistics).get().attribute_id == 20


def test_customer__outside_of_the_scope__is_refused() -> None:
    assert (Scope.of_customer(1).checked(1), EVERYTHING.checked(7)) == (1, 7)
    for scope in (Scope.of_customer(1), NOTHING):
        with pytest.raises(OutOfScopeError):
            scope.checked(2)
    assert (Scope.of_customer(1).sees(None), EVERYTHING.sees(None)) == (False, True)
    assert (Scope.of_customer(1).only, EVERYTHING.only, Scope(frozenset({1, 2})).only, NOTHING.only) == (1, *[None] * 3)


def test_model__without_a_customer__cannot_be_read_by_a_scope() -> None:
    with pytest.raises(UnscopedModelError):
        Scope.of_customer(1).of(Inbox)
    with pytest.raises(UnscopedModelError):
        EVERYTHING.of(Inbox)


def test_every_table__leads_to_its_customer__or_is_known_to_have_none() -> None:
    models = [model for model in apps.get_models() if model._meta.app_label in OURS]

    assert {model.__name__ for model in models if not has_customer(model)} == NOBODYS
