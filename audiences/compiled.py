"""Audiences in force, compiled, and the selections of them that are evaluated together for what changes in profiles.

A selection of thousands of audiences is expensive to make, so it is kept, and followed when a few of them change.
"""

import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from audiences.rules.dependencies import with_each_pixel
from audiences.rules.evaluate import Predicate
from audiences.rules.nodes import Group
from audiences.rules.prefilter import Prefilter
from audiences.rules.subject import Subject
from audiences.schema import Consulted

CHANGES_KEPT = 2_000  # of a customer: what events changed, with the selection for it
PLACES_KEPT = 200_000  # of a customer: audiences in selections
MOST_UNFILTERED = 16  # audiences that a selection evaluates each time; with more it is made anew
WEAR = 10  # for each of its audiences, so many evaluations of unfiltered ones cost as much as a new prefilter
RENEWAL_SECONDS = 0.25  # for the selections of one customer's earlier version

Names = frozenset[str]
"""What rules depend on, as `audiences.rules.dependencies` writes it."""


@dataclass(frozen=True, slots=True)
class CompiledAudience:
    """One audience in force. `rank` orders audiences so that one comes after those it asks about.

    Without a `rule` that SQL could read, the predicate alone decides, user by user. `source` is what it was made of,
    `consulted` what the rule had to ask of the customer's schema.
    """

    id: int
    customer: int
    version: int
    rule: Group | None
    predicate: Predicate
    dependencies: Names
    audiences: frozenset[int]
    asks_platforms: bool
    source: Hashable
    consulted: Consulted = ()
    rank: int = 0
    asks_lists: bool = False


@dataclass(frozen=True, slots=True)
class AudienceChange:
    """An audience that is compiled otherwise than before, or for the first time, or no more (`after` is None)."""

    id: int
    after: CompiledAudience | None
    names: Names


class Selection:
    """Audiences to be evaluated together for many profiles, each after those that it asks about."""

    __slots__ = ("_places", "_prefilter", "_unfiltered", "_wear", "asks_lists", "asks_platforms", "audiences", "ids")

    def __init__(self, audiences: Iterable[CompiledAudience]) -> None:
        self.audiences = tuple(audiences)
        self.ids = frozenset(number for audience in self.audiences for number in (audience.id, *audience.audiences))
        self.asks_platforms = any(audience.asks_platforms for audience in self.audiences)
        self.asks_lists = any(audience.asks_lists for audience in self.audiences)
        self._places = {audience.id: place for place, audience in enumerate(self.audiences)}
        self._prefilter = Prefilter(audience.rule for audience in self.audiences)
        self._unfiltered: frozenset[int] = frozenset()
        self._wear = 0

    def in_question(self, subject: Subject, noted: Iterable[int]) -> Iterable[CompiledAudience]:
        """Returns the audiences that may hold the subject, now or when time has passed, and those of `noted`: they hold
        it, or wait for a moment to look again. All others would say no, and have said so before.
        """
        unfiltered = self._unfiltered and self._still_unfiltered()
        places = self._prefilter.may_hold(subject)
        places.update(self._places[audience] for audience in noted if audience in self._places)
        places.update(unfiltered)
        return [self.audiences[place] for place in sorted(places)]

    def _still_unfiltered(self) -> frozenset[int]:
        """Returns the audiences to be evaluated each time. Once that has cost as much as a new prefilter, it is made.

        Threads share the selection: who sees that none is unfiltered finds the new prefilter.
        """
        self._wear += len(self._unfiltered)
        if self._wear > WEAR * len(self.audiences):
            self._prefilter = Prefilter(audience.rule for audience in self.audiences)
            self._unfiltered, self._wear = frozenset(), 0
        return self._unfiltered

    def after(self, changes: Iterable[AudienceChange], names: Names | None) -> "Selection | None":
        """Returns the selection as it is after these changes, which are in order of rank; itself if none concerns it.

        `names` is what it was selected for; None: for everything. An audience that no longer depends on that stays:
        it would decide as before. Returns None if the selection has to be made anew.
        """
        found = self
        for change in changes:
            if change.id not in found._places and not found._is_joined_by(change, names):
                continue
            if change.after is None:
                return None
            if found is self:
                found = self._copy()
            if not found._put(change.after):
                return None
        return found

    def _is_joined_by(self, change: AudienceChange, names: Names | None) -> bool:
        if change.after is None:
            return False
        is_named = names is None or not names.isdisjoint(change.names)
        return is_named or not self._places.keys().isdisjoint(change.after.audiences)

    def _copy(self) -> "Selection":
        copy = Selection(())
        copy.audiences, copy.ids = self.audiences, self.ids
        copy.asks_platforms, copy.asks_lists = self.asks_platforms, self.asks_lists
        copy._places, copy._prefilter, copy._unfiltered = dict(self._places), self._prefilter, self._unfiltered
        return copy

    def _put(self, audience: CompiledAudience) -> bool:
        """Put the audience in its place, unfiltered. Returns whether the selection is in order, and still worth it."""
        place = self._places.get(audience.id)
        if place is None:
            if audience.id in self.ids:  # an audience before it asks about it
                return False
            place = self._places[audience.id] = len(self.audiences)
        if any(self._places.get(asked, -1) >= place for asked in audience.audiences):
            return False
        self.audiences = (*self.audiences[:place], audience, *self.audiences[place + 1 :])
        self.ids |= {audience.id, *audience.audiences}
        self.asks_platforms |= audience.asks_platforms
        self.asks_lists |= audience.asks_lists
        self._unfiltered |= {place}
        return len(self._unfiltered) <= MOST_UNFILTERED


class Selections:
    """One customer's audiences, in order of rank, and what was selected of them so far. Threads share it."""

    def __init__(self, audiences: Mapping[int, CompiledAudience], pixels: Iterable[int]) -> None:
        self._audiences, self._pixels = audiences, frozenset(pixels)
        self._by_name: dict[str, list[CompiledAudience]] = {}
        for audience in audiences.values():
            for name in self._names_of(audience):
                self._by_name.setdefault(name, []).append(audience)
        self._by_change: dict[Names, Selection] = {}
        self._kept: dict[Names | None, Selection] = {}
        self._places = 0

    def all(self) -> Selection:
        return self._kept.get(None) or self._keep(None, Selection(self._audiences.values()))

    def affected(self, changed: Names) -> Selection:
        """Returns the audiences whose answer a change of these dependencies can change, at any depth.

        Events change the same few things again and again, and most of them concern no rule.
        """
        found = self._by_change.get(changed)
        if found is None:
            names = frozenset(name for name in changed if name in self._by_name)
            found = self._kept.get(names) or self._keep(names, Selection(self._find_affected(names)))
            if len(self._by_change) >= CHANGES_KEPT:
                self._by_change.clear()
            self._by_change[changed] = found
        return found

    def follow(self, earlier: "Selections") -> None:
        """Select now what was selected of an earlier version, so that no event has to do it under its locks.

        What takes too long is left to the events.
        """
        changes = self._changes_since(earlier)
        end = time.monotonic() + RENEWAL_SECONDS
        followed: list[tuple[Names | None, Selection]] = []
        for names, known in reversed(list(earlier._kept.items())):
            if time.monotonic() > end:
                break
            selection = known.after(changes, names) if len(changes) <= MOST_UNFILTERED else None
            if selection is None:
                selection = Selection(self._audiences.values() if names is None else self._find_affected(names))
            followed.append((names, selection))
        for names, selection in reversed(followed):
            self._keep(names, selection)

    def _changes_since(self, earlier: "Selections") -> list[AudienceChange]:
        before, now = earlier._audiences, self._audiences
        gone = [AudienceChange(key, None, frozenset()) for key in before if key not in now]
        changed = (audience for key, audience in now.items() if before.get(key) is not audience)
        return [*gone, *(AudienceChange(audience.id, audience, self._names_of(audience)) for audience in changed)]

    def _names_of(self, audience: CompiledAudience) -> Names:
        return with_each_pixel(audience.dependencies, self._pixels)

    def _keep(self, names: Names | None, selection: Selection) -> Selection:
        self._places += len(selection.audiences)
        if self._places > PLACES_KEPT:
            self._kept.clear()
            self._by_change.clear()
            self._places = len(selection.audiences)
        self._kept[names] = selection
        return selection

    def _find_affected(self, changed: Iterable[str]) -> list[CompiledAudience]:
        found: dict[int, CompiledAudience] = {}
        pending = list(changed)
        while pending:
            for audience in self._by_name.get(pending.pop(), ()):
                if audience.id not in found:
                    found[audience.id] = audience
                    pending.append(f"audience.{audience.id}")
        return sorted(found.values(), key=lambda audience: audience.rank)
