"""The memberships of a batch: who is in which audience, decided again where something changed."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from psycopg import Cursor

from audiences import store
from audiences.catalogue import AudienceCatalogue
from audiences.evaluation import Evaluation, Flip
from pipeline.absorb.desired_state import DesiredState
from profiles.state import ProfileState


class BatchMemberships:
    """Who is in which audience. What a platform should hold follows from every change."""

    __slots__ = ("_audiences", "_cursor", "_desired", "_now")

    def __init__(self, cursor: Cursor[Any], audiences: AudienceCatalogue, desired: DesiredState, now: datetime) -> None:
        self._cursor = cursor
        self._audiences = audiences
        self._desired = desired
        self._now = now

    def forget(self, profile: ProfileState) -> None:
        """The user is in no audience any more. Platforms learn of it from what becomes of the user's ids."""
        left = store.delete_of_user(self._cursor, profile.customer, profile.user_id)
        store.count_moves(self._cursor, {(profile.bucket, audience): (0, 1) for audience in left})
        self._desired.count_leaver(profile, left)

    def evaluate(self, evaluate: Callable[[Evaluation], None]) -> Sequence[Flip]:
        """Evaluate, and want of the platforms what follows; returns who entered and who left."""
        evaluation = Evaluation(self._cursor, self._audiences, self._now)
        evaluate(evaluation)
        self._desired.want_flips(evaluation.flips)
        return evaluation.flips
