"""What other rooms may ask of lookalikes: create, change, train. All else is asked of them as of any audience."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from audiences import history
from audiences.models import Audience, AudienceBucket
from audiences.references import lock_references, refuse_lookalike_as_seed
from core import audit, clock
from core.models import Customer
from lookalikes.models import LookalikeRun
from lookalikes.schedule import schedule_scoring, schedule_training
from lookalikes.scoring.reach import read_reach

SMALLEST_SEED = 100
MOST_DAYS = 365
MOST_STATE = 2**31 - 1


def create_lookalike(
    customer: Customer,
    name: str,
    seed: Audience,
    reach: Any,
    retrain_days: int = 0,
    random_state: int = 0,
    *,
    by: str = "",
) -> Audience:
    """Create a lookalike. Its model is trained as soon as a process is free, and it is exact from then on.

    Raises `ValidationError` by field.
    """
    with transaction.atomic():
        lock_references(customer.m)
        _check(customer, seed, reach, retrain_days)
        audience = Audience.objects.create(
            customer=customer,
            name=name,
            kind=Audience.Kind.LOOKALIKE,
            seed=seed,
            reach=reach,
            retrain_days=retrain_days,
        )
        history.keep_version(audience, "created", by)
        LookalikeRun.objects.create(audience=audience, train_at=clock.now(), random_state=random_state)
    return audience


def change_lookalike(audience: Audience, *, reach: Any = None, retrain_days: int | None = None) -> None:
    """Hold more users or fewer, or train at other times. Raises `ValidationError` by field."""
    with transaction.atomic():
        locked = Audience.objects.select_for_update().get(id=audience.id)
        wanted = locked.reach if reach is None else reach
        days = locked.retrain_days if retrain_days is None else retrain_days
        _check_numbers(wanted, days)
        moved = wanted != locked.reach
        locked.reach, locked.retrain_days = wanted, days
        locked.save(update_fields=["reach", "retrain_days", "updated_at"])
        if moved:
            schedule_scoring(locked.id, clock.now())
    audience.refresh_from_db()


def train(audience: Audience, random_state: int | None = None) -> None:
    """Train again from the seed as it is now. Raises `ValidationError` for another kind of audience or a paused one."""
    if audience.kind != Audience.Kind.LOOKALIKE:
        raise ValidationError("only lookalikes learn: this audience follows its rule")
    if audience.status == Audience.Status.PAUSED:
        raise ValidationError("it is paused: let it go on first")
    with transaction.atomic():
        schedule_training([audience.id], clock.now(), random_state)
        audit.record("train", "audience", audience.pk, audience.name, customer=audience.customer_id)


def _check(customer: Customer, seed: Audience, reach: Any, retrain_days: int) -> None:
    if seed.customer_id != customer.m:
        raise ValidationError({"seed": "belongs to another customer"})
    try:
        refuse_lookalike_as_seed(seed)
    except ValueError as error:
        raise ValidationError({"seed": str(error)}) from None
    members = sum(AudienceBucket.objects.filter(audience_id=seed.id).values_list("size", flat=True))
    if seed.status != Audience.Status.BUILDING and members < SMALLEST_SEED:
        raise ValidationError({"seed": f"has {members} members; it takes {SMALLEST_SEED} at least"})
    _check_numbers(reach, retrain_days)


def _check_numbers(reach: Any, retrain_days: int) -> None:
    try:
        read_reach(reach)
    except ValueError as error:
        raise ValidationError({"reach": str(error)}) from None
    if not 0 <= retrain_days <= MOST_DAYS:
        raise ValidationError({"retrain_days": f"must be 0 (only when asked to) to {MOST_DAYS}"})
