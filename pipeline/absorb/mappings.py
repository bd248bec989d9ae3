"""The match table of a batch, seen from the users: what they are called on the platforms."""

from collections.abc import Collection, Container
from typing import Any
from uuid import UUID

from psycopg import Cursor

from profiles.state import ProfileState
from profiles.store import ProfileKey
from usersync import store, user_counts
from usersync.store import FullMapping, MappedId, UserOnPlatform
from usersync.user_counts import MappingChanges

MOST_PLATFORM_IDS = 100
"""Ids of one user on one platform. More come from a browser, or a sender, that shows another id each time."""


class BatchMappings:
    """The mappings that the batch keeps and forgets. A profile whose mappings change is noted as changed.

    `turned`: whom a platform has come to know (1), or knows no more (-1), once they are saved.
    """

    __slots__ = ("_cursor", "_forgotten", "_kept", "turned")

    def __init__(self, cursor: Cursor[Any]) -> None:
        self._cursor = cursor
        self._kept: dict[tuple[int, UUID, int, str], tuple[FullMapping, bool]] = {}
        self._forgotten: dict[tuple[int, UUID, int, str], int] = {}
        self.turned: dict[UserOnPlatform, int] = {}

    @property
    def kept(self) -> Collection[tuple[FullMapping, bool]]:
        """The mappings to save, each with whether it was inherited from another owner."""
        return self._kept.values()

    def of(self, profile: ProfileState) -> list[FullMapping]:
        """Returns the user's mappings as the batch has left them so far. Reads the database."""
        stored = store.of_user(self._cursor, profile.customer, profile.user_id)
        current = {m.key: m for m in stored if m.epoch > self._forgotten.get(m.key, -1)}
        for key, (mapping, _) in self._kept.items():
            if mapping.user_id == profile.user_id and (key not in current or current[key].epoch <= mapping.epoch):
                current[key] = mapping
        return list(current.values())

    def keep(self, profile: ProfileState, mapping: FullMapping, *, inherited: bool) -> None:
        """The user is known by this id; audiences and activations that ask for it follow.

        A mapping that is kept twice in a batch is inherited if it was so either time: what the former owner wanted
        stands until this owner is evaluated. Of two epochs the later one holds, in whatever order they come.
        """
        earlier = self._kept.get(mapping.key)
        if mapping.epoch <= self._forgotten.get(mapping.key, -1):
            return
        if earlier is not None and earlier[0].epoch > mapping.epoch:
            mapping = earlier[0]
        self._kept[mapping.key] = (mapping, inherited or (earlier is not None and earlier[1]))
        profile.changed.add(f"platform.{mapping.platform}")

    def forget(self, profile: ProfileState, platform: int, platform_user_id: str, epoch: int) -> None:
        """The user is no longer known by this id, unless a later epoch made it theirs again."""
        key = (profile.bucket, profile.user_id, platform, platform_user_id)
        if key in self._kept and self._kept[key][0].epoch <= epoch:
            del self._kept[key]
        self._forgotten[key] = max(epoch, self._forgotten.get(key, -1))
        profile.changed.add(f"platform.{platform}")

    def forget_all(self, profile: ProfileState) -> list[FullMapping]:
        """Forget all mappings of the user; returns them."""
        found = self.of(profile)
        for mapping in found:
            self.forget(profile, mapping.platform, mapping.platform_user_id, mapping.epoch)
        return found

    def save(self, new_users: Container[ProfileKey]) -> list[FullMapping]:
        """Save them, and count the users that each platform knows. `new_users` had no mappings before.

        Returns the mappings beyond `MOST_PLATFORM_IDS` of a user and platform: those synced the longest ago.
        """
        removed = store.delete(self._cursor, [(*key, epoch) for key, epoch in self._forgotten.items()])
        kept = [mapping for mapping, _ in self._kept.values()]
        added = store.save(self._cursor, kept)
        ids, self.turned = user_counts.count(self._cursor, MappingChanges(kept, added, removed, new_users))
        return [mapping for key, number in ids.items() if number > MOST_PLATFORM_IDS for mapping in self._oldest(key)]

    def delete_of(self, users: Collection[tuple[int, UUID]]) -> list[MappedId]:
        """Delete at once, and count, all mappings of these (customer, user id)s; returns them."""
        known = store.of_users(self._cursor, users)
        found = [mapping for mappings in known.values() for mapping in mappings]
        removed = store.delete(self._cursor, [(*mapping.key, mapping.epoch) for mapping in found])
        if removed:
            user_counts.count(self._cursor, MappingChanges((), (), removed, ()))
        return found

    def _oldest(self, key: UserOnPlatform) -> list[FullMapping]:
        customer, user, platform = key
        found = [one for one in store.of_user(self._cursor, customer, user) if one.platform == platform]
        return sorted(found, key=lambda one: (one.synced_at, one.platform_user_id), reverse=True)[MOST_PLATFORM_IDS:]
