"""What must be so, as a plain model: people with their names and events, owners of platforms' ids, and what was erased.

It is sequential: requests are applied in the order in which they are accepted. Names (cookies, own ids, devices) that
were in one request are one person. An erasure takes the person as of all requests before it, absorbed or not.

Where the order of absorption may decide, the person is `open`: whether two are one may turn out either way. Who is not
`sure` besides has opted out, or may be taken for an erased person: what is sent then may or may not be kept. Once all
is absorbed, `settle` takes over how it turned out, and only there.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

HOUR = 3_600_000
DAY = 24 * HOUR

ZONE = "Australia/Lord_Howe"
"""The customer's time zone: half an hour of summer time, so that no other day is like it."""


def day_of(moment: int) -> int:
    """The date there, as days since 1970."""
    return (datetime.fromtimestamp(moment // 1000, ZoneInfo(ZONE)).date() - date(1970, 1, 1)).days


PLATFORM = "ads"
"""The platform about which rules ask."""

Place = tuple[str, str]
"""A platform (by its account) and one of its ids."""


@dataclass(slots=True)
class Happening:
    """One accepted event. `text` is its own and tells it from all others. Times are unix milliseconds."""

    text: str
    at: int
    received: int
    amount: int | None = None
    names: frozenset[str] = frozenset()
    maybe: bool = False
    day_kept: bool = True


@dataclass(slots=True)
class Person:
    """`seen`: when the hub last heard of them. `open`: who is who is not decided yet; `sure`: what is sent is kept."""

    names: set[str] = field(default_factory=set)
    events: list[Happening] = field(default_factory=list)
    opted_out: bool = False
    seen: int = 0
    open: bool = False
    sure: bool = True

    @property
    def amount(self) -> int | None:
        given = [(event.at, event.received, event.amount) for event in self.events if event.amount is not None]
        return max(given)[2] if given else None

    @property
    def last(self) -> int | None:
        return max((event.at for event in self.events), default=None)

    @property
    def total(self) -> int:
        return len(self.events)

    def count(self, days: int, now: int) -> int:
        """Events of the last days of the customer's time zone, today included."""
        today = day_of(now)
        return sum(event.day_kept and today - days < day_of(event.at) <= today for event in self.events)


@dataclass(slots=True)
class Owner:
    """Who has an id of a platform: the person with this name, until `expires_at` (None: for good)."""

    name: str
    expires_at: int | None = None
    maybe: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What the hub made of one person: the texts that the profile holds, and whether it has opted out."""

    texts: frozenset[str]
    opted_out: bool


class Model:
    """`keys`: the names of which a person has at most one, the customer's own ids."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = frozenset(keys)
        self.people: list[Person] = []
        self.owners: dict[Place, Owner] = {}
        self.former: dict[Place, str] = {}
        self.logins: dict[str, tuple[str, int]] = {}
        self.refused: set[str] = set()
        self.erasing: set[str] = set()
        self.gone: set[str] = set()

    # ── who is who ───────────────────────────────────────────────────────────────────────────────────

    def person(self, name: str) -> Person | None:
        return next((one for one in self.people if name in one.names), None)

    def known(self, names: Iterable[str]) -> list[Person]:
        asked = set(names)
        return [one for one in self.people if one.names & asked]

    def acting(self, browser: str | None, ids: Iterable[str], at: int) -> set[str]:
        """The names for which a request counts: those of who is logged in with the browser, else the browser's own."""
        names = set(ids)
        if browser is None:
            return names
        login, since = self.logins.get(browser, ("", 0))
        if login and at >= since and not names & self.keys:
            return names | {login}
        return names | {browser}

    def joins_two_keys(self, names: set[str]) -> bool:
        joined = names.union(*(one.names for one in self.known(names)))
        return len(joined & self.keys) > 1

    def is_open(self, names: Iterable[str]) -> bool:
        return any(one.open for one in self.known(names))

    def _take(self, names: set[str], at: int) -> Person:
        """The names are one person from now on."""
        one = Person(set(names), seen=at)
        joined = self.known(names)
        for person in joined:
            one.names |= person.names
            one.events += person.events
            one.opted_out |= person.opted_out
            one.open |= person.open
            one.sure &= person.sure
            self.people.remove(person)
        self.people.append(one)
        self.gone -= names
        if one.names & self.refused or one.opted_out:
            self._blur(one)
        if one.names & self.erasing:
            one.open = True
            # somebody else who is now seen with what the erased person had: the erasure may be on its way there
            one.sure &= all(person.names <= self.erasing for person in joined)
            self.erasing |= one.names
        return one

    def _blur(self, person: Person, *, since: int | None = None) -> None:
        """What is sent from now on (and was since then) may or may not be kept."""
        person.open, person.sure = True, False
        for event in person.events:
            event.maybe |= since is not None and event.received > since

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────

    def event(self, browser: str | None, ids: set[str], event: Happening) -> None:
        names = self.acting(browser, ids, event.at)
        one = self._take(names, event.received)
        event.names, event.maybe = frozenset(names), not one.sure
        one.events.append(event)

    def log_in_as_another(self, browser: str, key: str, event: Happening) -> None:
        """The browser of one of the customer's users is used by another: they stay two."""
        self.logins[browser] = (key, event.at)
        home = self.person(browser)
        assert home is not None
        home.seen = event.received
        self.event(None, {key}, event)

    def log_in_at_home(self, browser: str, key: str, event: Happening) -> None:
        self.logins.pop(browser, None)
        self.event(browser, {key}, event)

    def sync(self, browser: str, place: Place, at: int, expires_at: int | None) -> None:
        """From now on the id is the browser's, or whose who is logged in with it."""
        (name,) = self.acting(browser, (), at)
        before = self.person(name)
        seen = before.seen if before else at
        one = self._take({name}, seen)
        self.gone.discard(place[1])
        self.former[place] = name
        if one.opted_out and not one.open:
            self.owners.pop(place, None)
        else:
            self.owners[place] = Owner(name, expires_at, maybe=not one.sure)

    def clear(self, browser: str, platform: str, at: int) -> None:
        """The browser's person gives up the ids of the platform."""
        person = self.person(browser)
        if person:
            person.seen = at
            self._give_up(person.names, platform)

    def _give_up(self, names: set[str], platform: str | None = None) -> None:
        for place, owner in list(self.owners.items()):
            if platform in (None, place[0]) and owner.name in names:
                del self.owners[place]

    def choose(self, browser: str, at: int, *, out: bool, since: int) -> None:
        """Opting out, or in again. `since`: what was accepted after it may still be under way."""
        self.refused = self.refused | {browser} if out else self.refused - {browser}
        person = self.person(browser)
        if person:
            person.opted_out, person.seen = out, at
            self._give_up(person.names)
            self._blur(person, since=since)

    def erase(self, name: str) -> None:
        for person in self.known([name]):
            self._erase(person)
        self.erasing.add(name)

    def _erase(self, person: Person) -> None:
        self.people.remove(person)
        self.gone |= person.names | {event.text for event in person.events}
        self.erasing |= person.names
        for place, name in list(self.former.items()):
            if name in person.names:
                self.gone.add(place[1])
                self.owners.pop(place, None)
                del self.former[place]
        self.logins = {b: login for b, login in self.logins.items() if not {b, login[0]} & person.names}

    def forget_unseen(self, before: int) -> None:
        """Retention: who was not seen since then is erased. To be called when all is settled."""
        for person in [one for one in self.people if one.seen < before]:
            self._erase(person)

    def forget_days(self, oldest: int) -> None:
        """Retention: daily counts up to that day are no longer kept."""
        for person in self.people:
            for event in person.events:
                event.day_kept &= day_of(event.at) > oldest

    def forget_platform(self, platform: str, names: set[str], *, is_quiet: bool) -> None:
        """The platform is deleted, with the ids by which it has named people: `names`."""
        for place in [place for place in self.former if place[0] == platform]:
            self.gone.add(place[1])
            self.owners.pop(place, None)
            self._forget_match(self.former.pop(place), is_quiet=is_quiet)
        for person in self.known(names):
            self.gone |= person.names & names
            person.names -= names
            person.open |= not is_quiet  # who was to become one by such a name, under way, stays two

    def _forget_match(self, name: str, *, is_quiet: bool) -> None:
        """A match with a deleted platform. While it is under way, it makes nobody known who was not known before."""
        person = self.person(name)
        if person and not is_quiet and not person.events and not person.names & set(self.former.values()):
            person.open = True

    # ── how it turned out ────────────────────────────────────────────────────────────────────────────

    def settle(
        self,
        find: Callable[[str], UUID | None],
        read: Callable[[UUID], Found],
        holder: Callable[[Place], UUID | None],
    ) -> None:
        """All that was accepted is absorbed: take over what the model leaves open, and nothing else.

        `find` says which profile a name leads to, `read` what that holds, `holder` whose a platform's id is.
        """
        for person in [one for one in self.people if one.open]:
            self.people.remove(person)
            groups: dict[UUID, set[str]] = {}
            for name in person.names:
                user = find(name)
                if user is not None:
                    groups.setdefault(user, set()).add(name)
            for user, names in groups.items():
                self._settle_one(person, names, read(user))
            kept = {event.text for one in self.people for event in one.events}
            lost = [event.text for event in person.events if not event.maybe and event.text not in kept]
            assert not lost, f"lost, although nothing was under way: {lost}"
        for place, owner in [one for one in self.owners.items() if one[1].maybe]:
            owner.maybe = False
            if find(owner.name) is None or holder(place) != find(owner.name):
                del self.owners[place]
        self.erasing.clear()

    def _settle_one(self, person: Person, names: set[str], found: Found) -> None:
        events = [event for event in person.events if event.text in found.texts]
        for event in events:
            event.maybe = False
        if found.opted_out:
            self._give_up(names)
        self.people.append(Person(names, events, found.opted_out, person.seen))

    # ── what must be so ──────────────────────────────────────────────────────────────────────────────

    def owned(self, platform: str, now: int) -> dict[str, Person]:
        """The ids of the platform that somebody has who may be told of, with that person."""
        found = {}
        for (account, value), owner in self.owners.items():
            person = self.person(owner.name)
            lasts = owner.expires_at is None or owner.expires_at > now
            if account == platform and lasts and person and not person.opted_out:
                found[value] = person
        return found

    def members(self, rule: dict[str, Any], now: int, within: "Callable[[int], list[Person]]") -> list[Person]:
        """Who fulfils the rule, read naively. `within(number)`: the members of another audience."""
        return [one for one in self.people if not one.opted_out and self._holds(rule, one, now, within)]

    def _holds(self, rule: dict[str, Any], one: Person, now: int, within: "Callable[[int], list[Person]]") -> bool:
        if "rules" in rule:
            parts = [self._holds(part, one, now, within) for part in rule["rules"]]
            return (all(parts) if rule["combinator"] == "and" else any(parts)) is not rule.get("not", False)
        operator, value = rule["operator"], rule["value"]
        match rule["field"].split(".")[-1]:
            case "amount":
                return _compare(one.amount, operator, value)
            case "last":
                recent = one.last is not None and now - one.last < _DURATIONS[value]
                return recent is (operator == "withinLast")
            case "count":
                count = one.count(rule["days"], now) if "days" in rule else one.total
                return _compare(count, operator, value)
            case "audience":
                return any(one is member for member in within(value)) is (operator == "in")
            case "platform":
                has = any(one is owner for owner in self.owned(PLATFORM, now).values())
                return has is (operator == "in")
        raise ValueError(rule)


_DURATIONS = {"PT6H": 6 * HOUR, "P1D": DAY, "P3D": 3 * DAY}


def _compare(value: int | None, operator: str, wanted: int) -> bool:
    """A missing value fulfils what is negative, and nothing else."""
    if operator == "!=":
        return value != wanted
    if value is None:
        return False
    return {"<": value < wanted, ">=": value >= wanted, "=": value == wanted}[operator]
