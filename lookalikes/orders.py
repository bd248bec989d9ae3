"""What is to be done for lookalikes: noted in the database, done by a process that comes and goes."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import F, Q, QuerySet

from audiences.models import Audience
from lookalikes.models import LookalikeModel, LookalikeRun

MOST_ATTEMPTS = 3
PAUSE = timedelta(minutes=5)  # after a process that failed
AFTER_MIDNIGHT = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Order:
    """`train`: learn first; else only score."""

    audience: int
    train: bool


def order_training(audiences: Iterable[int], at: datetime, random_state: int | None = None) -> None:
    """Have models learnt anew, with another number for what is left to chance where one is given."""
    for audience in audiences:
        given = {} if random_state is None else {"random_state": random_state}
        LookalikeRun.objects.update_or_create(
            audience_id=audience, defaults={"train_at": at, "attempts": 0, "error": "", **given}
        )


def order_scoring(audience: int, at: datetime) -> None:
    """Have everybody scored by the newest model, where there is one."""
    if LookalikeModel.objects.filter(audience_id=audience, content__isnull=False).exists():
        LookalikeRun.objects.filter(audience_id=audience).update(score_at=at, attempts=0, error="")


def due(now: datetime) -> list[Order]:
    """In the order in which it became due. Training waits until the seed is built."""
    training = Q(train_at__lte=now) & ~Q(audience__seed__status=Audience.Status.BUILDING)
    rows = _standing().filter(training | Q(score_at__lte=now)).order_by("train_at", "score_at", "audience_id")
    seeds = rows.values_list("audience_id", "train_at", "audience__seed__status")
    building = Audience.Status.BUILDING
    return [Order(key, at is not None and at <= now and seed != building) for key, at, seed in seeds]


def _standing() -> QuerySet[LookalikeRun]:
    alive = [Audience.Status.BUILDING, Audience.Status.LIVE, Audience.Status.REFUSED]
    return LookalikeRun.objects.filter(audience__status__in=alive, attempts__lte=MOST_ATTEMPTS)


def begin(audience: int) -> int:
    """Note that a process takes it on; answers how many have begun in vain before."""
    LookalikeRun.objects.filter(audience_id=audience).update(attempts=F("attempts") + 1, done=0, total=0)
    return LookalikeRun.objects.get(audience_id=audience).attempts - 1


class Progress:
    """Tells how far a stage is, at its beginning and about once a second."""

    def __init__(self, audience: int, stage: str, total: int) -> None:
        self._rows = LookalikeRun.objects.filter(audience_id=audience)
        self._rows.update(stage=stage, done=0, total=total)
        self._told = time.monotonic()

    def reach(self, done: int) -> None:
        if time.monotonic() - self._told >= 1:
            self._told = time.monotonic()
            self._rows.update(done=done)


def trained(audience: Audience, now: datetime) -> None:
    """The model is made, or refused: when to learn again."""
    again = now + timedelta(days=audience.retrain_days) if audience.retrain_days else None
    LookalikeRun.objects.filter(audience_id=audience.id).update(train_at=again, stage="", attempts=0, error="")


def scored(audience: int, now: datetime, figures: dict[str, object]) -> None:
    """Everybody is where the scores say; again when the day is over."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    LookalikeRun.objects.filter(audience_id=audience).update(
        score_at=midnight + AFTER_MIDNIGHT, stage="", attempts=0, error="", figures=figures
    )


def failed(audience: int, now: datetime, error: str) -> None:
    """Try again a little later, a few times; then it stays as it is, with what went wrong."""
    rows = LookalikeRun.objects.filter(audience_id=audience)
    rows.update(stage="", error=error)
    rows.filter(train_at__lte=now).update(train_at=now + PAUSE)
    rows.filter(score_at__lte=now).update(score_at=now + PAUSE)


def give_up(audience: int, error: str) -> None:
    """Until somebody asks again."""
    LookalikeRun.objects.filter(audience_id=audience).update(stage="", error=error)
    without = Audience.objects.filter(id=audience, model_number__isnull=True)
    without.exclude(status=Audience.Status.PAUSED).update(status=Audience.Status.REFUSED)
