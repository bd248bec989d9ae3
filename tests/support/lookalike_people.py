"""A shop with people of two kinds: those of the harbour buy much and are often in the seed."""

import random
import uuid
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from audiences import services as audiences
from audiences.models import Audience
from lookalikes.jobs.run import run_due_jobs
from lookalikes.services import create_lookalike
from pipeline.lookalike_moves import move_members
from profiles.models import Attribute, Profile
from profiles.user_counts import COUNT
from tests.support.shop import DAY, Shop, now_ms, rule

PEOPLE = 1_200
IN_BUCKETS = 6  # everybody lives there: looking at empty ones takes time too
BORN = datetime(2024, 1, 1, tzinfo=UTC)


def settle(shop: Shop, people: int = PEOPLE, *, chance: bool = False) -> None:
    """Profiles as absorb would leave them. `chance`: nothing about them says who is keen."""
    draw = random.Random(7)
    for path, type_ in (("keen", "boolean"), ("city", "string"), ("age", "integer"), ("born", "time")):
        Attribute.objects.create(customer=shop.customer, path=path, type=type_, enabled=True)
    rows = [_somebody(shop, draw, chance) for _ in range(people)]
    Profile.objects.bulk_create(rows)
    _count(shop, rows)


def _somebody(shop: Shop, draw: random.Random, chance: bool) -> Profile:
    user = UUID(int=draw.getrandbits(120) << 8 | draw.randrange(IN_BUCKETS))
    harbour = draw.random() < 0.3
    keen = draw.random() < (0.3 if chance else 0.7 if harbour else 0.1)
    last = now_ms() - draw.randint(0, 60) * DAY
    attributes = {
        "city": "Harbour" if harbour else draw.choice(["Hill", "Valley", "Plain"]),
        "age": draw.randint(18, 80),
        "keen": keen,
        "born": draw.randint(0, 1_000_000_000),
    }
    total = draw.randint(1, 4) + (3 if harbour else 0)
    activity = {"first": last, "last": last, "total": total, "days": {str(last // DAY): total}}
    return Profile(
        bucket=user.int & 0xFF,
        customer_id=shop.customer.m,
        user_id=user,
        attributes=attributes,
        dimensions={"_geo_c": "DEU"},
        activity={str(shop.pixel.id): activity},
        confirmed=True,
        created_at=BORN,
        updated_at=BORN,
    )


def _count(shop: Shop, rows: list[Profile]) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for bucket in range(256):
            here = sum(row.bucket == bucket for row in rows)
            if here:
                cursor.execute(COUNT, [[bucket], [shop.customer.m], [here]])


def keen(shop: Shop) -> Audience:
    """The seed."""
    seed = shop.audience("keen", rule("attribute.keen", "=", True))
    audiences.finish_builds()
    seed.refresh_from_db()
    return seed


def run_jobs() -> None:
    """Run the lookalike jobs that are due, in this process."""
    run_due_jobs(move_members, processes=0)


def lookalike(shop: Shop, seed: Audience, reach: Any = None, **more: Any) -> Audience:
    """Learnt and scored."""
    made = create_lookalike(shop.customer, f"like {seed.name} {uuid.uuid4()}", seed, reach or {"percent": 10}, **more)
    run_jobs()
    audiences.finish_builds()
    made.refresh_from_db()
    return made
