"""Analysts' keys see figures and settings, and no personal data."""

import base64
import uuid
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from activation.models import Batch, DeadLetter
from audiences.models import Audience
from core.inbox import InboxKind
from core.models import BadRow, Customer
from integrations.models import Platform
from profiles.models import Attribute, AttributeStatistics
from tests.support.api_caller import caller

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
USER = uuid.UUID("5b0d4c3e-9f63-4d25-8c0e-30f2a6c1d7aa")
SECRET = "person-77"


@pytest.fixture
def known(shop: Customer, platform: Platform, audience: Audience) -> list[str]:
    """Something personal behind each of these addresses."""
    attribute = Attribute.objects.create(customer=shop, path="Age")
    seen = {"first_seen": NOW, "last_seen": NOW, "events": 1}
    AttributeStatistics.objects.create(attribute_id=attribute.pk, examples=[SECRET], **seen)
    BadRow.objects.create(
        bucket=3,
        id=4,
        customer_id=1,
        kind=InboxKind.EVENT,
        query=b"{}",
        body=SECRET.encode(),
        reason="broken",
        received_at=NOW,
        failed_at=NOW,
    )
    DeadLetter.objects.create(
        bucket=1,
        activation_id=1,
        platform_id=platform.pk,
        platform_user_id=SECRET,
        user_id=USER,
        operation="add",
        attempts=1,
        died_at=NOW,
        reason="gone",
    )
    Batch.objects.create(
        bucket=1,
        id=uuid.uuid4(),
        platform_id=platform.pk,
        operation="add",
        status="done",
        rows=5,
        started_at=NOW,
        request_excerpt=SECRET,
    )
    return ["attributes/", "bad-rows/", "dead-letters/", "batches/"]


def test_lists__read_by_an_analyst__leave_personal_data_out(known: list[str], shop: Customer) -> None:
    for address in known:
        shown = caller("analyst", shop).get(address)
        assert shown.status == 200
        assert len(shown.body["results"]) == 1, address
        assert SECRET not in str(shown.body), address
        assert SECRET in str(caller("marketer", shop).get(address).body), address


def test_calls_about_single_users__by_an_analyst__are_403(
    shop: Customer, platform: Platform, audience: Audience
) -> None:
    analyst = caller("analyst", shop)

    for address in (
        f"users/{USER}/",
        f"users/{USER}/export/",
        f"audiences/{audience.pk}/members/",
        f"audiences/{audience.pk}/explain/?user_id={USER}",
        f"mappings/?platform={platform.pk}",
        "hot-ids/",
    ):
        assert analyst.get(address).status == 403, address


def test_rules_of_an_analysts_own__which_could_single_out_anybody__are_not_counted(
    shop: Customer, audience: Audience
) -> None:
    begins = {"combinator": "and", "rules": [{"field": "attribute.email", "operator": "beginsWith", "value": "b"}]}
    analyst = caller("analyst", shop)

    assert analyst.post("audiences/estimate/", {"customer": shop.m, "rule": begins}).status == 403
    assert analyst.post(f"audiences/{audience.pk}/difference/", {"rule": begins}).status == 403


def test_pages__of_an_analyst__name_nobody_and_begin_only_where_one_ended(shop: Customer, platform: Platform) -> None:
    letters = [letter(platform, f"person-{number}") for number in range(3)]
    DeadLetter.objects.bulk_create(letters)
    analyst = caller("analyst", shop)
    plain = caller("marketer", shop).get("dead-letters/?page_size=1").body["next"].rpartition("cursor=")[2]

    pages = [analyst.get("dead-letters/?page_size=1")]
    while pages[-1].body["next"]:
        pages.append(analyst.get(pages[-1].body["next"]))

    assert [len(page.body["results"]) for page in pages] == [1, 1, 1]
    assert b"person-0" in base64.urlsafe_b64decode(unquote(plain).split("&")[0])
    cursors = [unquote(page.body["next"].rpartition("cursor=")[2]).split("&")[0] for page in pages[:-1]]
    assert not any(b"person-" in base64.urlsafe_b64decode(cursor) for cursor in cursors)
    assert analyst.get(f"dead-letters/?cursor={plain}").places == [("cursor", "invalid")]
    assert analyst.get(pages[1].body["previous"]).body["results"] == pages[0].body["results"]


def test_filter__by_what_is_personal__is_not_there_for_an_analyst(known: list[str], shop: Customer) -> None:
    assert caller("analyst", shop).get("bad-rows/?reason=person").places == [("reason", "unknown")]
    assert caller("marketer", shop).get("bad-rows/?reason=person").status == 200


def letter(platform: Platform, platform_user_id: str) -> DeadLetter:
    values = {"bucket": 1, "activation_id": 1, "platform_id": platform.pk, "user_id": USER, "operation": "add"}
    return DeadLetter(**values, platform_user_id=platform_user_id, attempts=1, died_at=NOW, reason="gone")
