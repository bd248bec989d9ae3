"""The jobs of lookalikes: when each is due, how far it is, and how often it failed. All of it is in the database.

A process that is started for them runs them and ends (`lookalikes.jobs`).
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import F, Q, QuerySet

from audiences.models import Audience
from lookalikes.models import LookalikeModel, LookalikeRun

MOST_ATTEMPTS = 3
RETRY_AFTER = timedelta(minutes=5)  # after a process that failed
AFTER_MIDNIGHT = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class DueJob:
    """A lookalike that is due. `train`: train first; else only score."""

    audience: int
    customer: int
    train: bool


def schedule_training(audiences: Iterable[int], at: datetime, random_state: int | None = None) -> None:
    """Have models trained again; `random_state`: with another number for what is left to chance."""
    for audience in audiences:
        given = {} if random_state is None else {"random_state": random_state}
        LookalikeRun.objects.update_or_create(
            audience_id=audience, defaults={"train_at": at, "attempts": 0, "error": "", **given}
        )


def schedule_scoring(audience: int, at: datetime) -> None:
    """Have all users scored by the newest model, where there is one."""
    if LookalikeModel.objects.filter(audience_id=audience, content__isnull=False).exists():
        LookalikeRun.objects.filter(audience_id=audience).update(score_at=at, attempts=0, error="")


def due_jobs(now: datetime) -> list[DueJob]:
    """Returns the jobs that are due, the longest due first. Training waits until the seed is built."""
    training = Q(train_at__lte=now) & ~Q(audience__seed__status=Audience.Status.BUILDING)
    rows = _active_runs().filter(training | Q(score_at__lte=now)).order_by("train_at", "score_at", "audience_id")
    seeds = rows.values_list("audience_id", "audience__customer_id", "train_at", "audience__seed__status")
    building = Audience.Status.BUILDING
    return [DueJob(key, owner, at is not None and at <= now and seed != building) for key, owner, at, seed in seeds]


def _active_runs() -> QuerySet[LookalikeRun]:
    alive = [Audience.Status.BUILDING, Audience.Status.LIVE, Audience.Status.REFUSED]
    return LookalikeRun.objects.filter(audience__status__in=alive, attempts__lte=MOST_ATTEMPTS)


def record_attempt(audience: int) -> int:
    """Record that a process begins the job; return how many have begun it without coming to an end."""
    LookalikeRun.objects.filter(audience_id=audience).update(attempts=F("attempts") + 1, done=0, total=0)
    return LookalikeRun.objects.get(audience_id=audience).attempts - 1


class StageProgress:
    """Records how far a stage is, at its beginning and about once a second."""

    def __init__(self, audience: int, stage: str, total: int) -> None:
        self._rows = LookalikeRun.objects.filter(audience_id=audience)
        self._rows.update(stage=stage, done=0, total=total)
        self._recorded_at = time.monotonic()

    def report(self, done: int) -> None:
        if time.monotonic() - self._recorded_at >= 1:
            self._recorded_at = time.monotonic()
            self._rows.update(done=done)


def record_trained(audience: Audience, now: datetime) -> None:
    """Record that a model was trained, or refused, and schedule the next training."""
    again = now + timedelta(days=audience.retrain_days) if audience.retrain_days else None
    LookalikeRun.objects.filter(audience_id=audience.id).update(train_at=again, stage="", attempts=0, error="")


def record_scored(audience: int, now: datetime, figures: dict[str, object]) -> None:
    """Record the figures of a scoring, and schedule the next for the end of the day (UTC), when ages turn."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    LookalikeRun.objects.filter(audience_id=audience).update(
        score_at=midnight + AFTER_MIDNIGHT, stage="", attempts=0, error="", figures=figures
    )


def record_failure(audience: int, now: datetime, error: str) -> None:
    """Record what went wrong, and schedule the job again a little later."""
    rows = LookalikeRun.objects.filter(audience_id=audience)
    rows.update(stage="", error=error)
    rows.filter(train_at__lte=now).update(train_at=now + RETRY_AFTER)
    rows.filter(score_at__lte=now).update(score_at=now + RETRY_AFTER)


def give_up(audience: int, error: str) -> None:
    """Stop trying until somebody asks again. A lookalike without any model is refused."""
    LookalikeRun.objects.filter(audience_id=audience).update(stage="", error=error)
    without = Audience.objects.filter(id=audience, model_number__isnull=True)
    without.exclude(status=Audience.Status.PAUSED).update(status=Audience.Status.REFUSED)
