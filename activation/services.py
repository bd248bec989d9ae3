"""What may be done with an activation. Needs no request to a platform, but for `preview` and `test`."""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from psycopg import Cursor

from activation.delivery.lanes import CREATION, FILES, LANES
from activation.messages import BackfillRequest, ResyncDeliveries, WithdrawDeliveries
from activation.models import Activation, Backfill, Withdrawal
from activation.previews import preview
from activation.stores import activation_counts
from activation.stores.activation_counts import NONE
from activation.test_sends import test
from audiences.models import Audience
from audiences.services import sizes
from core import audit, clock
from core.buckets import BUCKETS
from core.database import bare_cursor
from core.inbox import InboxKind
from core.transactions import send_to_every_bucket, wake_when_committed
from core.wakeups import DELIVER
from integrations.connectors.base import SegmentSource
from integrations.models import Platform
from integrations.services import connector_of, validate_activation

__all__ = [
    "activate",
    "backfill_percent",
    "begin_backfill",
    "counts",
    "counts_of",
    "counts_of_new",
    "deactivate",
    "finish_backfill",
    "pause",
    "preview",
    "resume",
    "resync",
    "test",
    "wake",
]

BACKFILLED = "DELETE FROM activation_backfill WHERE bucket = ANY(%s::smallint[]) AND activation_id = %s"


def activate(audience: Audience, platform: Platform, settings: dict[str, Any], name: str = "") -> Activation:
    """Send an audience to a platform: the segment is created there and filled, without further steps.

    `name` tells it apart from other activations of the audience on the platform; without one, others get a number if
    their settings differ. Raises Django's `ValidationError` for
    what the platform cannot do.
    """
    name = _checked(audience, platform, settings, name)
    with transaction.atomic():
        activation = Activation.objects.create(audience=audience, platform=platform, settings=settings, name=name)
        begin_backfill(activation.id)
        wake_when_committed(DELIVER, platform.pl, CREATION)
    return activation


def deactivate(activation: Activation) -> None:
    """Have the platform remove every member that it holds; the activation is deleted when nothing is left to remove.

    Where the platform is sent no removals, the activation is deleted at once, and the platform keeps what it holds
    until it forgets.
    """
    if activation.status == Activation.Status.ENDING:
        return
    removals_sent = connector_of(activation.platform).removal.is_sent and activation.segment_id is not None
    order = WithdrawDeliveries(activation.id, activation.platform_id, removals_sent)
    with transaction.atomic():
        left = [Withdrawal(bucket=bucket, activation_id=activation.id) for bucket in range(BUCKETS)]
        Withdrawal.objects.bulk_create(left, ignore_conflicts=True)
        send_to_every_bucket(InboxKind.WITHDRAW, order)
        _set_status(activation, Activation.Status.ENDING)


def pause(activation: Activation) -> None:
    """Send nothing until the activation is resumed. What is wanted goes on being recorded."""
    _refuse_ending(activation)
    _set_status(activation, Activation.Status.PAUSED)


def resume(activation: Activation) -> None:
    """Go on sending, first of all what changed during the pause."""
    _refuse_ending(activation)
    known = activation.segment_id is not None
    _set_status(activation, Activation.Status.LIVE if known else Activation.Status.PENDING)


def resync(activation: Activation) -> None:
    """Send the whole wanted state again. Where the platform knows users by the hub's ids, also users never matched.

    The buckets do it one by one; each page of one is sent as soon as it is due.
    """
    _refuse_ending(activation)
    connector = connector_of(activation.platform)
    order = ResyncDeliveries(activation.id, activation.platform_id, connector.removal.is_sent)
    with transaction.atomic():
        if connector.own_ids:
            begin_backfill(activation.id)
        send_to_every_bucket(InboxKind.RESYNC, order)
        note(activation, "resync")


def counts_of_new(audience: Audience, platform: Platform) -> dict[str, int]:
    """Returns the counts of an activation of the audience that is about to be made."""
    return counts(Activation(id=0, audience=audience, platform=platform))


def counts(activation: Activation) -> dict[str, int]:
    """Returns the counts of one activation, as `counts_of` does."""
    return counts_of([activation])[activation.id]


def counts_of(activations: Collection[Activation]) -> dict[int, dict[str, int]]:
    """Returns the counts of activations, by id: `wanted`, `acknowledged`, `due`, `waiting_for_mapping`, `dead`, `kept`.

    They count ids of the platform, but `waiting_for_mapping` members whom the platform does not know; until the
    activation is filled, also members who were not looked at yet. `kept`: ids no longer wanted, where the platform is
    sent no removals (or forgets them by itself). Sums up counters; counts nothing.
    """
    with bare_cursor() as cursor:
        found = activation_counts.read(cursor, [activation.id for activation in activations])
    members = sizes({activation.audience_id for activation in activations})
    return {
        activation.id: _shown(activation, found.get(activation.id, NONE), members[activation.audience_id])
        for activation in activations
    }


def _shown(activation: Activation, found: activation_counts.Counts, members: int) -> dict[str, int]:
    ending = activation.status == Activation.Status.ENDING
    return {
        "wanted": found.wanted,
        "acknowledged": found.acknowledged,
        "due": found.due,
        "waiting_for_mapping": 0 if ending else min(max(members - found.matched, 0), members),
        "dead": found.dead,
        "kept": found.kept,
    }


def begin_backfill(activation: int) -> None:
    """Fill the activation from the members that its audience has now, bucket by bucket.

    Part of Django's current transaction; absorb does the work afterwards.
    """
    left = [Backfill(bucket=bucket, activation_id=activation) for bucket in range(BUCKETS)]
    Backfill.objects.bulk_create(left, ignore_conflicts=True)
    send_to_every_bucket(InboxKind.BACKFILL, BackfillRequest(activation))


def finish_backfill(cursor: Cursor[Any], in_buckets: Collection[int], activation: int) -> None:
    """Note that these buckets, which the caller holds, have been looked through."""
    cursor.execute(BACKFILLED, [sorted(in_buckets), activation])


def backfill_percent(activation: int) -> int:
    """Returns how much of the backfill is done; 100 where all is."""
    left = Backfill.objects.filter(bucket__in=range(BUCKETS), activation_id=activation).count()
    return 100 - -(-100 * left // BUCKETS)


def wake(platform: int) -> None:
    """Wake every lane of the platform once the transaction is committed."""
    for lane in (CREATION, FILES, *range(LANES)):
        wake_when_committed(DELIVER, platform, lane)


def _checked(audience: Audience, platform: Platform, settings: dict[str, Any], name: str) -> str:
    """Return the name of a new activation. Raises Django's `ValidationError` for what cannot be made."""
    if audience.customer_id != platform.customer_id:
        raise ValidationError({"platform": ["belongs to another customer"]})
    connector = connector_of(platform)
    if not connector.delivers:
        raise ValidationError({"platform": ["this platform is for user sync only"]})
    validate_activation(connector, settings)
    others = list(Activation.objects.filter(audience=audience, platform=platform))
    found = _free_name(others, settings, name)
    if connector.segment_source is not SegmentSource.CREATED:
        given = connector.given_segment(settings)
        if given is not None and any(connector.given_segment(one.settings) == given for one in others):
            raise ValidationError({"settings": ["another activation of this audience fills the same segment"]})
    return found


def _free_name(others: list[Activation], settings: dict[str, Any], name: str) -> str:
    """Return the name; a number in its place, where none is given and the settings tell the activations apart."""
    taken = {one.name for one in others}
    if name not in taken:
        return name
    if name:
        raise ValidationError({"name": ["this audience is sent to this platform under this name already"]})
    if any(one.settings == settings for one in others):
        raise ValidationError({"platform": ["this audience is sent to this platform already: give a name"]})
    return next(str(number) for number in range(2, len(taken) + 3) if str(number) not in taken)


def note(activation: Activation, action: str) -> None:
    """Enter in the audit log what was done with an activation beside changes of its row."""
    customer = activation.audience.customer_id
    audit.record(action, "activation", activation.pk, str(activation), customer=customer)


def _refuse_ending(activation: Activation) -> None:
    if activation.status == Activation.Status.ENDING:
        raise ValidationError({"status": ["this activation is ending"]})


def _set_status(activation: Activation, status: str) -> None:
    activation.status, activation.status_since = status, clock.now()
    activation.trouble = ""
    activation.save(update_fields=["status", "status_since", "trouble"])
    wake(activation.platform_id)
