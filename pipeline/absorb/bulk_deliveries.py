"""Bulk commands about deliveries, in the buckets of platforms' ids.

They send all of an activation again, end an activation, or replay dead letters.
"""

from datetime import datetime
from typing import Any, Protocol

import msgspec
from psycopg import Cursor

from activation.messages import ReplayLetters, ResyncDeliveries, WithdrawDeliveries
from activation.models import LetterReplay
from activation.stores import bulk_changes
from activation.stores.bulk_changes import ChangedPage, DeliveryPage, LetterPage
from core.inbox import InboxKind
from pipeline.absorb.bulk import BulkPass
from pipeline.absorb.desired_state import DesiredState
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.rows import InboxRow


class DeliveryScope(Protocol):
    """What these commands may change."""

    cursor: Cursor[Any]
    now: datetime
    desired: DesiredState
    outbox: Outbox


def resync(unit: DeliveryScope, row: InboxRow, order: ResyncDeliveries, bulk: BulkPass) -> None:
    """Have one page of an activation's ids sent again."""
    place = DeliveryPage(row.bucket, order.activation, order.after)
    page = bulk_changes.resync(unit.desired.changes, place, unit.now, removals_sent=order.removals_sent)
    _go_on(unit, row, order, page, bulk)


def withdraw(unit: DeliveryScope, row: InboxRow, order: WithdrawDeliveries, bulk: BulkPass) -> None:
    """Want one page of ids no more. The activation may be deleted once every bucket has done its last page."""
    place = DeliveryPage(row.bucket, order.activation, order.after)
    is_open = unit.desired.has_open_files(order.platform)
    changes = unit.desired.changes
    page = bulk_changes.withdraw(changes, place, unit.now, removals_sent=order.removals_sent, is_open=is_open)
    if page.upto is None:
        bulk_changes.finish_withdrawal(unit.cursor, row.bucket, order.activation)
    _go_on(unit, row, order, page, bulk)


def _go_on(
    unit: DeliveryScope,
    row: InboxRow,
    order: ResyncDeliveries | WithdrawDeliveries,
    page: ChangedPage,
    bulk: BulkPass,
) -> None:
    bulk.rows += page.rows
    if page.rows:
        unit.desired.touched.add((order.platform, row.bucket))
    if page.upto is not None:
        unit.outbox.send(row.bucket, InboxKind(row.kind), msgspec.structs.replace(order, after=page.upto))


def replay(unit: DeliveryScope, row: InboxRow, order: ReplayLetters, bulk: BulkPass) -> None:
    """Send one page of dead letters again. A replay that was forgotten meanwhile is over."""
    job = LetterReplay.objects.filter(id=order.replay).first()
    if job is None:
        return
    place = LetterPage(row.bucket, job.activation_id, job.reason, job.requested_at, order.after)
    letters = bulk_changes.replay(unit.desired.changes, place, unit.now)
    done = len(letters) < bulk_changes.PAGE
    bulk_changes.count_replayed(unit.cursor, job.pk, row.bucket, len(letters), done=done)
    bulk.rows += len(letters)
    unit.desired.touched |= {(letter.platform, row.bucket) for letter in letters}
    if not done:
        last = letters[-1]
        following = ReplayLetters(replay=order.replay, after=(last.activation, last.platform_user_id))
        unit.outbox.send(row.bucket, InboxKind.REPLAY, following)
