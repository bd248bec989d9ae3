"""Models as they are kept; read once a process, since a numbered model never changes."""

from functools import lru_cache

from lookalikes.models import LookalikeModel
from lookalikes.scoring.model import Model, Scorer, decode_model, scorer


@lru_cache(maxsize=64)
def model_of(audience: int, number: int) -> Model | None:
    """None where it was refused, or has been forgotten with its audience."""
    content = LookalikeModel.objects.filter(audience_id=audience, number=number).values_list("content", flat=True)
    return next((decode_model(bytes(one)) for one in content if one is not None), None)


@lru_cache(maxsize=64)
def scorer_of(audience: int, number: int) -> Scorer | None:
    model = model_of(audience, number)
    return scorer(model) if model else None
