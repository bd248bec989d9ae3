"""Trains the model of a lookalike from its seed, and stores it, or the reason why there is none."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Max

from audiences.models import Audience
from audiences.rules.subject import PlainSubject
from audiences.services import size
from core.clock import milliseconds
from lookalikes.jobs import population, workers
from lookalikes.jobs.population import Population
from lookalikes.jobs.scope import scope_of
from lookalikes.jobs.workers import ReadTask, TaskMap
from lookalikes.models import LookalikeModel
from lookalikes.schedule import StageProgress, record_trained, schedule_scoring
from lookalikes.scoring.fields import FeatureField
from lookalikes.scoring.model import encode_model
from lookalikes.training.choosing import choose_fields
from lookalikes.training.feature_rows import FeatureRows
from lookalikes.training.figures import held_out_counts, lift_curve
from lookalikes.training.fitting import Examples, Trained, UntrainableError, check_seed, train
from lookalikes.training.influences import influences
from profiles.user_counts import known_users

MOST_MEMBERS = 100_000  # examples of the seed
OTHERS_A_MEMBER, FEWEST_OTHERS, MOST_OTHERS = 3, 20_000, 150_000
SAMPLE = 10_000  # of the seed, and of the others, to choose fields by


def train_lookalike(audience: Audience, random_state: int, now: datetime, run: TaskMap) -> bool:
    """Train from the seed as it is now, and store the model with its figures. Returns False where no model came of it:
    then the reason is stored.
    """
    training = Training.of(audience, random_state, now, run)
    scope, sizes = scope_of(audience), training.sizes
    figures: dict[str, Any] = {"population": sizes.all, "seed": sizes.members, "excluded": scope.excluded}
    try:
        check_seed(sizes.members)
        StageProgress(audience.id, "looking", 1)
        people = training.population(tuple(scope.candidates.audiences))
        sample = _sample(training, people)
        choice = choose_fields(scope.candidates, sample, milliseconds(now))
        figures["excluded"] |= {scope.names.get(f"attribute.{one}", one): why for one, why in choice.left_out.items()}
        fields = tuple(choice.fields)
        examples = _examples(training, people, fields)
        StageProgress(audience.id, "learning", 1)
        found = train(fields, examples, random_state)
    except UntrainableError as refusal:
        _store(training, {**figures, "auc": _rounded(refusal.auc)}, refusal=str(refusal))
        return False
    figures |= _figures(found, sizes) | {"influences": influences(found, sample, scope.names)}
    _store(training, figures, content=encode_model(found.model))
    return True


@dataclass(frozen=True, slots=True)
class PopulationSizes:
    """How many users the customer knows, and how many of them are in the seed."""

    all: int
    members: int

    @property
    def others(self) -> int:
        return self.all - self.members


@dataclass(frozen=True, slots=True)
class Training:
    """One training: of which lookalike, at which moment, with which number for what is left to chance."""

    audience: Audience
    random_state: int
    now: datetime
    run: TaskMap
    sizes: PopulationSizes

    @classmethod
    def of(cls, audience: Audience, random_state: int, now: datetime, run: TaskMap) -> "Training":
        assert audience.seed is not None
        sizes = PopulationSizes(known_users().get(audience.customer_id, 0), size(audience.seed))
        return cls(audience, random_state, now, run, sizes)

    def population(self, audiences: tuple[int, ...]) -> Population:
        return Population(self.audience.customer_id, self.audience.seed_id or 0, audiences)

    def buckets(self) -> list[int]:
        """Returns the buckets with users, from another first one with each number: each is a fair sample of them."""
        found = workers.inhabited_buckets(self.audience.customer_id)
        first = self.random_state * 97 % len(found) if found else 0
        return found[first:] + found[:first]


def _sample(training: Training, people: Population) -> list[PlainSubject]:
    """Returns some of the seed and some of the others, from as few buckets as hold enough."""
    connection = workers.process_connection()
    found: list[PlainSubject] = []
    sizes = training.sizes
    for read, there in ((population.members, sizes.members), (population.others, sizes.others)):
        taken = 0
        for bucket in training.buckets():
            if taken < min(SAMPLE, there):
                more = [subject for _, subject in read(connection, people, bucket, 1.0, training.random_state)]
                found += more
                taken += len(more)
    return found


def _examples(training: Training, people: Population, fields: tuple[FeatureField, ...]) -> Examples:
    """Returns members of the seed, and others drawn by chance, from as few buckets as hold enough of them."""
    sizes, buckets = training.sizes, training.buckets()
    member_share = min(1.0, MOST_MEMBERS / sizes.members)
    wanted = min(MOST_OTHERS, max(FEWEST_OTHERS, OTHERS_A_MEMBER * round(sizes.members * member_share)))
    share = min(1.0, wanted / max(1, sizes.others))
    some = sorted(buckets[: max(1, math.ceil(share * len(buckets)))])
    of_seed = ReadTask(people, fields, (), True, member_share, training.random_state, milliseconds(training.now))
    tasks = [replace(of_seed, buckets=part) for part in workers.bucket_groups(sorted(buckets))]
    thinned = min(1.0, share * len(buckets) / len(some))
    tasks += [replace(of_seed, buckets=part, of_seed=False, share=thinned) for part in workers.bucket_groups(some)]
    rows, labels = FeatureRows(), list[int]()
    progress = StageProgress(training.audience.id, "reading", len(tasks))
    for number, (task, part) in enumerate(zip(tasks, training.run(workers.read_rows, tasks), strict=True)):
        rows.extend(part)
        labels.extend([int(task.of_seed)] * len(part))
        progress.report(number + 1)
    return Examples(rows, np.array(labels), (member_share, share))


def _figures(found: Trained, sizes: PopulationSizes) -> dict[str, Any]:
    return {
        "auc": _rounded(found.auc),
        "strength": found.strength,
        "features": len(found.share),
        "held_out": held_out_counts(found.held_out),
        "curve": lift_curve(found.held_out, sizes.all),
    }


def _rounded(auc: float | None) -> float | None:
    return None if auc is None else round(auc, 4)


def _store(training: Training, figures: dict[str, Any], *, content: bytes | None = None, refusal: str = "") -> None:
    """Store the attempt under the next number. A model comes into force when everybody is scored by it; after a refused
    attempt the model before stays in force.
    """
    with transaction.atomic():
        locked = Audience.objects.select_for_update().get(id=training.audience.id)
        number = (locked.models.aggregate(last=Max("number"))["last"] or 0) + 1
        LookalikeModel.objects.create(
            audience=locked,
            number=number,
            random_state=training.random_state,
            content=content,
            refusal=refusal,
            figures=figures,
            made_at=training.now,
        )
        if content is not None:  # of the others only the one in force is asked again; their figures stay
            locked.models.exclude(number__in=(number, locked.model_number or 0)).update(content=None)
        elif locked.model_number is None:
            locked.status = Audience.Status.REFUSED
            locked.save(update_fields=["status", "updated_at"])
        record_trained(locked, training.now)
        schedule_scoring(locked.id, training.now)
    training.audience.refresh_from_db()
