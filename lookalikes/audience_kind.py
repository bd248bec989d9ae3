"""Lookalikes as audiences see them: a kind of audience that is decided by a model instead of a rule.

`lookalikes.apps` registers it with `audiences.kinds`. It runs in every process that evaluates audiences, so it must
never import what is large (numpy, scikit-learn).
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from audiences.kinds import DecidedAudience
from audiences.models import Audience
from audiences.rules.dependencies import audiences_among
from audiences.rules.subject import Subject
from core import clock
from lookalikes.models import LookalikeModel
from lookalikes.schedule import schedule_training
from lookalikes.scoring.model import LinearModel, Scorer, decode_model, scorer, threshold_predicate
from profiles.models import Attribute
from profiles.paths import split_path


@lru_cache(maxsize=64)
def model_of(audience: int, number: int) -> LinearModel | None:
    """Returns a stored model; None where it was refused, or was deleted with its audience.

    It is read once a process, since a numbered model never changes.
    """
    content = LookalikeModel.objects.filter(audience_id=audience, number=number).values_list("content", flat=True)
    return next((decode_model(bytes(one)) for one in content if one is not None), None)


@lru_cache(maxsize=64)
def scorer_of(audience: int, number: int) -> Scorer | None:
    """Returns the function that scores by a stored model; None where there is no such model."""
    model = model_of(audience, number)
    return scorer(model) if model else None


class LookalikeKind:
    """What `audiences.kinds.AudienceKind` asks for."""

    def in_force(self) -> Collection[DecidedAudience]:
        """Returns the lookalikes that have a model and a threshold, and are not paused."""
        rows = Audience.objects.filter(
            kind=Audience.Kind.LOOKALIKE, model_number__isnull=False, threshold__isnull=False
        )
        found = []
        for row in rows.filter(status__in=[Audience.Status.BUILDING, Audience.Status.LIVE]):
            model, score = model_of(row.id, row.model_number or 0), scorer_of(row.id, row.model_number or 0)
            if model is not None and score is not None and row.threshold is not None:
                names = model.dependencies
                found.append(
                    DecidedAudience(row, threshold_predicate(score, row.threshold), names, audiences_among(names))
                )
        return found

    def asked_audiences(self, audience: Audience) -> frozenset[int]:
        """Returns the audiences whose members the model in force knows."""
        return audiences_among(_dependencies(audience))

    def explain(self, audience: Audience, subject: Subject, now_ms: int) -> dict[str, Any]:
        """Returns `true`, `score`, `threshold`, and the `chance` to be in the seed as learnt; all None until a model
        is in force. `subject` knows its memberships of the audiences that the model knows.
        """
        number = audience.model_number or 0
        model, score = model_of(audience.pk, number), scorer_of(audience.pk, number)
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
        name = f"attribute.{split_path(attribute.path)[0]}"
        rows = Audience.objects.filter(customer_id=attribute.customer_id)
        schedule_training([row.id for row in rows if name in _dependencies(row)], clock.now())


def _dependencies(audience: Audience) -> frozenset[str]:
    """Returns what the model in force depends on: nothing where there is none."""
    model = model_of(audience.id, audience.model_number) if audience.model_number else None
    return model.dependencies if model else frozenset()
