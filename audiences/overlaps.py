"""Counts the users that several audiences share: exactly where the audiences are small, else estimated from buckets."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from audiences.estimates import ORDER
from audiences.models import Audience
from audiences.questions import question_cursor
from audiences.services import sizes
from core.buckets import BUCKETS

MOST = 10
STEP = 20  # for those who may not see persons
COUNTED = 200_000  # so many memberships are counted one and all; of more, about so many are a sample

TOGETHER = """
SELECT ids, count(*) FROM (
    SELECT array_agg(audience_id) AS ids FROM membership
    WHERE bucket = ANY(%s::smallint[]) AND audience_id = ANY(%s::int[]) AND member
    GROUP BY bucket, user_id
) AS users GROUP BY ids
"""


@dataclass(frozen=True, slots=True)
class OverlapPair:
    """Two audiences, how many users are in both, and what share of the smaller one that is (0 to 1)."""

    first: int
    second: int
    users: int
    share: float | None


@dataclass(frozen=True, slots=True)
class Overlap:
    """`all`: the users who are in every one of the audiences; `any`: in at least one."""

    sizes: dict[int, int]
    pairs: list[OverlapPair]
    all: int
    any: int
    exact: bool


def overlap(audiences: Sequence[Audience]) -> Overlap:
    """Returns the overlap of two to ten audiences of one customer.

    Raises TooManyQuestionsError, QuestionTooLongError.
    """
    ids = [audience.pk for audience in audiences]
    known = sizes(ids)
    rows = max(1, sum(known.values()))
    part = ORDER[: max(1, min(BUCKETS, BUCKETS * COUNTED // rows))]
    times = BUCKETS / len(part)
    groups = _together(audiences[0].customer_id, part, ids)
    pairs = [_pair(one, other, groups, times, known) for one, other in combinations(ids, 2)]
    return Overlap(
        known,
        pairs,
        round(sum(count for held, count in groups if len(held) == len(ids)) * times),
        round(sum(count for _, count in groups) * times),
        exact=len(part) == BUCKETS,
    )


def rough(found: Overlap) -> Overlap:
    """Returns the overlap for those who may not see persons: the numbers of shared users in whole steps, rounded down.

    Who chooses which audiences are laid over each other could single out a person. Fewer than a step are none.
    """
    pairs = [_rough_pair(pair, found.sizes) for pair in found.pairs]
    return Overlap(found.sizes, pairs, _down(found.all), _down(found.any), exact=False)


def _rough_pair(pair: OverlapPair, sizes: dict[int, int]) -> OverlapPair:
    users, smaller = _down(pair.users), min(sizes[pair.first], sizes[pair.second])
    return OverlapPair(pair.first, pair.second, users, round(users / smaller, 4) if smaller else None)


def _down(users: int) -> int:
    return users // STEP * STEP


def _together(customer: int, part: list[int], ids: list[int]) -> list[tuple[frozenset[int], int]]:
    with question_cursor(customer) as cursor:
        cursor.execute(TOGETHER, [part, ids])
        return [(frozenset(held), count) for held, count in cursor.fetchall()]


def _pair(
    one: int, other: int, groups: list[tuple[frozenset[int], int]], times: float, known: dict[int, int]
) -> OverlapPair:
    users = round(sum(count for held, count in groups if one in held and other in held) * times)
    smaller = min(known[one], known[other])
    users = min(users, smaller)
    return OverlapPair(one, other, users, round(users / smaller, 4) if smaller else None)
