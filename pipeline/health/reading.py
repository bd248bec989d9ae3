"""Collects the facts about whole pages of things, in a few statements however many there are, and has them judged.

Nothing is counted here: the numbers are those that are kept while things change.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Any

from django.db.models import Count

from activation import services
from activation.delivery.circuit_breaker import COLUMNS, BreakerState
from activation.models import Activation, Backfill
from core import clock, problems
from core.buckets import BUCKETS
from core.database import bare_cursor
from core.models import Customer
from core.time_zones import DEFAULT, UnknownTimeZoneError, time_zone
from integrations.connectors.registry import all_connectors
from integrations.models import Platform
from pipeline.health import words
from pipeline.health.words import ActivationFacts, HealthWord, PlatformFacts, SendingFacts
from pipeline.models import Import
from profiles import pixel_activity
from profiles.models import Pixel

Counts = Mapping[int, Mapping[str, int]]

BREAKERS = f"SELECT h.platform_id, h.changed_at, {COLUMNS} FROM platform_health h WHERE h.platform_id = ANY(%s::int[])"
# some of the letters: any of them tells why, where all are refused
LETTERS = """
SELECT activation_id, reason FROM dead_letter
WHERE bucket = ANY(%s::smallint[]) AND platform_id = ANY(%s::int[]) AND activation_id = ANY(%s::int[]) LIMIT 200
"""
NOTHING: dict[str, int] = dict.fromkeys(("wanted", "acknowledged", "due", "waiting_for_mapping", "dead"), 0)


def of_activations(rows: Iterable[Activation], counts: Counts | None = None) -> dict[int, HealthWord]:
    """Return how each of these is doing, by id. `counts`: those of `activation.services`, where they are known."""
    found = list(rows)
    if not found:
        return {}
    known = services.counts_of(found) if counts is None else counts
    sending = _sending(Platform.objects.filter(pk__in={row.platform_id for row in found}))
    wrong = _problems_of(found)
    left = dict(
        Backfill.objects.filter(bucket__in=range(BUCKETS), activation_id__in=[row.pk for row in found])
        .values_list("activation_id")
        .annotate(Count("bucket"))
    )
    refusals = _refusals([row for row in found if known.get(row.pk, NOTHING)["dead"]])
    return {
        row.pk: words.of_activation(
            ActivationFacts(
                status=row.status,
                since=row.status_since or row.created_at,
                trouble=row.trouble,
                last_error=row.last_error,
                problem=wrong.get(row.pk, ""),
                progress=100 - -(-100 * left.get(row.pk, 0) // BUCKETS),
                refusal=refusals.get(row.pk, ""),
                sending=sending[row.platform_id],
                **{name: known.get(row.pk, NOTHING)[name] for name in NOTHING},
            )
        )
        for row in found
    }


def of_platforms(rows: Iterable[Platform]) -> dict[int, HealthWord]:
    """Return how each of these is doing, by `pl`."""
    found = list(rows)
    sending = _sending(found)
    by_platform: dict[int, list[Activation]] = defaultdict(list)
    activations = Activation.objects.filter(platform__in=[row.pk for row in found]).exclude(
        status=Activation.Status.ENDING
    )
    for activation in activations:
        by_platform[activation.platform_id].append(activation)
    counts = services.counts_of([one for each in by_platform.values() for one in each])
    return {row.pk: words.of_platform(_of_platform(sending[row.pk], by_platform[row.pk], counts)) for row in found}


def of_pixels(rows: Iterable[Pixel]) -> dict[int, HealthWord]:
    """Return how each of these is doing, by id."""
    found, now = list(rows), clock.now()
    zones = _zones(row.customer_id for row in found)
    seen = pixel_activity.of_pixels([row.pk for row in found])
    return {
        row.pk: words.of_pixel(
            seen[row.pk].last_at if row.pk in seen else None,
            seen[row.pk].events if row.pk in seen else 0,
            row.created_at,
            now,
            zones[row.customer_id],
        )
        for row in found
    }


def of_imports(rows: Iterable[Import]) -> dict[int, HealthWord]:
    """Return how each of these is doing, by id."""
    return {row.pk: words.of_import(row) for row in rows}


def _zones(customers: Iterable[int]) -> dict[int, tzinfo]:
    """Return the time zones of customers; UTC where this machine does not know one."""
    found = Customer.objects.filter(pk__in=set(customers)).values_list("pk", "time_zone")
    return {customer: _zone(name) for customer, name in found}


def _zone(name: str) -> tzinfo:
    try:
        return time_zone(name)
    except UnknownTimeZoneError:
        return time_zone(DEFAULT)


def _of_platform(sending: SendingFacts, activations: list[Activation], counts: Counts) -> PlatformFacts:
    broken = [one for one in activations if one.status == Activation.Status.BROKEN]
    since = [one.status_since for one in broken if one.status_since is not None]
    total = {
        name: sum(counts[one.pk][name] for one in activations) for name in ("wanted", "acknowledged", "due", "dead")
    }
    return PlatformFacts(
        sending=sending,
        activations=len(activations),
        broken=tuple((one.trouble, one.last_error) for one in broken),
        broken_since=min(since, default=None),
        **total,
    )


def _sending(platforms: Iterable[Platform]) -> dict[int, SendingFacts]:
    """Return what holds requests back, by platform."""
    found, now = list(platforms), clock.now()
    keys = [row.pk for row in found]
    with bare_cursor() as cursor:
        cursor.execute(BREAKERS, [keys])
        breakers: dict[int, tuple[datetime, BreakerState]] = {
            key: (changed, BreakerState(*state)) for key, changed, *state in cursor
        }
    wrong, connectors = problems.of(problems.Subject.PLATFORM, keys), all_connectors()
    zones = _zones(row.customer_id for row in found)
    return {
        row.pk: SendingFacts(
            now=now,
            zone=zones[row.customer_id],
            enabled=row.enabled,
            delivers=row.connector not in connectors or connectors[row.connector].delivers,
            problem=wrong.get(row.pk, "") if row.enabled else "",
            breaker=breakers[row.pk][1] if row.pk in breakers else BreakerState(),
            breaker_since=breakers[row.pk][0] if row.pk in breakers else None,
        )
        for row in found
    }


def _problems_of(rows: Collection[Activation]) -> dict[int, str]:
    """Return what is wrong with these activations, or with their audiences."""
    own = problems.of(problems.Subject.ACTIVATION, [row.pk for row in rows])
    audiences = problems.of(problems.Subject.AUDIENCE, {row.audience_id for row in rows})
    found = {row.pk: own.get(row.pk) or audiences.get(row.audience_id, "") for row in rows}
    return {key: text for key, text in found.items() if text}


def _refusals(rows: Collection[Activation]) -> dict[int, str]:
    """Return why ids of these were refused, as one of the dead letters says; not of each where there are many."""
    if not rows:
        return {}
    where: list[Any] = [list(range(BUCKETS)), sorted({row.platform_id for row in rows}), [row.pk for row in rows]]
    with bare_cursor() as cursor:
        cursor.execute(LETTERS, where)
        return dict(cursor.fetchall())
