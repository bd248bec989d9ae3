"""Everybody scored, the threshold set, and whoever stands on the wrong side of it moved."""

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
from lookalikes.jobs import population, readers
from lookalikes.jobs.population import Crowd
from lookalikes.jobs.readers import Map, ScoredBucket, Scoring
from lookalikes.models import LookalikeModel
from lookalikes.orders import Progress, scored
from lookalikes.scoring.model import decode_model
from lookalikes.scoring.reach import read_reach
from lookalikes.training.figures import deciles, drift, shares_of, threshold_of
from lookalikes.training.rows import Numbers

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
class Everybody:
    """By bucket, those without anybody left out; `scores` of all together."""

    buckets: dict[int, ScoredBucket]
    scores: Numbers


def score(audience: Audience, now: datetime, run: Map[Any, Any], move_members: MoveMembers) -> None:
    """Score by the newest model; memberships follow."""
    newest = LookalikeModel.objects.filter(audience_id=audience.id, content__isnull=False).first()
    if newest is None or newest.content is None:
        return
    found = _score_all(audience, bytes(newest.content), now, run)
    threshold = threshold_of(found.scores, read_reach(audience.reach).wanted(len(found.scores)))
    publish(audience, newest.number, threshold)
    overlap = _move(audience, found, threshold, now, move_members)
    scored(audience.id, now, _figures(audience, newest, found, threshold, now) | {"overlap": overlap})


def publish(audience: Audience, number: int, threshold: float) -> None:
    """From now on every event is judged by this. A paused audience stays so."""
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


def _score_all(audience: Audience, content: bytes, now: datetime, run: Map[Any, Any]) -> Everybody:
    model = decode_model(content)
    crowd = Crowd(audience.customer_id, audience.seed_id or 0, population.audiences_of(model.fields))
    buckets = readers.inhabited(audience.customer_id)
    errands = [Scoring(crowd, content, part, milliseconds(now)) for part in readers.errands(buckets)]
    found: dict[int, ScoredBucket] = {}
    told = Progress(audience.id, "scoring", len(buckets))
    for part in run(readers.score_buckets, errands):
        found |= {one.bucket: one for one in part}
        told.reach(len(found))
    return Everybody(found, np.concatenate([np.zeros(0), *(one.scores for one in found.values())]))


def _move(audience: Audience, found: Everybody, threshold: float, since: datetime, move_members: MoveMembers) -> int:
    """Make members of those above the threshold; return how many of them are in the seed."""
    above = {bucket: _above(one, threshold) for bucket, one in found.buckets.items()}
    return move_members(audience, since, above, Progress(audience.id, "moving", BUCKETS).reach)


def _above(one: ScoredBucket, threshold: float) -> set[bytes]:
    return {bytes(user) for user in np.frombuffer(one.users, f"V{UUID_BYTES}")[one.scores >= threshold]}


def _figures(
    audience: Audience, newest: LookalikeModel, found: Everybody, threshold: float, now: datetime
) -> dict[str, Any]:
    """As of this scoring. Drift is against the first scoring by the same model."""
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
