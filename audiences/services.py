"""What other rooms may ask of audiences: create, change, pause, delete, and how large they are."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Sum

from audiences import history
from audiences.attributes import convert_what_is_stored
from audiences.messages import BuildAudience, ForgetAudience
from audiences.models import Audience, AudienceBucket
from audiences.references import audiences_asking, lock_references, refuse_cycle, refuse_lookalike_beneath_seed
from audiences.rules.parse import parse
from audiences.rules.values import parse_duration
from audiences.schema import depends_on_zone, schema_of
from core.buckets import BUCKETS
from core.inbox import InboxKind
from core.models import Customer
from core.transactions import send_to_every_bucket

_EVALUATED = (Audience.Status.BUILDING, Audience.Status.LIVE)


def create_audience(
    customer: Customer, name: str, rule: Any, *, by: str = "", ttl: str = "", alert_percent: int | None = None
) -> Audience:
    """Create an audience. It is built from the stored profiles, and exact from then on. `by`: who creates it.

    Raises `RuleError` with every place at which the rule cannot work, `ValidationError` for a wrong `ttl`.
    """
    parse(rule, schema_of(customer.m))
    _check_ttl(ttl)
    with transaction.atomic():
        audience = Audience.objects.create(
            customer=customer, name=name, rule=rule, ttl=ttl, alert_percent=alert_percent
        )
        history.keep_version(audience, "made", by)
        build(audience)
    return audience


def change_rule(
    audience: Audience, rule: Any, *, ttl: str | None = None, by: str = "", change: str = "rule changed"
) -> None:
    """Give the audience another rule (and `ttl`, where one is given); members enter and leave while it is rebuilt."""
    with transaction.atomic():
        lock_references(audience.customer_id)
        locked = _locked(audience)
        parse(rule, schema_of(locked.customer_id))
        refuse_cycle(locked, rule)
        refuse_lookalike_beneath_seed(locked, rule)
        if ttl is not None:
            _check_ttl(ttl)
            locked.ttl = ttl
        locked.rule = rule
        locked.version += 1
        if locked.status == Audience.Status.LIVE:
            locked.status = Audience.Status.BUILDING
        locked.save()
        history.keep_version(locked, change, by)
        build(locked)
    audience.refresh_from_db()


def go_back(audience: Audience, version: int, *, by: str = "") -> None:
    """Give the audience the rule and the `ttl` it had in a version.

    Raises `NoSuchVersionError`, or `RuleError` where that rule cannot work any more.
    """
    earlier = history.version_of(audience, version)
    change_rule(audience, earlier.rule, ttl=earlier.ttl, by=by, change=f"went back to version {version}")


def pause_audience(audience: Audience, *, by: str = "") -> None:
    """Freeze the members as they are."""
    _set_status(audience, Audience.Status.PAUSED, "paused", by)


def resume_audience(audience: Audience, *, by: str = "") -> None:
    """Evaluate again: members become what the rule says now."""
    with transaction.atomic():
        _set_status(audience, Audience.Status.BUILDING, "resumed", by)
        build(audience)


def follow_time_zone(customer: int, *, by: str = "") -> list[str]:
    """Evaluate again, after the customer got another time zone, the audiences whose rules ask about days or dates.

    Returns their names. Paused ones stay as they are: they are evaluated when they are resumed. Stored times that came
    without a zone are read again, in the new one.
    """
    schema, followed = schema_of(customer), list[str]()
    if "time" in schema.attributes.values():
        convert_what_is_stored(customer)
    rows = Audience.objects.filter(customer_id=customer, kind=Audience.Kind.CUSTOM, status__in=_EVALUATED)
    for audience in rows.order_by("id"):
        if depends_on_zone(audience.rule, schema):
            with transaction.atomic():
                _set_status(audience, Audience.Status.BUILDING, "time zone changed", by)
                build(audience)
            followed.append(audience.name)
    return followed


def refuse_deletion(audience: Audience) -> None:
    """Raises `AudienceInUseError` where another audience asks about this one, or has it as its seed."""
    lookalikes = [other.name for other in audience.lookalikes.all()]
    if lookalikes:
        raise AudienceInUseError(f"lookalikes have their seed here: {', '.join(lookalikes)}")
    askers = [other.name for other in audiences_asking(audience)]
    if askers:
        raise AudienceInUseError(f"other audiences ask about it: {', '.join(askers)}")


def begin_deletion(audience: Audience, *, by: str = "") -> None:
    """Mark it as being deleted: nobody enters or leaves any more. It is deleted once it is activated nowhere."""
    refuse_deletion(audience)
    _set_status(audience, Audience.Status.DELETING, "deleted", by)


def _set_status(audience: Audience, status: str, change: str, by: str) -> None:
    with transaction.atomic():
        locked = _locked(audience)
        locked.version += 1
        locked.status = status
        locked.save(update_fields=["status", "version", "updated_at"])
        history.keep_version(locked, change, by)
    audience.refresh_from_db()


def _locked(audience: Audience) -> Audience:
    """Returns the audience, its row locked. Raises `AudienceInUseError` where it is being deleted."""
    locked = Audience.objects.select_for_update().get(id=audience.id)
    if locked.status == Audience.Status.DELETING:
        raise AudienceInUseError("it is being deleted")
    return locked


def _check_ttl(ttl: str) -> None:
    if ttl:
        try:
            parse_duration(ttl)
        except ValueError as error:
            raise ValidationError({"ttl": [str(error)]}) from None


class AudienceInUseError(ValueError):
    """The audience cannot be deleted or changed. The message names what uses it, or says why."""


def delete_audience(audience: Audience) -> None:
    """Delete an audience that is activated nowhere and that no other audience asks about.

    Each bucket deletes its members by itself: a batch under way may still be writing there.
    """
    if audience.activations.exists():
        raise AudienceInUseError("it is still activated: delete its activations first")
    refuse_deletion(audience)
    with transaction.atomic():
        send_to_every_bucket(InboxKind.FORGET, ForgetAudience(audience.id))
        audience.delete()


def sizes(ids: Iterable[int]) -> dict[int, int]:
    """Returns how many members each of these audiences has."""
    wanted = list(ids)
    counted = AudienceBucket.objects.filter(audience_id__in=wanted).values("audience_id").annotate(n=Sum("size"))
    return dict.fromkeys(wanted, 0) | {row["audience_id"]: row["n"] for row in counted}


def progress(audiences: Iterable[Audience]) -> dict[int, float]:
    """Returns the share of buckets, 0 to 1, that hold the members of each audience's present version."""
    rows = AudienceBucket.objects.filter(audience_id__in=[audience.pk for audience in audiences])
    counted = rows.values("audience_id", "version").annotate(n=Count("bucket"))
    built = {(row["audience_id"], row["version"]): row["n"] for row in counted}
    return {audience.pk: round(built.get((audience.pk, audience.version), 0) / BUCKETS, 3) for audience in audiences}


def size(audience: Audience) -> int:
    return sizes([audience.id])[audience.id]


def finish_builds() -> int:
    """Set the audiences live that are built in every bucket; return how many."""
    finished = 0
    for audience in Audience.objects.filter(status=Audience.Status.BUILDING):
        built = AudienceBucket.objects.filter(audience_id=audience.id, version=audience.version)
        if built.aggregate(n=Count("bucket"))["n"] == BUCKETS:
            # whoever holds it in memory treats both states alike: the configuration version stays
            same = Audience.unversioned.filter(
                id=audience.id, version=audience.version, status=Audience.Status.BUILDING
            )
            finished += same.update(status=Audience.Status.LIVE)
    return finished


def build(audience: Audience) -> None:
    """Have every bucket evaluate the audience as it is now. Called in the transaction that changed it."""
    send_to_every_bucket(InboxKind.BUILD, BuildAudience(audience.id, audience.version))
