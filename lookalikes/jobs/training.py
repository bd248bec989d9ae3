"""From a seed to a model in the database, or to the reason why there is none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Max, Q

from audiences.models import Audience
from audiences.references import dependencies_of_audiences
from audiences.rules.dependencies import with_each_pixel
from audiences.rules.subject import PlainSubject
from audiences.schema import schema_of
from audiences.services import size
from core.clock import milliseconds
from lookalikes.jobs import population, readers
from lookalikes.jobs.population import Crowd
from lookalikes.jobs.readers import Map, Reading
from lookalikes.models import LookalikeModel
from lookalikes.orders import Progress, order_scoring, trained
from lookalikes.scoring.exclusion import defining, telling_audiences
from lookalikes.scoring.model import encode_model
from lookalikes.training.choosing import Candidates, Choice, choose
from lookalikes.training.figures import lift_curve, of_judged
from lookalikes.training.influences import influences
from lookalikes.training.rows import Rows
from lookalikes.training.training import Examples, Trained, UntrainableError, check_seed, train
from profiles.models import Attribute, Pixel
from profiles.paths import split_path
from profiles.user_counts import known_users

MOST_MEMBERS = 100_000  # examples of the seed
OTHERS_A_MEMBER, FEWEST_OTHERS, MOST_OTHERS = 3, 20_000, 150_000
SAMPLE = 10_000  # of the seed, and of the others, to see what there is


@dataclass(frozen=True, slots=True)
class Ground:
    """What a model is learnt from; `excluded`: what it may not use, in words, each with the reason."""

    candidates: Candidates
    names: dict[str, str]
    excluded: dict[str, str]


@dataclass(frozen=True, slots=True)
class Sizes:
    population: int
    members: int


def learn(audience: Audience, random_state: int, now: datetime, run: Map[Any, Any]) -> bool:
    """Learn from the seed as it is; answers whether a model came of it. Kept either way, with its figures."""
    seed = audience.seed
    assert seed is not None
    sizes = Sizes(known_users().get(audience.customer_id, 0), size(seed))
    ground = ground_of(audience)
    figures: dict[str, Any] = {"population": sizes.population, "seed": sizes.members, "excluded": ground.excluded}
    try:
        check_seed(sizes.members)
        found, sample = _train(audience, ground, sizes, random_state, now, run, figures)
    except UntrainableError as refusal:
        _keep(audience, random_state, now, {**figures, "auc": _rounded(refusal.auc)}, refusal=str(refusal))
        return False
    figures |= _figures(found, sizes) | {"influences": influences(found, sample, ground.names)}
    _keep(audience, random_state, now, figures, content=encode_model(found.model))
    return True


def ground_of(audience: Audience) -> Ground:
    """What may be looked at for this lookalike."""
    customer = audience.customer_id
    known = dependencies_of_audiences(customer)
    sensitive = hidden_attributes(customer)
    answers = defining(audience.seed_id or 0, known)
    usable, audiences_out = telling_audiences(audience.seed_id or 0, known, sensitive)
    schema, names = schema_of(customer), _names(customer)
    excluded = {_called(name, names): "decides about the seed" for name in sorted(answers) if _is_field(name)}
    excluded |= {_called(name, names): f"it {reason}" for name, reason in sensitive.items()}
    excluded |= {f"audience {names[f'audience.{one}']}": reason for one, reason in audiences_out.items()}
    candidates = Candidates(
        schema.attributes, sorted(schema.pixels), usable, with_each_pixel(answers | sensitive.keys(), schema.pixels)
    )
    return Ground(candidates, names, excluded)


def hidden_attributes(customer: int) -> dict[str, str]:
    """Returns the dependencies by which nobody is to be judged, with the reason."""
    rows = Attribute.objects.filter(Q(sensitive=True) | Q(personal=True), customer_id=customer)
    return {
        f"attribute.{split_path(row.path)[0]}": "is sensitive" if row.sensitive else "holds personal data"
        for row in rows
    }


def _is_field(name: str) -> bool:
    return name.startswith(("attribute.", "dimension.", "pixel."))


def _called(name: str, names: dict[str, str]) -> str:
    return names.get(name, name.partition(".")[2]) if not name.startswith("pixel.") else f"pixel {names.get(name, '')}"


def _names(customer: int) -> dict[str, str]:
    """What people call things, by dependency; nested attributes by their path."""
    named = {f"attribute.{row.path}": str(row) for row in Attribute.objects.filter(customer_id=customer)}
    named |= {f"pixel.{row.id}": row.name for row in Pixel.objects.filter(customer_id=customer)}
    return named | {f"audience.{row.id}": row.name for row in Audience.objects.filter(customer_id=customer)}


def _train(
    audience: Audience,
    ground: Ground,
    sizes: Sizes,
    random_state: int,
    now: datetime,
    run: Map[Any, Any],
    figures: dict[str, Any],
) -> tuple[Trained, Sequence[PlainSubject]]:
    Progress(audience.id, "looking", 1)
    crowd = Crowd(audience.customer_id, audience.seed_id or 0, tuple(ground.candidates.audiences))
    sample = _sample(crowd, sizes, random_state)
    choice = choose(ground.candidates, sample, milliseconds(now))
    figures["excluded"] |= {ground.names.get(f"attribute.{one}", one): why for one, why in choice.left_out.items()}
    examples = _examples(audience, crowd, choice, sizes, random_state, now, run)
    Progress(audience.id, "learning", 1)
    return train(tuple(choice.fields), examples, random_state), sample


def _sample(crowd: Crowd, sizes: Sizes, random_state: int) -> list[PlainSubject]:
    """Some of the seed and some of the others, from as few buckets as hold enough."""
    connection = readers._connection()
    found: list[PlainSubject] = []
    for people, there in ((population.members, sizes.members), (population.others, sizes.population - sizes.members)):
        taken = 0
        for bucket in _turned(crowd.customer, random_state):
            if taken < min(SAMPLE, there):
                more = [facts for _, facts in people(connection, crowd, bucket, 1.0, random_state)]
                found += more
                taken += len(more)
    return found


def _turned(customer: int, random_state: int) -> list[int]:
    """The buckets with people, from another first one with each number: each is a fair sample of the people."""
    buckets = readers.inhabited(customer)
    first = random_state * 97 % len(buckets) if buckets else 0
    return buckets[first:] + buckets[:first]


def _examples(
    audience: Audience, crowd: Crowd, choice: Choice, sizes: Sizes, random_state: int, now: datetime, run: Map[Any, Any]
) -> Examples:
    """Members of the seed, and others drawn by chance, from as few buckets as hold enough of them."""
    member_share = min(1.0, MOST_MEMBERS / sizes.members)
    wanted = min(MOST_OTHERS, max(FEWEST_OTHERS, OTHERS_A_MEMBER * round(sizes.members * member_share)))
    share = min(1.0, wanted / max(1, sizes.population - sizes.members))
    there = _turned(crowd.customer, random_state)
    some = sorted(there[: max(1, math.ceil(share * len(there)))])
    of_each = Reading(crowd, tuple(choice.fields), (), True, member_share, random_state, milliseconds(now))
    errands = [replace(of_each, buckets=part) for part in readers.errands(sorted(there))]
    thinned = min(1.0, share * len(there) / len(some))
    errands += [replace(of_each, buckets=part, of_seed=False, share=thinned) for part in readers.errands(some)]
    rows, labels = Rows(), list[int]()
    told = Progress(audience.id, "reading", len(errands))
    for number, (errand, part) in enumerate(zip(errands, run(readers.read_rows, errands), strict=True)):
        rows.extend(part)
        labels.extend([int(errand.of_seed)] * len(part))
        told.reach(number + 1)
    return Examples(rows, np.array(labels), (member_share, share))


def _figures(found: Trained, sizes: Sizes) -> dict[str, Any]:
    return {
        "auc": _rounded(found.auc),
        "strength": found.strength,
        "features": len(found.share),
        "held_out": of_judged(found.judged),
        "curve": lift_curve(found.judged, sizes.population),
    }


def _rounded(auc: float | None) -> float | None:
    return None if auc is None else round(auc, 4)


def _keep(
    audience: Audience,
    random_state: int,
    now: datetime,
    figures: dict[str, Any],
    *,
    content: bytes | None = None,
    refusal: str = "",
) -> None:
    """As the next number. It comes into force when everybody is scored; a refused one leaves the one before there."""
    with transaction.atomic():
        locked = Audience.objects.select_for_update().get(id=audience.id)
        number = (locked.models.aggregate(last=Max("number"))["last"] or 0) + 1
        LookalikeModel.objects.create(
            audience=locked,
            number=number,
            random_state=random_state,
            content=content,
            refusal=refusal,
            figures=figures,
            made_at=now,
        )
        if content is not None:  # of the others only the one in force is asked again; their figures stay
            locked.models.exclude(number__in=(number, locked.model_number or 0)).update(content=None)
        elif locked.model_number is None:
            locked.status = Audience.Status.REFUSED
            locked.save(update_fields=["status", "updated_at"])
        trained(locked, now)
        order_scoring(locked.id, now)
    audience.refresh_from_db()
