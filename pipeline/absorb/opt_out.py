"""What people decide about being known at all: it holds for the whole hub."""

from uuid import UUID

from core import buckets
from core.inbox import InboxKind
from core.messages import OptOutChoice, decode_opt_out
from pipeline.absorb.loader import Needs
from pipeline.absorb.rows import Row
from pipeline.absorb.syncs import release_mappings
from pipeline.absorb.unit_of_work import Work
from profiles import store as profiles
from profiles.state import ProfileState

__all__ = ["decode_opt_out"]


def needs_choice(choice: OptOutChoice, needs: Needs) -> None:
    """Choices are rare and touch all customers: their profiles are looked up one by one."""


def absorb_opt_out(work: Work, row: Row, choice: OptOutChoice) -> None:
    """Remember it, leave every audience, give up every id; survivors of merges do the same."""
    user = UUID(choice.user)
    profiles.opt_out(work.cursor, user, work.now)
    for profile in work.profiles_of(user, work.catalogue.customers):
        if profile.merged_into is not None:
            work.send(
                buckets.of_user(profile.merged_into),
                InboxKind.OPT_OUT,
                OptOutChoice(str(profile.merged_into), choice.at),
            )
        elif not profile.opted_out:
            opt_out(work, profile)


def opt_out(work: Work, profile: ProfileState) -> None:
    """One customer's profile: it stays, as the memory of the choice, and nothing changes it any more."""
    release_mappings(work, profile)
    work.forget_memberships(profile)
    profile.opted_out = profile.dirty = True
    profile.changed.clear()


def absorb_opt_in(work: Work, row: Row, choice: OptOutChoice) -> None:
    """The user may be known again: audiences are decided anew, ids are matched anew."""
    user = UUID(choice.user)
    profiles.opt_in(work.cursor, user)
    for profile in work.profiles_of(user, work.catalogue.customers):
        if profile.merged_into is not None:
            work.send(
                buckets.of_user(profile.merged_into),
                InboxKind.OPT_IN,
                OptOutChoice(str(profile.merged_into), choice.at),
            )
        elif profile.opted_out:
            profile.opted_out = False
            profile.reconsider = profile.dirty = True
