"""Lookalikes as audiences see them: a kind of audience that is decided by a model instead of a rule.

`lookalikes.apps` registers it with `audiences.kinds`. It runs in every process that evaluates audiences, so it must
never import what is large (numpy, scikit-learn).
"""

from collections.abc import Collection, Hashable
from functools import lru_cache
from typing import Any

import msgspec

from audiences.kinds import DecidedAudience
from audiences.models import Audience
from audiences.rules.dependencies import audiences_among
from audiences.rules.subject import Subject
from core import clock
from lookalikes.models import LookalikeModel
from lookalikes.schedule import schedule_training
from lookalikes.scoring.model import LinearModel, Scorer, decode_model, scorer, threshold_predicate
from profiles.models import Attribute
from profiles.paths import top_level

IN_FORCE = ("id", "customer_id", "version", "status", "model_number", "threshold")


class UndecodableModelError(ValueError):
    """The model in force cannot be read: the lookalike keeps its members as they are."""


@lru_cache(maxsize=64)
def model_of(audience: int, number: int) -> LinearModel | None:
    """Returns a stored model; None where it was refused, or was deleted with its audience.

    It is read once a process, since a numbered model never changes. Raises `UndecodableModelError`.
    """
    rows = LookalikeModel.objects.filter(audience_id=audience, number=number).values_list("content", flat=True)
    content = next((bytes(one) for one in rows if one is not None), None)
    try:
        return None if content is None else decode_model(content)
    except msgspec.MsgspecError as broken:
        raise UndecodableModelError(f"its model {number} cannot be decoded: {broken}") from broken


@lru_cache(maxsize=64)
def scorer_of(audience: int, number: int) -> Scorer | None:
    """Returns the function that scores by a stored model; None where there is none. Raises `UndecodableModelError`."""
    model = model_of(audience, number)
    try:
        return scorer(model) if model else None
    except (ValueError, LookupError, TypeError) as broken:
        raise UndecodableModelError(f"its model {number} cannot be used: {broken}") from broken


class LookalikeKind:
    """What `audiences.kinds.AudienceKind` asks for."""

    def in_force(self, customers: Collection[int]) -> Collection[Audience]:
        """Returns the lookalikes that have a model and a threshold, and are not paused."""
        rows = Audience.objects.filter(
            kind=Audience.Kind.LOOKALIKE, customer_id__in=customers, model_number__isnull=False, threshold__isnull=False
        )
        return rows.filter(status__in=[Audience.Status.BUILDING, Audience.Status.LIVE]).only(*IN_FORCE)

    def source(self, audience: Audience) -> Hashable:
        return audience.model_number, audience.threshold

    def decided(self, audience: Audience) -> DecidedAudience:
        """Returns the lookalike with its predicate. Raises `UndecodableModelError` where its model cannot be read."""
        number = audience.model_number or 0
        model, score = model_of(audience.id, number), scorer_of(audience.id, number)
        if model is None or score is None or audience.threshold is None:
            raise UndecodableModelError(f"its model {number} is not stored any more")
        names = model.dependencies
        return DecidedAudience(audience, threshold_predicate(score, audience.threshold), names, audiences_among(names))

    def asked_audiences(self, audience: Audience) -> frozenset[int]:
        """Returns the audiences whose members the model in force knows."""
        return audiences_among(_dependencies(audience))

    def explain(self, audience: Audience, subject: Subject, now_ms: int) -> dict[str, Any]:
        """Returns `true`, `score`, `threshold`, and the `chance` to be in the seed as learnt; all None until a model
        is in force. `subject` knows its memberships of the audiences that the model knows.
        """
        number = audience.model_number or 0
        try:
            model, score = model_of(audience.pk, number), scorer_of(audience.pk, number)
        except UndecodableModelError:
            model = score = None
        if model is None or score is None or audience.threshold is None:
            return dict.fromkeys(("true", "score", "threshold", "chance", "until"))
        found = score(subject, now_ms)
        return {
            "true": found >= audience.threshold,
            "score": round(found, 6),
            "threshold": round(audience.threshold, 6),
            "chance": round(model.chance(found), 6),
            "until": None,
        }

    def attribute_changed(self, attribute: Attribute) -> None:
        """Schedule new training of the models that use an attribute which they may not use any more."""
        if attribute.enabled and not attribute.sensitive and not attribute.personal:
            return
        name = f"attribute.{top_level(attribute.path)}"
        rows = Audience.objects.filter(customer_id=attribute.customer_id)
        schedule_training([row.id for row in rows if name in _dependencies(row)], clock.now())


def _dependencies(audience: Audience) -> frozenset[str]:
    """Returns what the model in force depends on: nothing where there is none."""
    try:
        model = model_of(audience.id, audience.model_number) if audience.model_number else None
    except UndecodableModelError:
        return frozenset()
    return model.dependencies if model else frozenset()
