"""How well the users of a customer are matched with a platform: now, and at the end of each day."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection

from core import clock
from integrations.models import Platform
from profiles.user_counts import known_users
from usersync.models import MatchDay
from usersync.services import mapped_users, newest_sync

KEEP = """
INSERT INTO match_day (platform_id, day, known, mapped, newest_sync)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (platform_id, day) DO UPDATE SET
    known = excluded.known, mapped = excluded.mapped, newest_sync = excluded.newest_sync
"""


@dataclass(frozen=True, slots=True)
class MatchRate:
    """How many of the customer's `known` users are `mapped` on the platform."""

    known: int
    mapped: int

    @property
    def share(self) -> float | None:
        """From 0 to 1; None if nobody is known."""
        return round(min(1.0, self.mapped / self.known), 4) if self.known else None


@dataclass(frozen=True, slots=True)
class MatchRateDay:
    """The rate at the end of a UTC day; of today, the rate now."""

    day: date
    rate: MatchRate


def rate(platform: Platform) -> MatchRate:
    """Returns the present rate."""
    return MatchRate(known_users().get(platform.customer_id, 0), mapped_users().get(platform.pl, 0))


def days(platform: Platform, most: int) -> list[MatchRateDay]:
    """Returns up to `most` days that were kept, oldest first, and today's present rate as the last."""
    today = _today()
    rows = MatchDay.objects.filter(platform_id=platform.pl, day__lt=today, day__gt=today - timedelta(days=most))
    past = [MatchRateDay(row.day, MatchRate(row.known, row.mapped)) for row in rows.order_by("day")]
    return [*past, MatchRateDay(today, rate(platform))]


def keep_today() -> None:
    """Save the present rate of each platform for today. The last call of a day decides."""
    known, mapped, day = known_users(), mapped_users(), _today()
    with connection.cursor() as cursor:
        for platform in Platform.objects.order_by("pl"):
            values = (known.get(platform.customer_id, 0), mapped.get(platform.pl, 0), newest_sync(platform.pl))
            cursor.execute(KEEP, [platform.pl, day, *values])


def _today() -> date:
    return clock.now().date()
