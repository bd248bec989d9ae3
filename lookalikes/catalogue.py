"""Lookalikes as every evaluation knows them: a predicate and what it depends on, like any rule's."""

from dataclasses import dataclass

from audiences.models import Audience
from audiences.rules.evaluate import Predicate
from lookalikes.scoring.model import by_threshold
from lookalikes.stored import model_of, scorer_of


@dataclass(frozen=True, slots=True)
class Scored:
    """A lookalike in force. `audiences` are those whose members its model knows."""

    row: Audience
    predicate: Predicate
    dependencies: frozenset[str]
    audiences: frozenset[int]


def lookalikes_in_force() -> dict[int, Scored]:
    """Those that have a model and a threshold, and are not paused."""
    rows = Audience.objects.filter(kind=Audience.Kind.LOOKALIKE, model_number__isnull=False, threshold__isnull=False)
    found = {}
    for row in rows.filter(status__in=[Audience.Status.BUILDING, Audience.Status.LIVE]):
        model, score = model_of(row.id, row.model_number or 0), scorer_of(row.id, row.model_number or 0)
        if model is not None and score is not None and row.threshold is not None:
            names = model.dependencies
            asked = frozenset(int(name.partition(".")[2]) for name in names if name.startswith("audience."))
            found[row.id] = Scored(row, by_threshold(score, row.threshold), names, asked)
    return found
