"""Bulk commands in buckets that hold nothing for them: all of one kind are done by one look, and need no page each.

A new audience, activation or attribute sends a command to every bucket, and those of most customers hold nobody.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from psycopg import Cursor

from activation import services as activations
from activation.messages import BackfillRequest
from audiences import store as memberships
from audiences.messages import BuildAudience
from core.inbox import InboxKind
from pipeline.absorb.desired_state import DesiredState
from pipeline.absorb.rows import InboxRow
from pipeline.catalogue import Catalogue
from profiles.messages import Convert, Respell
from profiles.store import buckets_with_profiles


class IdleScope(Protocol):
    """What idle commands may read and change."""

    cursor: Cursor[Any]
    catalogue: Catalogue
    desired: DesiredState


def idle(unit: IdleScope, commands: Iterable[tuple[InboxRow, Any]]) -> set[int]:
    """Do these commands where their bucket holds nothing for them; returns the ids of their rows.

    They may be done before others of their buckets: none of those brings anybody whom they would have to look at.
    """
    alike: dict[tuple[int, bytes], list[tuple[InboxRow, Any]]] = defaultdict(list)
    for row, message in commands:
        if row.kind in _IDLE and message.after is None:
            alike[row.kind, bytes(row.query)].append((row, message))
    done = set()
    for (kind, _), same in alike.items():
        if len(same) > 1:
            free = _IDLE[kind](unit, same[0][1], {row.bucket for row, _ in same})
            done |= {row.id for row, _ in same if row.bucket in free}
    return done


def _build(unit: IdleScope, build: BuildAudience, buckets: set[int]) -> set[int]:
    audience = unit.catalogue.audiences.get(build.audience)
    if audience is None or audience.version != build.version:
        return buckets
    free = buckets - buckets_with_profiles(unit.cursor, buckets, audience.customer)
    if free:
        memberships.mark_built(unit.cursor, free, build.audience, build.version)
    return free


def _convert(unit: IdleScope, convert: Convert | Respell, buckets: set[int]) -> set[int]:
    return buckets - buckets_with_profiles(unit.cursor, buckets, convert.customer)


def _backfill(unit: IdleScope, backfill: BackfillRequest, buckets: set[int]) -> set[int]:
    activation = unit.catalogue.activations.get(backfill.activation)
    if activation is None:
        return buckets
    free = buckets - memberships.buckets_with_members(unit.cursor, buckets, activation[0])
    if free:
        activations.finish_backfill(unit.cursor, free, backfill.activation)
        unit.desired.changes.none_matched(free, backfill.activation)
    return free


_IDLE: dict[int, Callable[[IdleScope, Any, set[int]], set[int]]] = {
    InboxKind.BUILD: _build,
    InboxKind.CONVERT: _convert,
    InboxKind.RESPELL: _convert,
    InboxKind.BACKFILL: _backfill,
}
