"""What a model must not learn from: what makes somebody a member of the seed, and what nobody should be judged by."""

from collections.abc import Iterable, Mapping

from audiences.rules.dependencies import AudienceDependencies, audiences_beneath, is_built_on_lookalike


def defining(seed: int, known: Mapping[int, AudienceDependencies]) -> frozenset[str]:
    """What decides about the seed's members: they would give the answer away."""
    under = audiences_beneath(seed, known)
    of_rules = (known[one].names for one in under if one in known)
    return frozenset().union(*of_rules) | {f"audience.{one}" for one in under}


def telling_audiences(
    seed: int, known: Mapping[int, AudienceDependencies], hidden: Iterable[str]
) -> tuple[list[int], dict[int, str]]:
    """The audiences from which a model may learn, and those it may not, each with the reason.

    `hidden` are dependencies by which nobody should be judged.
    """
    answers, sensitive = defining(seed, known), frozenset(hidden)
    usable: list[int] = []
    excluded: dict[int, str] = {}
    for one in sorted(known):
        under = audiences_beneath(one, known)
        learnt = frozenset().union(*(known[other].names for other in under if other in known))
        if is_built_on_lookalike(one, known):
            excluded[one] = "has a lookalike beneath it"
        elif seed in under or f"audience.{one}" in answers or learnt & answers:
            excluded[one] = "decides about the seed, or follows from it"
        elif learnt & sensitive:
            excluded[one] = "asks about a sensitive attribute"
        else:
            usable.append(one)
    return usable, excluded
