"""Lookalikes by API: what is asked for is learnt, what cannot be is refused with its place, figures are told."""

from datetime import UTC, datetime
from typing import Any

import pytest

from audiences import services as audiences
from audiences.models import Audience, AudienceBucket
from core.models import Customer
from lookalikes.models import LookalikeModel, LookalikeRun
from profiles.models import Attribute
from tests.support.api_caller import Caller

FIGURES = {
    "auc": 0.71,
    "population": 1000,
    "seed": 200,
    "features": 9,
    "excluded": {"keen": "decides about the seed"},
    "influences": [{"feature": "city is Harbour", "weight": 1.5, "share": 0.3}],
    "curve": [
        {"percent": 1, "people": 10, "lift": 3.0, "captured": 0.03},
        {"percent": 20, "people": 200, "lift": 2.0, "captured": 0.4},
    ],
}
SCORING = {
    "model": 1,
    "at": "2026-03-01T00:02:00+00:00",
    "population": 1000,
    "reached": 105,
    "seed": 200,
    "overlap": 40,
    "drift": 0.01,
    "deciles": [],
    "first": [],
}


@pytest.fixture
def seed(audience: Audience) -> Audience:
    """Of 200 members."""
    AudienceBucket.objects.create(bucket=0, audience_id=audience.pk, version=1, size=200)
    return audience


@pytest.fixture
def lookalike(admin: Caller, seed: Audience) -> Audience:
    answer = admin.post("audiences/", asked(seed, retrain_days=7))
    assert answer.status == 201
    return Audience.objects.get(id=answer.body["id"])


def asked(of: Audience, **more: Any) -> dict[str, Any]:
    wanted = {"customer": 1, "name": "More", "kind": "lookalike", "seed": of.pk, "reach": {"percent": 5}}
    return {key: value for key, value in {**wanted, **more}.items() if value is not None}


def test_lookalike__is_made_and_waits_to_be_learnt(admin: Caller, seed: Audience) -> None:
    answer = admin.post("audiences/", asked(seed))

    assert answer.status == 201
    shown = {key: answer.body[key] for key in ("kind", "seed", "reach", "retrain_days", "rule", "status", "size")}
    assert shown == {
        "kind": "lookalike",
        "seed": seed.pk,
        "reach": {"percent": 5},
        "retrain_days": 0,
        "rule": None,
        "status": "building",
        "size": 0,
    }
    story = admin.get(f"audiences/{answer.body['id']}/model/").body
    assert story["model"] is story["newest"] is story["scoring"] is None
    assert story["train_at"] is not None
    listed = admin.get("audiences/?kind=lookalike").body["results"]
    assert [row["id"] for row in listed] == [answer.body["id"]]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"reach": {"percent": 21}}, "reach"),
        ({"reach": None}, "reach"),
        ({"seed": None}, "seed"),
        ({"rule": {"combinator": "and", "rules": []}}, "rule"),
        ({"retrain_days": 366}, "retrain_days"),
        ({"kind": "custom"}, "seed"),
        ({"kind": "clone"}, "kind"),
        ({"seed": 999}, "seed"),
    ],
)
def test_lookalike__that_cannot_be__is_400_with_its_place(
    admin: Caller, seed: Audience, change: dict[str, Any], place: str
) -> None:
    answer = admin.post("audiences/", asked(seed, **change))
    assert answer.status == 400
    assert place in [attr for attr, _ in answer.places]
    assert Audience.objects.count() == 1


def test_seed__too_small_or_a_lookalike__is_400(admin: Caller, seed: Audience, lookalike: Audience) -> None:
    AudienceBucket.objects.update(size=99)
    small = admin.post("audiences/", asked(seed, name="Another"))
    assert (small.status, small.body["errors"][0]["detail"]) == (400, "has 99 members; it takes 100 at least")
    chained = admin.post("audiences/", asked(lookalike, name="Another"))
    assert (chained.status, [attr for attr, _ in chained.places]) == (400, ["seed"])


def test_seed__of_another_customer__is_400(admin: Caller, rival: Customer, seed: Audience) -> None:
    answer = admin.post("audiences/", asked(seed, customer=2))
    assert (answer.status, [attr for attr, _ in answer.places]) == (400, ["seed"])


def test_change__of_reach_and_schedule__and_of_nothing_else(admin: Caller, seed: Audience, lookalike: Audience) -> None:
    address = f"audiences/{lookalike.pk}/"
    answer = admin.patch(address, {"reach": {"people": 50}, "retrain_days": 30})
    assert (answer.status, answer.body["reach"], answer.body["retrain_days"]) == (200, {"people": 50}, 30)
    assert admin.patch(address, {"rule": seed.rule}).status == 400
    assert admin.patch(address, {"seed": lookalike.pk}).status == 400
    assert admin.patch(f"audiences/{seed.pk}/", {"reach": {"people": 50}}).status == 400


def test_seed__in_use__is_409(admin: Caller, seed: Audience, lookalike: Audience) -> None:
    assert admin.delete(f"audiences/{seed.pk}/").status == 409
    assert admin.delete(f"audiences/{lookalike.pk}/").status == 204
    assert admin.delete(f"audiences/{seed.pk}/").status == 204


def test_model__tells_figures_influences_and_versions(admin: Caller, lookalike: Audience) -> None:
    now = datetime.now(UTC)
    LookalikeModel.objects.create(audience=lookalike, number=1, random_state=0, figures=FIGURES, made_at=now)
    LookalikeModel.objects.create(
        audience=lookalike, number=2, random_state=0, refusal="no signal: …", figures={"auc": 0.5}, made_at=now
    )
    Audience.objects.filter(id=lookalike.pk).update(model_number=1, threshold=0.0)
    LookalikeRun.objects.update(figures=SCORING)

    story = admin.get(f"audiences/{lookalike.pk}/model/").body
    assert story["model"]["auc"] == 0.71
    assert story["model"]["influences"] == FIGURES["influences"]
    assert story["model"]["curve"] == FIGURES["curve"]
    assert story["model"]["excluded"] == FIGURES["excluded"]
    assert (story["newest"]["number"], story["newest"]["refusal"]) == (2, "no signal: …")
    assert [row["number"] for row in story["versions"]] == [2, 1]
    assert story["scoring"]["overlap"] == 40
    assert story["scoring"]["percent"] == 10.5
    assert story["scoring"]["lift"] == pytest.approx(2.5)


def test_train__orders_another_model(admin: Caller, seed: Audience, lookalike: Audience) -> None:
    LookalikeRun.objects.update(train_at=None)
    answer = admin.post(f"audiences/{lookalike.pk}/train/", {"random_state": 7})
    assert answer.status == 202
    run = LookalikeRun.objects.get(audience=lookalike)
    assert (run.random_state, run.train_at is not None) == (7, True)
    assert admin.post(f"audiences/{lookalike.pk}/train/", {"seed": 7}).status == 400
    assert admin.post(f"audiences/{seed.pk}/train/").status == 409
    audiences.pause_audience(lookalike)
    assert admin.post(f"audiences/{lookalike.pk}/train/").status == 400


def test_attribute__is_marked_sensitive(admin: Caller, shop: Customer) -> None:
    faith = Attribute.objects.create(customer=shop, path="Faith")
    answer = admin.patch(f"attributes/{faith.pk}/", {"sensitive": True})
    assert (answer.status, answer.body["sensitive"]) == (200, True)


def test_schema__describes_the_model() -> None:
    schema = Caller(None).get("schema/?format=json").body
    assert b"/api/v1/audiences/{id}/model/" in schema
    assert b"/api/v1/audiences/{id}/train/" in schema
