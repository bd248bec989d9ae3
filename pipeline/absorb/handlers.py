"""What each kind of inbox row does: one declaration a kind, and the only place where messages are decoded.

To add a kind, give it a number in `core.inbox.InboxKind`, write its message type in the `messages` of its room, and
declare its handler here. `Handler` says what it needs loaded before it is applied; `BulkHandler` reads pages itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from activation.messages import BackfillRequest, ReplayLetters, ResyncDeliveries, Want, WithdrawDeliveries
from audiences.messages import BuildAudience, ForgetAudience
from core.inbox import InboxKind
from core.messages import Confirm, Event, KeyUsed, Match, OptOutChoice, Sync
from pipeline.absorb import (
    bulk,
    bulk_deliveries,
    claims,
    desired_state,
    erasure,
    events,
    identities,
    key_uses,
    opt_out,
    platform_ids,
    releases,
    suspects,
    syncs,
)
from pipeline.absorb.bulk import BulkPass
from pipeline.absorb.loader import Needs
from pipeline.absorb.rows import InboxRow
from pipeline.absorb.unit_of_work import UnitOfWork
from profiles.messages import (
    Content,
    Convert,
    DropId,
    Erase,
    EraseId,
    ForgetSharedId,
    JudgeId,
    LinkIdentity,
    LogOut,
    Meet,
    Merge,
    Respell,
)
from usersync.messages import ForgetPlatform, HandOver, Mapped, Release, Unmapped

Message = TypeVar("Message", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Handler(Generic[Message]):
    """`needs` adds the keys that a message will look at; `apply` changes the batch in memory."""

    message: type[Message]
    needs: Callable[[Message, Needs], None]
    apply: Callable[[UnitOfWork, InboxRow, Message], None]
    decode: Callable[[bytes], Message] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "decode", msgspec.json.Decoder(self.message).decode)


@dataclass(frozen=True, slots=True)
class BulkHandler(Generic[Message]):
    """`apply` does one page. Profiles that it wants evaluated one by one it adds to the `BulkPass`."""

    message: type[Message]
    apply: Callable[[UnitOfWork, InboxRow, Message, BulkPass], None]
    decode: Callable[[bytes], Message] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "decode", msgspec.json.Decoder(self.message).decode)


HANDLERS: dict[int, Handler[Any]] = {
    InboxKind.EVENT: Handler(Event, events.needs_event, events.absorb_event),
    InboxKind.CONFIRM: Handler(Confirm, events.needs_confirm, events.absorb_confirm),
    InboxKind.OPT_OUT: Handler(OptOutChoice, opt_out.needs_choice, opt_out.absorb_opt_out),
    InboxKind.OPT_IN: Handler(OptOutChoice, opt_out.needs_choice, opt_out.absorb_opt_in),
    InboxKind.SYNC: Handler(Sync, syncs.needs_sync, syncs.absorb_sync),
    InboxKind.MATCH: Handler(Match, syncs.needs_match, syncs.absorb_match),
    InboxKind.KEY_USED: Handler(KeyUsed, key_uses.needs_use, key_uses.absorb_use),
    InboxKind.LINK: Handler(LinkIdentity, identities.needs_link, identities.absorb_link),
    InboxKind.MEET: Handler(Meet, identities.needs_meet, identities.absorb_meet),
    InboxKind.MERGE: Handler(Merge, identities.needs_merge, identities.absorb_merge),
    InboxKind.CONTENT: Handler(Content, identities.needs_content, identities.absorb_content),
    InboxKind.MAPPED: Handler(Mapped, platform_ids.needs_mapped, platform_ids.absorb_mapped),
    InboxKind.UNMAPPED: Handler(Unmapped, releases.needs_unmapped, releases.absorb_unmapped),
    InboxKind.RELEASE: Handler(Release, releases.needs_release, releases.absorb_release),
    InboxKind.HAND_OVER: Handler(HandOver, platform_ids.needs_hand_over, platform_ids.absorb_hand_over),
    InboxKind.ERASE: Handler(Erase, erasure.needs_erase, erasure.absorb_erase),
    InboxKind.ERASE_ID: Handler(EraseId, erasure.needs_erase_id, erasure.absorb_erase_id),
    InboxKind.LOG_OUT: Handler(LogOut, erasure.needs_log_out, erasure.absorb_log_out),
    InboxKind.FORGET_SHARED_ID: Handler(
        ForgetSharedId, erasure.needs_forget_shared_id, erasure.absorb_forget_shared_id
    ),
    InboxKind.JUDGE_ID: Handler(JudgeId, suspects.needs_judge, suspects.absorb_judge),
    InboxKind.DROP_ID: Handler(DropId, suspects.needs_drop, suspects.absorb_drop),
    InboxKind.CLAIM: Handler(Sync, claims.needs_claim, claims.absorb_claim),
    InboxKind.WANT: Handler(Want, desired_state.needs_want, desired_state.absorb_want),
}

BULK_HANDLERS: dict[int, BulkHandler[Any]] = {
    InboxKind.BUILD: BulkHandler(BuildAudience, bulk.build),
    InboxKind.CONVERT: BulkHandler(Convert, bulk.convert),
    InboxKind.FORGET_PLATFORM: BulkHandler(ForgetPlatform, bulk.forget_platform),
    InboxKind.FORGET: BulkHandler(ForgetAudience, bulk.forget),
    InboxKind.BACKFILL: BulkHandler(BackfillRequest, bulk.backfill),
    InboxKind.RESYNC: BulkHandler(ResyncDeliveries, bulk_deliveries.resync),
    InboxKind.WITHDRAW: BulkHandler(WithdrawDeliveries, bulk_deliveries.withdraw),
    InboxKind.RESPELL: BulkHandler(Respell, bulk.respell),
    InboxKind.REPLAY: BulkHandler(ReplayLetters, bulk_deliveries.replay),
}
