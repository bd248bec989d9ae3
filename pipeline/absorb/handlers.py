"""What each kind of row does. A handler declares what it will look at, then changes the batch in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.inbox import Kind
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
    Kind.EVENT: Handler(events.decode_event, events.needs_event, events.absorb_event),
    Kind.CONFIRM: Handler(events.decode_confirm, events.needs_confirm, events.absorb_confirm),
    Kind.OPT_OUT: Handler(opt_out.decode_choice, opt_out.needs_choice, opt_out.absorb_opt_out),
    Kind.OPT_IN: Handler(opt_out.decode_choice, opt_out.needs_choice, opt_out.absorb_opt_in),
    Kind.MATCH: Handler(matches.decode_match, matches.needs_match, matches.absorb_match),
    Kind.LINK: Handler(identities.decode_link, identities.needs_link, identities.absorb_link),
    Kind.MEET: Handler(identities.decode_meet, identities.needs_meet, identities.absorb_meet),
    Kind.MERGE: Handler(identities.decode_merge, identities.needs_merge, identities.absorb_merge),
    Kind.CONTENT: Handler(identities.decode_content, identities.needs_content, identities.absorb_content),
    Kind.SYNC: Handler(syncs.decode_sync, syncs.needs_sync, syncs.absorb_sync),
    Kind.MAPPED: Handler(syncs.decode_mapped, syncs.needs_mapped, syncs.absorb_mapped),
    Kind.UNMAPPED: Handler(syncs.decode_unmapped, syncs.needs_unmapped, syncs.absorb_unmapped),
    Kind.RELEASE: Handler(syncs.decode_release, syncs.needs_release, syncs.absorb_release),
    Kind.HAND_OVER: Handler(syncs.decode_hand_over, syncs.needs_hand_over, syncs.absorb_hand_over),
    Kind.ERASE: Handler(erasure.decode_erase, erasure.needs_erase, erasure.absorb_erase),
    Kind.ERASE_ID: Handler(erasure.decode_erase_id, erasure.needs_erase_id, erasure.absorb_erase_id),
    Kind.WANT: Handler(deliveries.decode_want, deliveries.needs_want, deliveries.absorb_want),
}
