"""What a lookalike may learn from: all fields but those that decide about the seed and those that must not be used."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Q

from audiences.models import Audience
from audiences.references import dependencies_of_audiences
from audiences.rules.dependencies import (
    AudienceDependencies,
    audiences_beneath,
    is_built_on_lookalike,
    with_each_pixel,
)
from audiences.schema import schema_of
from lookalikes.training.choosing import Candidates
from profiles.models import Attribute, Pixel
from profiles.paths import top_level


@dataclass(frozen=True, slots=True)
class TrainingScope:
    """What a model may learn from. `names`: what people call things, by dependency. `excluded`: what the model may not
    use, in words, each with the reason.
    """

    candidates: Candidates
    names: dict[str, str]
    excluded: dict[str, str]


def scope_of(audience: Audience) -> TrainingScope:
    """Returns what may be looked at for this lookalike."""
    customer, seed = audience.customer_id, audience.seed_id or 0
    known, hidden = dependencies_of_audiences(customer), hidden_attributes(customer)
    deciding = dependencies_of_seed(seed, known)
    usable, excluded_audiences = usable_audiences(seed, known, hidden)
    schema, names = schema_of(customer), _names(customer)
    excluded = {_name_of(one, names): "decides about the seed" for one in sorted(deciding) if _is_field(one)}
    excluded |= {_name_of(one, names): f"it {reason}" for one, reason in hidden.items()}
    excluded |= {f"audience {names[f'audience.{one}']}": reason for one, reason in excluded_audiences.items()}
    left_out = with_each_pixel(deciding | hidden.keys(), schema.pixels)
    return TrainingScope(Candidates(schema.attributes, sorted(schema.pixels), usable, left_out), names, excluded)


def dependencies_of_seed(seed: int, known: Mapping[int, AudienceDependencies]) -> frozenset[str]:
    """Returns the dependencies that decide who is in the seed: they would give the answer away."""
    under = audiences_beneath(seed, known)
    of_rules = (known[one].names for one in under if one in known)
    return frozenset().union(*of_rules) | {f"audience.{one}" for one in under}


def usable_audiences(
    seed: int, known: Mapping[int, AudienceDependencies], hidden: Iterable[str]
) -> tuple[list[int], dict[int, str]]:
    """Returns the audiences from which a model may learn, and those it may not, each with the reason.

    `hidden` are dependencies by which nobody should be judged.
    """
    deciding, sensitive = dependencies_of_seed(seed, known), frozenset(hidden)
    usable: list[int] = []
    excluded: dict[int, str] = {}
    for one in sorted(known):
        under = audiences_beneath(one, known)
        learnt = frozenset().union(*(known[other].names for other in under if other in known))
        if is_built_on_lookalike(one, known):
            excluded[one] = "has a lookalike beneath it"
        elif seed in under or f"audience.{one}" in deciding or learnt & deciding:
            excluded[one] = "decides about the seed, or follows from it"
        elif learnt & sensitive:
            excluded[one] = "asks about a sensitive attribute"
        else:
            usable.append(one)
    return usable, excluded


def hidden_attributes(customer: int) -> dict[str, str]:
    """Returns the dependencies by which nobody is to be judged, with the reason."""
    rows = Attribute.objects.filter(Q(sensitive=True) | Q(personal=True), customer_id=customer)
    return {
        f"attribute.{top_level(row.path)}": "is sensitive" if row.sensitive else "holds personal data" for row in rows
    }


def _is_field(dependency: str) -> bool:
    return dependency.startswith(("attribute.", "dimension.", "pixel."))


def _name_of(dependency: str, names: dict[str, str]) -> str:
    if dependency.startswith("pixel."):
        return f"pixel {names.get(dependency, '')}"
    return names.get(dependency, dependency.partition(".")[2])


def _names(customer: int) -> dict[str, str]:
    """Returns what people call things, by dependency; nested attributes by their path."""
    named = {f"attribute.{row.path}": str(row) for row in Attribute.objects.filter(customer_id=customer)}
    named |= {f"pixel.{row.id}": row.name for row in Pixel.objects.filter(customer_id=customer)}
    return named | {f"audience.{row.id}": row.name for row in Audience.objects.filter(customer_id=customer)}
