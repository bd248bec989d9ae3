"""Estimates how many users a rule describes, and how many a change of it would move.

Few users are counted one by one; of many, whole buckets are a sample: users are spread over buckets by chance. The same
buckets are taken each time, so that two rules differ by what they say and not by chance.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from audiences.building import ELIGIBLE, TABLES
from audiences.models import Audience
from audiences.questions import question_cursor
from audiences.rules.nodes import Group
from audiences.rules.parse import expiring
from audiences.rules.sql import to_sql
from core import clock
from core.arrays import SmallInts
from core.buckets import BUCKETS
from core.clock import milliseconds
from profiles.user_counts import known_users

COUNTED = 20_000  # so many users are counted one and all; of more, about so many are a sample
SECONDS = 0.15
SHOWN = 10
SIGMAS = 1.96  # the margin holds 95 times in 100
ORDER = [bucket * 97 % BUCKETS for bucket in range(BUCKETS)]

MEASURE = """
WITH truth AS MATERIALIZED (
    SELECT p.user_id, {member} AS holds, {known} AS known, COALESCE(m.member, false) AS member
    FROM profile p
    LEFT JOIN membership m ON m.bucket = p.bucket AND m.audience_id = %s AND m.user_id = p.user_id
    WHERE p.bucket = ANY(%s) AND p.customer_id = %s AND {eligible}
)
SELECT count(*), count(*) FILTER (WHERE holds), count(*) FILTER (WHERE holds AND NOT member),
       count(*) FILTER (WHERE member AND NOT holds), count(*) FILTER (WHERE holds AND NOT known),
       (array_agg(user_id) FILTER (WHERE holds))[:10]
FROM truth
"""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of users; the true number lies from `low` to `high` 95 times in 100."""

    estimate: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class RuleEstimate:
    """How many users a rule describes. `enter` and `leave`: how many would enter and leave an audience by it.

    `unknown`: how many it describes only because they have no value for what it asks. `sample`: up to ten of the users
    whom it describes.
    """

    members: Estimate
    enter: Estimate
    leave: Estimate
    unknown: Estimate
    exact: bool
    sample: list[UUID]


@dataclass(slots=True)
class _Sampled:
    users: int = 0
    hits: tuple[int, ...] = (0, 0, 0, 0)
    buckets: int = 0


def estimate_rule(
    customer: int, rule: Group, audience: Audience | None = None, *, where_known: Group | None = None
) -> RuleEstimate:
    """Apply a rule, with the audience's `ttl`, to the customer's users, and compare with the members it has now.

    `where_known`: the rule without those of whom something is unknown (`audiences.asked_rules`), if it is another.
    Raises TooManyQuestionsError, QuestionTooLongError.
    """
    rule = expiring(rule, audience.ttl_ms if audience else None)
    known, now_ms = known_users().get(customer, 0), milliseconds(clock.now())
    text, values = to_sql(rule, now_ms=now_ms, tables=TABLES)
    known_text, known_values = "true", list[Any]()
    if where_known is not None:
        known_text, known_values = to_sql(where_known, now_ms=now_ms, tables=TABLES)
    values += known_values
    statement = MEASURE.format(member=text, known=known_text, eligible=ELIGIBLE)
    seen, sample = _Sampled(), list[UUID]()
    end = time.monotonic() + SECONDS
    with question_cursor(customer) as cursor:
        for part in _parts(known):
            cursor.execute(statement, [*values, audience.pk if audience else 0, SmallInts.of(part), customer])
            users, *hits, found = cursor.fetchone() or (0, 0, 0, 0, 0, None)
            hit = tuple(before + now for before, now in zip(seen.hits, hits, strict=True))
            seen = _Sampled(seen.users + users, hit, seen.buckets + len(part))
            sample += found or []
            if seen.buckets < BUCKETS and (seen.users >= COUNTED or time.monotonic() >= end):
                break
    exact = seen.buckets == BUCKETS
    total = seen.users if exact else max(known, seen.users)
    members, enter, leave, unknown = (estimate_from_sample(hits, seen.users, total) for hits in seen.hits)
    return RuleEstimate(members, enter, leave, unknown, exact, sample[:SHOWN])


def _parts(known: int) -> Iterator[list[int]]:
    """Yields all buckets at once where the users are few, else one after the other."""
    if known <= COUNTED:
        yield ORDER
    else:
        yield from ([bucket] for bucket in ORDER)


def estimate_from_sample(hits: int, seen: int, total: int) -> Estimate:
    """Returns what `hits` of `seen` users say of all (Wilson's interval: none seen does not mean none)."""
    if seen >= total:
        return Estimate(hits, hits, hits)
    share, weight = hits / seen if seen else 0.0, SIGMAS**2 / max(1, seen)
    rest = 1 - seen / total  # what was seen is certain
    middle = (share + weight / 2) / (1 + weight)
    margin = SIGMAS / (1 + weight) * math.sqrt(share * (1 - share) / max(1, seen) * rest + weight / (4 * max(1, seen)))
    low = max(hits, math.floor(total * (middle - margin)))
    high = min(total - seen + hits, math.ceil(total * (middle + margin)))
    middle_count = round(total * share)
    return Estimate(middle_count, min(low, middle_count), max(high, middle_count))
