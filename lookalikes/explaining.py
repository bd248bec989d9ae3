"""Why a user is in a lookalike or not: the score against the threshold."""

from typing import Any

from audiences.models import Audience
from audiences.rules.subject import Subject
from lookalikes.stored import model_of, scorer_of


def score_tree(audience: Audience, subject: Subject, now_ms: int) -> dict[str, Any]:
    """In place of a rule's tree: `true`, `score`, `threshold`, and the `chance` to be in the seed as learnt.

    All None until a model is in force. `subject` knows its memberships of the audiences that its model knows.
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
