"""What a model must not learn from: what makes somebody a member of the seed, and what nobody should be judged by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """What an audience stands on: the dependencies of its rule (none: a lookalike), and the audiences among them.

    A lookalike stands on its seed.
    """

    dependencies: frozenset[str]
    audiences: frozenset[int]
    lookalike: bool = False


def beneath(audience: int, standings: Mapping[int, Standing]) -> set[int]:
    """The audience and all on which it stands, at any depth."""
    reached, pending = set[int](), [audience]
    while pending:
        one = pending.pop()
        if one not in reached:
            reached.add(one)
            pending.extend(standings[one].audiences if one in standings else ())
    return reached


def stands_on_lookalike(audience: int, standings: Mapping[int, Standing]) -> bool:
    return any(standings[one].lookalike for one in beneath(audience, standings) if one in standings)


def defining(seed: int, standings: Mapping[int, Standing]) -> frozenset[str]:
    """What decides about the seed's members: they would give the answer away."""
    under = beneath(seed, standings)
    of_rules = (standings[one].dependencies for one in under if one in standings)
    return frozenset().union(*of_rules) | {f"audience.{one}" for one in under}


def telling_audiences(
    seed: int, standings: Mapping[int, Standing], hidden: Iterable[str]
) -> tuple[list[int], dict[int, str]]:
    """The audiences from which a model may learn, and those it may not, each with the reason.

    `hidden` are dependencies by which nobody should be judged.
    """
    answers, sensitive = defining(seed, standings), frozenset(hidden)
    usable: list[int] = []
    excluded: dict[int, str] = {}
    for one in sorted(standings):
        under = beneath(one, standings)
        known = frozenset().union(*(standings[other].dependencies for other in under if other in standings))
        if stands_on_lookalike(one, standings):
            excluded[one] = "has a lookalike beneath it"
        elif seed in under or f"audience.{one}" in answers or known & answers:
            excluded[one] = "decides about the seed, or follows from it"
        elif known & sensitive:
            excluded[one] = "asks about a sensitive attribute"
        else:
            usable.append(one)
    return usable, excluded
