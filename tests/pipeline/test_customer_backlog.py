"""`pipeline/` for a key of one customer: what is to be done for that customer, and nothing of others."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from activation.models import Activation
from audiences.messages import BuildAudience
from audiences.models import Audience, Membership
from core import buckets
from core.inbox import InboxKind
from core.messages import Event
from core.models import Customer
from core.scope import EVERYTHING, Scope
from pipeline import backlog, customer_backlog
from tests.support.shop import Shop, now_ms, somebody

OURS, THEIRS, ALL = Scope.of_customer(1), Scope.of_customer(2), Scope(frozenset({1, 2}))


def waiting(scope: Scope) -> int:
    return backlog.counts(scope)["inbox"]


def append(shop: Shop, customer: int) -> None:
    event = Event(customer, shop.pixel.id, now_ms(), str(user := somebody()), True)
    shop.append(buckets.of_user(user), InboxKind.EVENT, msgspec.json.encode(event))


def test_inbox__is_counted_by_customer__also_where_a_row_names_an_audience_only(shop: Shop) -> None:
    rival = Customer.objects.create(m=2, name="Rival")
    audience = Audience.objects.create(customer=rival, name="A", rule={}, status=Audience.Status.BUILDING)
    append(shop, 1)
    for _ in range(3):
        append(shop, 2)
    shop.append(7, InboxKind.BUILD, msgspec.json.encode(BuildAudience(audience.pk, 1)))
    shop.append(7, InboxKind.OPT_OUT, b'{"user":"x","at":1}')
    shop.append(7, InboxKind.EVENT, b"no JSON")

    assert [waiting(scope) for scope in (OURS, THEIRS, ALL, EVERYTHING)] == [1, 4, 5, 7]
    assert [backlog.counts(scope)["building"] for scope in (OURS, THEIRS)] == [0, 1]


def test_rechecks_and_deliveries__are_counted_by_customer(shop: Shop, ads: Any, buyers: Activation) -> None:
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.sync(user, ads, "x1")
    shop.absorb()
    theirs = {"bucket": 3, "user_id": user, "customer_id": 2, "audience_id": 9_999, "member": True}
    at = datetime.now(UTC) - timedelta(hours=1)
    Membership.objects.create(**theirs, since=at, look_again_at=at)

    ours, others = backlog.counts(OURS), backlog.counts(THEIRS)

    assert (ours["deliveries_due"], others["deliveries_due"]) == (1, 0)
    assert (ours["rechecks_due"], others["rechecks_due"]) == (0, 1)


def test_nothing__is_not_said_where_not_all_could_be_looked_at(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customer_backlog, "MOST_READ", 3)
    for _ in range(3):
        append(shop, 2)

    assert (waiting(OURS), waiting(THEIRS)) == (1, 3)
