"""What an audience was: its versions, with who made each; and its size by hour and by day, with entries and exits.

Entries and exits are counted per bucket, as sizes are. Once a minute their sums are noted under the present hour, so
each hour keeps what its last minute said.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from audiences.models import Audience, AudienceHour, AudienceVersion
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
class SizePoint:
    """An hour or a day, by its beginning: the size at its end (of the present one: now), who entered and who left."""

    at: datetime
    size: int
    entered: int
    left: int


@dataclass(frozen=True, slots=True)
class SizeAlert:
    """The size moved by more than the audience's `alert_percent` since a moment, at most a day ago."""

    since: datetime
    before: int
    now: int
    percent: float


class NoSuchVersionError(ValueError):
    """The audience never was in that version, or the hub kept none so old."""


def keep_version(audience: Audience, change: str, by: str) -> None:
    """Store what the audience is now as a version. Called in the transaction that changed the audience."""
    AudienceVersion.objects.create(
        audience=audience,
        version=audience.version,
        rule=audience.rule,
        ttl=audience.ttl,
        change=change,
        by=by[:200],
        at=clock.now(),
    )


def version_of(audience: Audience, version: int) -> AudienceVersion:
    """Returns what the audience was in a version. Raises `NoSuchVersionError`."""
    found = AudienceVersion.objects.filter(audience=audience, version=version).first()
    if found is None:
        raise NoSuchVersionError(f"the audience has no version {version}")
    return found


def note_sizes() -> None:
    """Note the sizes of all audiences under the present hour; of old days keep only the last hour."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(NOTE, [_hour(now)])
        cursor.execute(THIN_OUT, [now - HOURS_KEPT])


def history(audience: Audience, step: str, most: int) -> list[SizePoint]:
    """Returns up to `most` hours or days (`step`), oldest first, the present one at the end. An hour or a day without a
    note is as the one before it.
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


def alerts(audiences: Iterable[Audience]) -> dict[int, SizeAlert]:
    """Returns those of the audiences whose size moved by more than their `alert_percent` within a day."""
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
            found[key] = SizeAlert(hour, before, size, round(moved, 1))
    return found


def _points(
    noted: dict[datetime, tuple[int, int, int]],
    before: tuple[int, int, int],
    begin: datetime,
    last: datetime,
    length: timedelta,
) -> list[SizePoint]:
    points = []
    while begin <= last:
        size, entered, gone = noted.get(begin, before)
        points.append(SizePoint(begin, size, entered - before[1], gone - before[2]))
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
