"""From a seed to members, and what moves them afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError

from audiences import services as audiences
from audiences.attributes import set_attribute
from audiences.explaining import explain
from audiences.models import Audience, Membership
from audiences.rules.errors import RuleError
from audiences.rules.subject import PlainSubject
from audiences.services import AudienceInUseError
from core.transactions import plain_cursor
from lookalikes import schedule
from lookalikes.jobs import run as running
from lookalikes.models import LookalikeRun
from lookalikes.scoring.model import decode_model, scorer
from lookalikes.services import change_lookalike, create_lookalike, train
from lookalikes.status import status_of
from profiles.models import Attribute, Profile
from tests.pipeline.conftest import db, shop
from tests.support.lookalike_people import PEOPLE, keen, lookalike, run_jobs, settle
from tests.support.shop import Shop, now_ms, rule

__all__ = ["db", "shop"]


def scores(shop: Shop, audience: Audience) -> dict[UUID, float]:
    """By the model in force, one by one."""
    content = audience.models.get(number=audience.model_number or 0).content
    assert content is not None
    score, now = scorer(decode_model(bytes(content))), now_ms()
    rows = Profile.objects.filter(customer_id=shop.customer.m, confirmed=True, opted_out=False)
    return {p.user_id: score(PlainSubject(p.attributes, p.dimensions, p.activity), now) for p in rows}


def exact_members(shop: Shop, audience: Audience) -> set[UUID]:
    assert audience.threshold is not None
    return {user for user, score in scores(shop, audience).items() if score >= audience.threshold}


@pytest.fixture
def seed(shop: Shop) -> Audience:
    settle(shop)
    return keen(shop)


def test_lookalike__holds_the_closest_and_says_why(shop: Shop, seed: Audience) -> None:
    made = lookalike(shop, seed, {"percent": 10})

    assert made.status == Audience.Status.LIVE
    assert shop.members(made) == exact_members(shop, made)
    assert audiences.size(made) == len(shop.members(made)) == pytest.approx(PEOPLE / 10, rel=0.05)
    story = status_of(made)
    assert story.model is not None
    assert story.scoring is not None
    assert story.model.figures["auc"] > 0.7
    assert story.model.figures["influences"][0]["feature"] == "city is Harbour"
    assert len(story.model.figures["influences"]) <= 20
    assert story.model.figures["excluded"]["keen"] == "decides about the seed"
    assert not any("keen" in one["feature"] for one in story.model.figures["influences"])
    assert story.scoring["lift"] > 1.5
    overlap = shop.members(made) & shop.members(seed)
    assert (story.scoring["reached"], story.scoring["overlap"]) == (len(shop.members(made)), len(overlap))
    assert story.scoring["drift"] == 0.0
    assert schedule.due_jobs(datetime.now(UTC)) == []
    member = next(iter(shop.members(made)))
    with plain_cursor() as cursor:
        told = explain(cursor, made, member)
    assert told is not None
    assert told.member is told.tree["true"] is True
    assert told.tree["score"] >= told.tree["threshold"]


def test_event__moves_people_at_once_and_activations_follow(shop: Shop, seed: Audience) -> None:
    made = lookalike(shop, seed, {"percent": 10})
    platform = shop.platform()
    activation = shop.activation(made, platform)
    ranked = scores(shop, made)
    user = max(ranked, key=lambda one: ranked[one])
    shop.sync(user, platform, "ads-1")
    for city, member in (("Hill", False), ("Harbour", True)):
        shop.event(user, {"city": city})
        shop.absorb()
        assert (user in shop.members(made)) is (scores(shop, made)[user] >= (made.threshold or 0.0)) is member
        assert shop.wanted(activation) == ({"ads-1"} if member else set())


def test_audience_of_a_lookalike__follows_it(shop: Shop, seed: Audience) -> None:
    made = lookalike(shop, seed)
    others = {
        "combinator": "and",
        "rules": [
            {"field": "audience", "operator": "in", "value": made.id},
            {"field": "audience", "operator": "notIn", "value": seed.id},
        ],
    }
    new = shop.audience("new ones", others)
    assert shop.members(new) == shop.members(made) - shop.members(seed)

    change_lookalike(made, reach={"people": 40})
    run_jobs()
    assert shop.members(made) == exact_members(shop, Audience.objects.get(id=made.id))
    assert shop.members(new) == shop.members(made) - shop.members(seed)


def test_reach__another_number__moves_members_without_learning(shop: Shop, seed: Audience) -> None:
    made = lookalike(shop, seed, {"people": 300})
    many = shop.members(made)
    change_lookalike(made, reach={"people": 100})
    assert shop.members(made) == many
    run_jobs()

    few = shop.members(made)
    assert few < many
    assert len(few) == pytest.approx(100, abs=10)
    assert made.models.count() == 1


def test_same_number__same_model_and_another_one_after(shop: Shop, seed: Audience) -> None:
    made = lookalike(shop, seed, random_state=5)
    train(made)
    run_jobs()
    first, again = made.models.order_by("number")
    assert first.content == again.content is not None
    train(made, random_state=6)
    run_jobs()

    first, again, other = made.models.order_by("number")
    assert [first.random_state, again.random_state, other.random_state] == [5, 5, 6]
    assert [row.content is None for row in (first, again, other)] == [True, False, False]
    assert first.figures["auc"] == again.figures["auc"] != other.figures["auc"]
    made.refresh_from_db()
    assert made.model_number == 3
    audiences.finish_builds()
    assert Audience.objects.get(id=made.id).status == Audience.Status.LIVE


def test_night__turns_ages_for_those_whom_nothing_happened_to(shop: Shop, seed: Audience) -> None:
    made = lookalike(shop, seed)
    before = LookalikeRun.objects.get(audience=made)
    assert before.score_at is not None
    assert timedelta() < before.score_at - datetime.now(UTC) <= timedelta(days=1, minutes=2)
    Profile.objects.update(activity={}, attributes={"city": "Hill"})  # as if much time had gone by
    LookalikeRun.objects.update(score_at=datetime.now(UTC))
    run_jobs()

    story = status_of(Audience.objects.get(id=made.id))
    assert story.scoring is not None
    assert story.scoring["drift"] > 0.25
    made.refresh_from_db()
    assert shop.members(made) == exact_members(shop, made)


def test_seed__too_small__is_refused_when_saved_and_when_learnt(shop: Shop) -> None:
    settle(shop, 99)
    everybody = shop.audience("everybody", rule("attribute.city", "notNull", None))
    made = create_lookalike(shop.customer, "too early", everybody, {"percent": 5})  # the seed is not built yet
    audiences.finish_builds()
    everybody.refresh_from_db()
    with pytest.raises(ValidationError, match="has 99 members; it takes 100 at least"):
        create_lookalike(shop.customer, "like everybody", everybody, {"percent": 5})

    run_jobs()
    made.refresh_from_db()
    newest = status_of(made).newest
    assert made.status == Audience.Status.REFUSED
    assert newest is not None
    assert "99 members" in newest.refusal
    assert shop.members(made) == set()


def test_seed__without_signal__is_refused_with_the_figure(shop: Shop) -> None:
    settle(shop, chance=True)
    made = lookalike(shop, keen(shop))

    newest = status_of(made).newest
    assert made.status == Audience.Status.REFUSED
    assert newest is not None
    assert "no signal: the held-out AUC is 0." in newest.refusal
    assert newest.figures["auc"] == pytest.approx(0.5, abs=0.1)
    assert not Membership.objects.filter(audience_id=made.id, member=True).exists()


def test_sensitive_attribute__is_learnt_without(shop: Shop, seed: Audience) -> None:
    made = lookalike(shop, seed)
    set_attribute(Attribute.objects.get(path="age"), sensitive=True)
    set_attribute(Attribute.objects.get(path="born"), personal=True)
    run_jobs()

    story = status_of(Audience.objects.get(id=made.id))
    assert story.model is not None
    assert story.model.number == 2  # one training for both
    assert story.model.figures["excluded"]["age"] == "it is sensitive"
    assert story.model.figures["excluded"]["born"] == "it holds personal data"
    told = [one["feature"] for one in story.model.figures["influences"]]
    assert not any(feature.startswith(("age", "born")) for feature in told)


def test_lookalike_of_a_lookalike__is_refused_however_far_away(shop: Shop, seed: Audience) -> None:
    made = lookalike(shop, seed)
    asking = shop.audience("asking", rule("audience", "in", made.id))
    for other in (made, asking):
        with pytest.raises(ValidationError, match="no lookalike of a lookalike"):
            create_lookalike(shop.customer, "another", other, {"percent": 5})
    with pytest.raises(RuleError, match="no lookalike of a lookalike") as refused:
        audiences.change_rule(seed, rule("audience", "in", asking.id))
    assert [fault.path for fault in refused.value.errors] == ["rules[0].value"]
    with pytest.raises(AudienceInUseError, match="have their seed here"):
        audiences.delete_audience(seed)
    audiences.delete_audience(asking)
    audiences.delete_audience(made)
    audiences.delete_audience(seed)


def test_membership__tells_and_changes_with_it(shop: Shop, seed: Audience) -> None:
    """What a model knows of other audiences is followed as any rule's question is."""
    port = shop.audience("port", rule("attribute.city", "=", "Harbour"))
    audiences.finish_builds()
    made = lookalike(shop, seed)
    story = status_of(made)
    assert story.model is not None
    assert "in audience port" in [one["feature"] for one in story.model.figures["influences"]]
    with pytest.raises(RuleError, match="asks about itself"):
        audiences.change_rule(port, rule("audience", "in", made.id))


def test_pause__freezes_and_resume_looks_at_everybody(shop: Shop, seed: Audience) -> None:
    made = lookalike(shop, seed)
    members = shop.members(made)
    audiences.pause_audience(made)
    with pytest.raises(ValidationError, match="paused"):
        train(made)
    left = next(iter(members))
    shop.event(left, {"city": "Hill", "age": 18}, at=now_ms())
    shop.absorb()
    assert shop.members(made) == members

    audiences.resume_audience(made)
    shop.absorb()
    audiences.finish_builds()
    made.refresh_from_db()
    assert made.status == Audience.Status.LIVE
    assert shop.members(made) == exact_members(shop, made)


def test_process__that_fails_again_and_again__gives_up_and_says_so(
    shop: Shop, seed: Audience, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(running, "train_lookalike", fail)
    made = create_lookalike(shop.customer, "like keen", seed, {"percent": 5})
    for _ in range(schedule.MOST_ATTEMPTS + 1):
        LookalikeRun.objects.update(train_at=datetime.now(UTC))
        run_jobs()
    LookalikeRun.objects.update(train_at=datetime.now(UTC))
    assert schedule.due_jobs(datetime.now(UTC)) == []
    assert "given up" in LookalikeRun.objects.get(audience=made).error
    made.refresh_from_db()
    assert made.status == Audience.Status.REFUSED

    monkeypatch.undo()
    train(made)
    run_jobs()
    audiences.finish_builds()
    made.refresh_from_db()
    assert made.status == Audience.Status.LIVE
