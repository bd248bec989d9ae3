"""What may be done with an audience."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Sum

from audiences.catalogue import asked_audiences
from audiences.commands import Build, encode
from audiences.lookalikes.graph import check_rule, learnt_from
from audiences.models import Audience, AudienceBucket, Membership
from audiences.rules.faults import Fault, RuleError
from audiences.rules.nodes import Group
from audiences.rules.parse import parse
from audiences.schema import schema_of, schemas
from edge.buckets import BUCKETS
from edge.commands import Command
from edge.kinds import Kind
from edge.models import Customer
from edge.transactions import send


def create_audience(customer: Customer, name: str, rule: Any) -> Audience:
    """A new audience; it is built from the profiles that are there, and exact from then on.

    Raises `RuleError` with every place at which the rule cannot work.
    """
    parse(rule, schema_of(customer.m))
    with transaction.atomic():
        audience = Audience.objects.create(customer=customer, name=name, rule=rule)
        _build(audience)
    return audience


def change_rule(audience: Audience, rule: Any) -> None:
    """Give the audience another rule; members enter and leave while it is rebuilt."""
    with transaction.atomic():
        locked = Audience.objects.select_for_update().get(id=audience.id)
        parsed = parse(rule, schema_of(locked.customer_id))
        _refuse_cycle(locked, parsed)
        check_rule(locked, parsed)
        locked.rule = rule
        locked.version += 1
        if locked.status == Audience.Status.LIVE:
            locked.status = Audience.Status.BUILDING
        locked.save()
        _build(locked)
    audience.refresh_from_db()


def pause_audience(audience: Audience) -> None:
    """Freeze the members as they are."""
    audience.status = Audience.Status.PAUSED
    audience.save(update_fields=["status"])


def resume_audience(audience: Audience) -> None:
    """Evaluate again: members become what the rule says now."""
    with transaction.atomic():
        audience.version += 1
        audience.status = Audience.Status.BUILDING
        audience.save(update_fields=["status", "version"])
        _build(audience)


class AudienceInUse(ValueError):
    """The audience cannot go: something stands on it. The message names what."""


def delete_audience(audience: Audience) -> None:
    """Forget an audience that is activated nowhere and that no other audience asks about."""
    if audience.activations.exists():
        raise AudienceInUse("it is still activated: delete its activations first")
    lookalikes = [other.name for other in audience.lookalikes.all()]
    if lookalikes:
        raise AudienceInUse(f"lookalikes have their seed here: {', '.join(lookalikes)}")
    askers = [other.name for other in _askers(audience)]
    if askers:
        raise AudienceInUse(f"other audiences ask about it: {', '.join(askers)}")
    with transaction.atomic():
        Membership.objects.filter(audience_id=audience.id).delete()
        AudienceBucket.objects.filter(audience_id=audience.id).delete()
        audience.delete()


def sizes(ids: Iterable[int]) -> dict[int, int]:
    """How many members each of these audiences has."""
    wanted = list(ids)
    counted = AudienceBucket.objects.filter(audience_id__in=wanted).values("audience_id").annotate(n=Sum("size"))
    return dict.fromkeys(wanted, 0) | {row["audience_id"]: row["n"] for row in counted}


def size(audience: Audience) -> int:
    return sizes([audience.id])[audience.id]


def finish_builds() -> int:
    """Set audiences live whose every bucket holds the members of the present rule; answers how many."""
    finished = 0
    for audience in Audience.objects.filter(status=Audience.Status.BUILDING):
        built = AudienceBucket.objects.filter(audience_id=audience.id, version=audience.version)
        if built.aggregate(n=Count("bucket"))["n"] == BUCKETS:
            same = Audience.objects.filter(id=audience.id, version=audience.version, status=Audience.Status.BUILDING)
            finished += same.update(status=Audience.Status.LIVE)
    return finished


def _build(audience: Audience) -> None:
    message = encode(Build(audience.id, audience.version))
    now = datetime.now(UTC)
    send([Command(bucket, Kind.BUILD, message, now) for bucket in range(BUCKETS)])


def _asks() -> dict[int, set[int]]:
    """What each audience looks at: by its rule, or by its model."""
    known = schemas()
    return {
        row.id: set(learnt_from(row)) if row.rule is None else asked_audiences(parse(row.rule, known(row.customer_id)))
        for row in Audience.objects.all()
    }


def _askers(audience: Audience) -> list[Audience]:
    """Those whose rules ask about it. A model goes on without it."""
    asking = [key for key, asked in _asks().items() if audience.id in asked]
    return list(Audience.objects.filter(id__in=asking, kind=Audience.Kind.CUSTOM))


def _refuse_cycle(audience: Audience, rule: Group) -> None:
    """An audience cannot ask about itself, neither directly nor through others."""
    asks = _asks() | {audience.id: asked_audiences(rule)}
    pending, reached = list(asks[audience.id]), set[int]()
    while pending:
        asked = pending.pop()
        if asked == audience.id:
            raise RuleError([Fault("", "the audience asks about itself, directly or through other audiences")])
        if asked not in reached:
            reached.add(asked)
            pending.extend(asks.get(asked, ()))
