"""F38: a missing value fulfils a negative condition. Whoever asks how many that describes is told, with a way out."""

import json
import time
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User

from core.models import ApiKey
from tests.support.api_caller import Caller, caller
from tests.support.console_people import browser_of
from tests.support.shop import Rule, Shop, rule, somebody
from tests.support.tables import db

__all__ = ["db"]

RULE = rule("attribute.bought", "notWithinLast", "P180D")
KNOWN = {"field": "attribute.bought", "operator": "notNull"}


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    """Three who never bought, one who bought long ago, and one who bought just now."""
    shop = Shop()
    shop.attribute("bought", "time")
    for bought in (None, None, None, 1_000_000_000, int(time.time())):
        shop.event(somebody(), {"seen": 1} if bought is None else {"bought": bought})
    shop.absorb()
    yield shop
    shop.absorber.close()


@pytest.mark.usefixtures("shop")
def test_f38__estimate_of_a_negative_condition__says_how_many_have_no_value_and_offers_the_others() -> None:
    admin = caller(ApiKey.Role.ADMIN)
    found = _estimate(admin, RULE)

    assert (found["estimate"], found["without_value"]["estimate"]) == (4, 3)
    assert found["text"].endswith("is not within the last 180 days, includes 3 without a value")
    assert found["only_where_known"]["rules"] == [*RULE["rules"], KNOWN]

    known = _estimate(admin, found["only_where_known"])
    assert (known["estimate"], known["without_value"]["estimate"], known["only_where_known"]) == (1, 0, None)
    assert "without a value" not in known["text"]


@pytest.mark.usefixtures("shop")
def test_f38__console__says_the_same_and_offers_the_rule_for_the_others() -> None:
    boss = User.objects.create(username="boss", is_staff=True, is_superuser=True)
    page = browser_of(boss).post("/audiences/estimate/", {"customer": 1, "rule": json.dumps(RULE)}).content.decode()
    boss.delete()

    assert "includes 3 without a value" in page
    assert "Only where known" in page
    offered = unescape(page.partition('data-rule="')[2].partition('"')[0])
    assert json.loads(offered)["rules"] == [*RULE["rules"], KNOWN]


@pytest.mark.usefixtures("shop")
def test_f38__difference_of_a_saved_audience__tells_it_too() -> None:
    admin = caller(ApiKey.Role.ADMIN)
    made = admin.post("audiences/", {"customer": 1, "name": "Lapsed", "rule": RULE}).body

    told = admin.post(f"audiences/{made['id']}/difference/", {"rule": RULE}).body

    assert told["without_value"]["estimate"] == 3
    assert told["only_where_known"]["rules"] == [*RULE["rules"], KNOWN]


def _estimate(admin: Caller, asked: Rule) -> dict[str, Any]:
    answer = admin.post("audiences/estimate/", {"customer": 1, "rule": asked})
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.body
    return found
