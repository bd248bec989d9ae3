"""What each kind of row does. A handler declares what it will look at, then changes the batch in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.inbox import InboxKind
from pipeline.absorb import deliveries, erasure, events, identities, matches, opt_out, syncs
from pipeline.absorb.loader import Needs
from pipeline.absorb.rows import Row
from pipeline.absorb.unit_of_work import Work


@dataclass(frozen=True, slots=True)
class Handler:
    """`decode(query)` → message; `needs(message, needs)` adds its keys; `handle(work, row, message)`."""

    decode: Callable[[bytes], Any]
    needs: Callable[[Any, Needs], None]
    handle: Callable[[Work, Row, Any], None]


HANDLERS: dict[int, Handler] = {
    InboxKind.EVENT: Handler(events.decode_event, events.needs_event, events.absorb_event),
    InboxKind.CONFIRM: Handler(events.decode_confirm, events.needs_confirm, events.absorb_confirm),
    InboxKind.OPT_OUT: Handler(opt_out.decode_opt_out, opt_out.needs_choice, opt_out.absorb_opt_out),
    InboxKind.OPT_IN: Handler(opt_out.decode_opt_out, opt_out.needs_choice, opt_out.absorb_opt_in),
    InboxKind.MATCH: Handler(matches.decode_match, matches.needs_match, matches.absorb_match),
    InboxKind.LINK: Handler(identities.decode_link, identities.needs_link, identities.absorb_link),
    InboxKind.MEET: Handler(identities.decode_meet, identities.needs_meet, identities.absorb_meet),
    InboxKind.MERGE: Handler(identities.decode_merge, identities.needs_merge, identities.absorb_merge),
    InboxKind.CONTENT: Handler(identities.decode_content, identities.needs_content, identities.absorb_content),
    InboxKind.SYNC: Handler(syncs.decode_sync, syncs.needs_sync, syncs.absorb_sync),
    InboxKind.MAPPED: Handler(syncs.decode_mapped, syncs.needs_mapped, syncs.absorb_mapped),
    InboxKind.UNMAPPED: Handler(syncs.decode_unmapped, syncs.needs_unmapped, syncs.absorb_unmapped),
    InboxKind.RELEASE: Handler(syncs.decode_release, syncs.needs_release, syncs.absorb_release),
    InboxKind.HAND_OVER: Handler(syncs.decode_hand_over, syncs.needs_hand_over, syncs.absorb_hand_over),
    InboxKind.ERASE: Handler(erasure.decode_erase, erasure.needs_erase, erasure.absorb_erase),
    InboxKind.ERASE_ID: Handler(erasure.decode_erase_id, erasure.needs_erase_id, erasure.absorb_erase_id),
    InboxKind.WANT: Handler(deliveries.decode_want, deliveries.needs_want, deliveries.absorb_want),
}
