"""The lists of static audiences in a batch: who is put on one, or taken off it, and what merges carry along.

Of two things that were said of a user the one that was accepted later holds, whichever way each of them came.
"""

from collections import defaultdict
from typing import Any

from psycopg import Cursor

from audiences import lists
from audiences.lists import Entry, ListKey
from core.messages import Event, Listing
from pipeline.absorb.people import BatchIdentities
from pipeline.absorb.rows import InboxRow
from profiles.state import ProfileState

CHANGED, UNCHANGED, UNKNOWN = range(3)


class BatchListings:
    """What the rows of a batch say of lists. Nothing is written before `save`, but for users who lose all of it."""

    __slots__ = ("_asked", "_counts", "_cursor", "_entries")

    def __init__(self, cursor: Cursor[Any]) -> None:
        self._cursor = cursor
        self._entries: dict[ListKey, Entry] = {}
        self._asked: list[tuple[ListKey, int]] = []  # with the change that asks
        self._counts: dict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0, 0, 0])

    def note(self, row: InboxRow, listing: Listing, profile: ProfileState) -> None:
        """The user is put on the list, or taken off it. A profile that may be gone tomorrow is on none."""
        if not profile.confirmed:
            self.leave(row, listing)
            return
        key = ListKey(listing.audience, profile.customer, profile.user_id)
        self._put(profile, key, Entry(listing.listed, row.received_at))
        self._asked.append((key, listing.change))

    def leave(self, row: InboxRow, listing: Listing | None, profile: ProfileState | None = None) -> None:
        """The row, if it says anything of a list, names nobody who could be on one.

        `profile`: who has opted out, and can still be taken off.
        """
        if listing is None:
            return
        if profile is None or profile.merged_into is not None or listing.listed:
            self._counts[row.bucket, listing.change, listing.audience][UNKNOWN] += 1
        else:
            self.note(row, listing, profile)

    def take_over(self, profile: ProfileState, audience: int, entry: Entry) -> None:
        """The profile has become one with another of which this was said."""
        self._put(profile, ListKey(audience, profile.customer, profile.user_id), entry)

    def take(self, profile: ProfileState) -> dict[int, Entry]:
        """Forget the profile's entries; return them by audience. It was merged into another, or it is erased."""
        found = lists.take(self._cursor, profile.customer, profile.user_id)
        for key in [key for key in self._entries if key[1:] == (profile.customer, profile.user_id)]:
            found[key.audience] = _later(self._entries.pop(key), found.get(key.audience))
        for key, change in [one for one in self._asked if one[0][1:] == (profile.customer, profile.user_id)]:
            self._asked.remove((key, change))
            self._counts[profile.bucket, change, key.audience][CHANGED] += 1
        return found

    def _put(self, profile: ProfileState, key: ListKey, entry: Entry) -> None:
        self._entries[key] = _later(entry, self._entries.get(key))
        profile.changed.add(f"list.{key.audience}")

    def save(self) -> None:
        """Write what is later than what is stored, and count. Lists of audiences that are gone are left alone."""
        named = {key.audience for key in self._entries} | {audience for _, _, audience in self._counts}
        if not named:
            return
        there = lists.existing(self._cursor, named)
        if self._entries:
            stored = lists.load(self._cursor, self._entries)
            changed = {
                key: entry
                for key, entry in self._entries.items()
                if key.audience in there and _later(entry, stored.get((key.audience, key.user))) is entry
            }
            lists.save(self._cursor, changed)
            self._count(changed, stored)
        lists.count(self._cursor, {key: counted for key, counted in self._counts.items() if key[2] in there})

    def _count(self, changed: dict[ListKey, Entry], stored: dict[tuple[int, Any], Entry]) -> None:
        for key, change in self._asked:
            before = stored.get((key.audience, key.user))
            is_new = key in changed and changed[key].listed != (before is not None and before.listed)
            self._counts[key.user.int & 0xFF, change, key.audience][CHANGED if is_new else UNCHANGED] += 1
            if is_new:  # named again in this batch, it is as it was
                stored[key.audience, key.user] = changed[key]


def must_not_make(identities: BatchIdentities, event: Event) -> bool:
    """Whether the event, which says something of a list, would make a user that it must not make."""
    if event.listing is None or not event.listing.known or event.user is not None:
        return False
    identity = identities.get(event.customer, *event.ids[0])
    return identity is None or identity.user_id is None


def _later(entry: Entry, other: Entry | None) -> Entry:
    """Returns what was said later. Of the same moment, the addition: an arbitrary choice, but always the same one."""
    return entry if other is None or (entry.at, entry.listed) >= (other.at, other.listed) else other
