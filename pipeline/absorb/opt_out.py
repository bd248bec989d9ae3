"""Opt-out and opt-in: what people decide about being known at all. A choice holds for every customer of the hub."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from core import buckets
from core.inbox import InboxKind
from core.messages import OptOutChoice
from pipeline.absorb.claims import BatchClaims
from pipeline.absorb.loader import Needs
from pipeline.absorb.mappings import BatchMappings
from pipeline.absorb.memberships import BatchMemberships
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.people import BatchProfiles
from pipeline.absorb.releases import release_mappings
from pipeline.absorb.rows import InboxRow
from pipeline.catalogue import Catalogue
from profiles.state import ProfileState, receipt_time


class ChoiceScope(Protocol):
    """What the handlers of choices may read and change."""

    now: datetime
    catalogue: Catalogue
    profiles: BatchProfiles
    claims: BatchClaims
    mappings: BatchMappings
    memberships: BatchMemberships
    outbox: Outbox


class LeaveScope(Protocol):
    """What changes when one profile opts out."""

    claims: BatchClaims
    mappings: BatchMappings
    memberships: BatchMemberships
    outbox: Outbox


def needs_choice(choice: OptOutChoice, needs: Needs) -> None:
    """Nothing: choices are rare and touch all customers, so their profiles are looked up one by one."""


def absorb_opt_out(unit: ChoiceScope, row: InboxRow, choice: OptOutChoice) -> None:
    """Remember it, leave every audience, give up every id; survivors of merges do the same."""
    user = UUID(choice.user)
    unit.profiles.opt_out(user, unit.now)
    for profile in unit.profiles.of_user(user, unit.catalogue.customers):
        if profile.merged_into is not None:
            _pass_on(unit, InboxKind.OPT_OUT, profile.merged_into, choice)
        elif not profile.opted_out:
            opt_out(unit, profile, row.received_at)


def opt_out(unit: LeaveScope, profile: ProfileState, accepted: datetime) -> None:
    """One customer's profile: it stays, as the memory of the choice, and nothing changes it any more."""
    profile.give_up_ids(receipt_time(accepted))
    release_mappings(unit, profile)
    unit.claims.forget({(profile.customer, profile.user_id)})
    unit.memberships.forget(profile)
    profile.opted_out = profile.dirty = True
    profile.changed.clear()


def absorb_opt_in(unit: ChoiceScope, row: InboxRow, choice: OptOutChoice) -> None:
    """The user may be known again: audiences are decided anew, ids are matched anew."""
    user = UUID(choice.user)
    unit.profiles.opt_in(user)
    for profile in unit.profiles.of_user(user, unit.catalogue.customers):
        if profile.merged_into is not None:
            _pass_on(unit, InboxKind.OPT_IN, profile.merged_into, choice)
        elif profile.opted_out:
            profile.opted_out = False
            profile.give_up_ids(receipt_time(row.received_at))  # what was synced meanwhile was refused
            profile.reconsider = profile.dirty = True


def _pass_on(unit: ChoiceScope, kind: InboxKind, survivor: UUID, choice: OptOutChoice) -> None:
    unit.outbox.send(buckets.of_user(survivor), kind, OptOutChoice(user=str(survivor), at=choice.at))
