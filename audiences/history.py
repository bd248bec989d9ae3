"""How an audience's size went, hour by hour and day by day, with entries and exits; and when it moved too far.

Entries and exits are counted per bucket, as sizes are. Once a minute their sums are noted under the present hour,
so each hour keeps what its last minute said.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from audiences.models import Audience, AudienceHour
from core import clock

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOURS_KEPT = timedelta(days=90)
MOST = {"hour": 24 * 90, "day": 3660}

NOW = """
SELECT a.id, COALESCE(sum(b.size), 0), COALESCE(sum(b.entered), 0), COALESCE(sum(b.gone), 0)
FROM audience a LEFT JOIN audience_bucket b ON b.audience_id = a.id WHERE a.id = ANY(%s) GROUP BY a.id
"""
NOTE = """
INSERT INTO audience_hour AS kept (audience_id, hour, size, entered, gone)
SELECT a.id, %s, COALESCE(sum(b.size), 0), COALESCE(sum(b.entered), 0), COALESCE(sum(b.gone), 0)
FROM audience a LEFT JOIN audience_bucket b ON b.audience_id = a.id GROUP BY a.id ORDER BY a.id
ON CONFLICT (audience_id, hour) DO UPDATE SET size = excluded.size, entered = excluded.entered, gone = excluded.gone
WHERE (kept.size, kept.entered, kept.gone) IS DISTINCT FROM (excluded.size, excluded.entered, excluded.gone)
"""
THIN_OUT = """
DELETE FROM audience_hour h WHERE h.hour < %s AND EXISTS (
    SELECT FROM audience_hour later WHERE later.audience_id = h.audience_id AND later.hour > h.hour
    AND date_trunc('day', later.hour, 'UTC') = date_trunc('day', h.hour, 'UTC'))
"""
BASE = """
SELECT DISTINCT ON (audience_id) audience_id, size, hour FROM audience_hour
WHERE audience_id = ANY(%s) AND hour >= %s AND hour < %s ORDER BY audience_id, hour
"""


@dataclass(frozen=True, slots=True)
class Point:
    """An hour or a day, by its beginning: the size at its end (of the present one: now), who entered and who left."""

    at: datetime
    size: int
    entered: int
    left: int


@dataclass(frozen=True, slots=True)
class Alert:
    """The size moved by more than the audience's `alert_percent` since a moment, at most a day ago."""

    since: datetime
    before: int
    now: int
    percent: float


def note() -> None:
    """Note the present hour of every audience, and keep of old days the last hour only."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(NOTE, [_hour(now)])
        cursor.execute(THIN_OUT, [now - HOURS_KEPT])


def history(audience: Audience, step: str, most: int) -> list[Point]:
    """Up to `most` hours or days (`step`), oldest first, the present one at the end; those without a note are as the
    one before.
    """
    length = DAY if step == "day" else HOUR
    now = clock.now()
    last = _begin(now, length)
    first = last - (most - 1) * length
    rows = AudienceHour.objects.filter(audience=audience, hour__lt=now).order_by("hour")
    earlier = rows.filter(hour__lt=first).last()
    noted = {_begin(row.hour, length): (row.size, row.entered, row.gone) for row in rows.filter(hour__gte=first)}
    noted[last] = _present([audience.pk]).get(audience.pk, (0, 0, 0))
    before = (earlier.size, earlier.entered, earlier.gone) if earlier else (0, 0, 0)
    begin = first if earlier else min(noted)
    return _points(noted, before, begin, last, length)


def alerts(audiences: Iterable[Audience]) -> dict[int, Alert]:
    """Which of these audiences moved by more than they may within a day."""
    watched = {one.pk: one for one in audiences if one.alert_percent is not None and one.status == one.Status.LIVE}
    if not watched:
        return {}
    now = clock.now()
    present = _present(list(watched))
    with connection.cursor() as cursor:
        cursor.execute(BASE, [list(watched), _hour(now) - DAY, _hour(now)])
        bases = cursor.fetchall()
    found = {}
    for key, before, hour in bases:
        size = present[key][0]
        moved = 100 * abs(size - before) / max(1, before)
        if moved > (watched[key].alert_percent or 0):
            found[key] = Alert(hour, before, size, round(moved, 1))
    return found


def _points(
    noted: dict[datetime, tuple[int, int, int]],
    before: tuple[int, int, int],
    begin: datetime,
    last: datetime,
    length: timedelta,
) -> list[Point]:
    points = []
    while begin <= last:
        size, entered, gone = noted.get(begin, before)
        points.append(Point(begin, size, entered - before[1], gone - before[2]))
        before = (size, entered, gone)
        begin += length
    return points


def _present(ids: list[int]) -> dict[int, tuple[int, int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(NOW, [ids])
        return {key: (int(size), int(entered), int(gone)) for key, size, entered, gone in cursor.fetchall()}


def _hour(moment: datetime) -> datetime:
    return _begin(moment, HOUR)


def _begin(moment: datetime, length: timedelta) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // length.total_seconds() * length.total_seconds(), UTC)
