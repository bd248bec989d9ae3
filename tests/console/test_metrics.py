"""`/metrics` of the console: the state that each thing is in, for whoever holds the token."""

from typing import Any

import pytest
from django.test import Client

from console import metrics
from core.models import Customer
from integrations.models import Platform
from profiles.models import Pixel

TOKEN = "scrape-me"


@pytest.fixture
def shop(db: None, settings: Any) -> Customer:
    settings.METRICS_TOKEN = TOKEN
    metrics._kept.clear()
    return Customer.objects.create(m=1, name="Shop")


def scraped(authorization: str) -> tuple[int, str]:
    answer = Client().get("/metrics", headers={"Authorization": authorization})
    return answer.status_code, answer.content.decode()


def test_metrics__with_the_token__say_the_state_of_each_thing(shop: Customer) -> None:
    Pixel.objects.create(id=7, customer=shop, name="Front page")
    Platform.objects.create(pl=3, customer=shop, name="Ads", connector="http", settings={})

    status, text = scraped(f"Bearer {TOKEN}")

    assert status == 200
    assert 'dmphub_health{customer="1",id="7",kind="pixel",state="idle"} 1.0' in text
    assert 'dmphub_health{customer="1",id="7",kind="pixel",state="ok"} 0.0' in text
    assert 'kind="platform",state="' in text


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", TOKEN])
def test_metrics__without_the_token__are_not_there(shop: Customer, authorization: str) -> None:
    assert scraped(authorization)[0] == 404


def test_metrics__where_no_token_is_set__are_nobodys(shop: Customer, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert scraped("Bearer ")[0] == 404
