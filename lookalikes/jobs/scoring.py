"""Scores all users by the newest model, sets the threshold, and has the members moved accordingly."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from django.db import transaction

from audiences import history
from audiences.models import Audience
from core.buckets import BUCKETS
from core.clock import milliseconds
from lookalikes.jobs import population, workers
from lookalikes.jobs.population import Population
from lookalikes.jobs.workers import ScoredBucket, ScoreTask, TaskMap
from lookalikes.models import LookalikeModel
from lookalikes.schedule import StageProgress, record_scored
from lookalikes.scoring.model import decode_model
from lookalikes.scoring.reach import read_reach
from lookalikes.training.feature_rows import Numbers
from lookalikes.training.figures import deciles, drift, shares_of, threshold_of

UUID_BYTES = 16
UsersByBucket = Mapping[int, set[bytes]]
"""The 16 bytes of each user, by bucket."""


class MoveMembers(Protocol):
    """Brings memberships to what a scoring says, under the locks of the buckets."""

    def __call__(
        self, audience: Audience, scored_at: datetime, above: UsersByBucket, report: Callable[[int], None], /
    ) -> int:
        """Look at all users who are, or may be, on the wrong side of the threshold. `report` takes the number of
        buckets that are done. Returns how many of those above the threshold are members of the seed.
        """


@dataclass(frozen=True, slots=True)
class PopulationScores:
    """The scores by bucket, of buckets with users; `scores`: of all users together."""

    buckets: dict[int, ScoredBucket]
    scores: Numbers


def score(audience: Audience, now: datetime, run: TaskMap, move_members: MoveMembers) -> None:
    """Score all users by the newest model, put it in force, and move the members. Without a model, do nothing."""
    newest = LookalikeModel.objects.filter(audience_id=audience.id, content__isnull=False).first()
    if newest is None or newest.content is None:
        return
    found = _score_all(audience, bytes(newest.content), now, run)
    threshold = threshold_of(found.scores, read_reach(audience.reach).wanted(len(found.scores)))
    put_in_force(audience, newest.number, threshold)
    overlap = _move(audience, found, threshold, now, move_members)
    record_scored(audience.id, now, _figures(audience, newest, found, threshold, now) | {"overlap": overlap})


def put_in_force(audience: Audience, number: int, threshold: float) -> None:
    """Decide by this model and threshold from now on, for every event. A paused audience stays paused."""
    with transaction.atomic():
        locked = Audience.objects.select_for_update().get(id=audience.id)
        if (locked.model_number, locked.threshold) != (number, threshold):
            if locked.model_number != number:
                locked.version += 1
                locked.status = Audience.Status.BUILDING
            learnt = locked.model_number != number
            locked.model_number, locked.threshold = number, threshold
            locked.save()
            if learnt:
                history.keep_version(locked, f"learnt: model {number}", "")
    audience.refresh_from_db()


def _score_all(audience: Audience, content: bytes, now: datetime, run: TaskMap) -> PopulationScores:
    model = decode_model(content)
    people = Population(audience.customer_id, audience.seed_id or 0, population.audiences_of(model.fields))
    buckets = workers.inhabited_buckets(audience.customer_id)
    tasks = [ScoreTask(people, content, part, milliseconds(now)) for part in workers.bucket_groups(buckets)]
    found: dict[int, ScoredBucket] = {}
    progress = StageProgress(audience.id, "scoring", len(buckets))
    for part in run(workers.score_buckets, tasks):
        found |= {one.bucket: one for one in part}
        progress.report(len(found))
    return PopulationScores(found, np.concatenate([np.zeros(0), *(one.scores for one in found.values())]))


def _move(
    audience: Audience, found: PopulationScores, threshold: float, since: datetime, move_members: MoveMembers
) -> int:
    """Make members of those above the threshold; return how many of them are in the seed."""
    above = {bucket: _above(one, threshold) for bucket, one in found.buckets.items()}
    return move_members(audience, since, above, StageProgress(audience.id, "moving", BUCKETS).report)


def _above(one: ScoredBucket, threshold: float) -> set[bytes]:
    return {bytes(user) for user in np.frombuffer(one.users, f"V{UUID_BYTES}")[one.scores >= threshold]}


def _figures(
    audience: Audience, newest: LookalikeModel, found: PopulationScores, threshold: float, now: datetime
) -> dict[str, Any]:
    """Returns the figures of this scoring. Drift is against the first scoring by the same model."""
    before = audience.run.figures if audience.run.figures.get("model") == newest.number else {}
    parted = before.get("deciles") or deciles(found.scores)
    first = before.get("first") or shares_of(found.scores, parted)
    return {
        "model": newest.number,
        "at": now.isoformat(),
        "population": len(found.scores),
        "reached": int((found.scores >= threshold).sum()),
        "seed": sum(one.in_seed for one in found.buckets.values()),
        "deciles": parted,
        "first": first,
        "drift": drift(first, shares_of(found.scores, parted)),
    }
