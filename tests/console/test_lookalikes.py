"""The console's page of a lookalike: made there, its curve drawn, a point of it chosen."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from audiences.models import Audience, AudienceBucket
from core.models import Customer
from lookalikes.models import LookalikeModel, LookalikeRun
from tests.api.test_lookalikes import FIGURES, SCORING

ADD = "/lookalikes/lookalike/add/"
POLLED = 'hx-select="#lookalike"'


@pytest.fixture
def seed(db: None) -> Audience:
    shop = Customer.objects.create(m=1, name="<b>Shop</b>")
    rule = {"combinator": "and", "rules": [{"field": "dimension._os", "operator": "=", "value": "x"}]}
    seed = Audience.objects.create(customer=shop, name="<i>Buyers</i>", rule=rule, status="live")
    AudienceBucket.objects.create(bucket=0, audience_id=seed.pk, version=1, size=150)
    return seed


def form(seed: Audience, **more: str) -> dict[str, str]:
    return {
        "customer": "1",
        "name": "More",
        "seed": str(seed.pk),
        "percent": "5",
        "people": "",
        "retrain_days": "7",
    } | more


def made(console: Client, seed: Audience) -> Audience:
    answer = console.post(ADD, form(seed))
    assert answer.status_code == 302
    return Audience.objects.get(kind="lookalike")


def test_page__makes_a_lookalike_and_shows_that_it_is_under_way(console: Client, seed: Audience) -> None:
    assert console.get(ADD).status_code == 200
    row = made(console, seed)
    assert (row.seed_id, row.reach, row.retrain_days) == (seed.pk, {"percent": 5.0}, 7)
    page = console.get(f"/lookalikes/lookalike/{row.pk}/change/").content.decode()
    assert "It learns as soon as" in page
    assert POLLED in page
    assert "<i>Buyers</i>" not in page
    onward: Any = console.get(f"/audiences/audience/{row.pk}/change/")
    assert onward.url == f"/lookalikes/lookalike/{row.pk}/change/"
    assert "More" in console.get("/lookalikes/lookalike/").content.decode()


@pytest.mark.parametrize(
    ("change", "told"),
    [({"people": "9"}, "one of the two"), ({"percent": ""}, "one of the two"), ({"percent": "30"}, "must be")],
)
def test_page__that_cannot_be__says_why(console: Client, seed: Audience, change: dict[str, str], told: str) -> None:
    answer = console.post(ADD, form(seed, **change))
    assert told in answer.content.decode()
    assert not Audience.objects.filter(kind="lookalike").exists()


def test_page__seed_too_small__says_so(console: Client, seed: Audience) -> None:
    AudienceBucket.objects.update(size=99)
    assert "has 99 members" in console.post(ADD, form(seed)).content.decode()


def test_page__draws_the_curve_and_takes_a_point_of_it(console: Client, seed: Audience) -> None:
    row = made(console, seed)
    LookalikeModel.objects.create(
        audience=row, number=1, random_state=0, figures=FIGURES, made_at=datetime.now(UTC), content=b"x"
    )
    Audience.objects.filter(id=row.pk).update(model_number=1, threshold=0.0)
    LookalikeRun.objects.update(figures=SCORING, score_at=None, train_at=None)
    address = f"/lookalikes/lookalike/{row.pk}/change/"

    page = console.get(address).content.decode()
    assert "city is Harbour" in page
    assert "0.710" in page
    assert page.count("hub-chart-dot") == 2
    assert page.count("hub-chart-chosen") == 1
    assert POLLED not in page
    assert 'href="?percent=20#id_percent"' in page
    assert 'value="20.0"' in console.get(f"{address}?percent=20").content.decode()

    assert console.post(address, form(seed, percent="20")).status_code == 302
    row.refresh_from_db()
    assert row.reach == {"percent": 20.0}
    assert LookalikeRun.objects.get(audience=row).score_at is not None
