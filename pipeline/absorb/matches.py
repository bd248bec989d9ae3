"""Match tables: a line that names its user by another id than ours becomes a sync of the user whom that names."""

from core import buckets
from core.clock import milliseconds
from core.inbox import InboxKind
from core.messages import Match, Sync, decode_match
from pipeline.absorb.loader import Needs
from pipeline.absorb.rows import Row
from pipeline.absorb.unit_of_work import Work

__all__ = ["decode_match"]


def needs_match(match: Match, needs: Needs) -> None:
    needs.identities.add((match.customer, *match.id))
    needs.named.add((match.customer, *match.id))


def absorb_match(work: Work, row: Row, match: Match) -> None:
    """In the bucket of the id that names the user, who is made where the id is new, as by an event."""
    kind, value = match.id
    if work.was_erased((match.customer, kind, value), row.received_at):
        return
    identity = work.identity(match.customer, kind, value)
    if identity is None or identity.user_id is None:
        owner = work.new_user(match.customer, row.bucket)
        if identity is None:
            work.new_identity(match.customer, kind, value, owner)
        else:
            identity.give_to(owner)
        profile = work.new_profile(match.customer, owner, milliseconds(row.received_at))
        profile.add_id(kind, value)
        profile.confirm()
    else:
        owner = identity.user_id
    sync = Sync(
        match.customer,
        match.platform,
        str(owner),
        match.platform_user_id,
        match.at,
        match.ttl_days,
        match.extra,
        resolved=True,
    )
    work.send(buckets.of_value(match.platform_user_id), InboxKind.SYNC, sync)
