"""Requests with shared ids, and the profiles that must come of them, however they race.

The model is sequential: ids that were in one request are one person; a person's attribute is what the latest
event says; activity adds up. A browser whose last login is another customer user's counts for that one.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from core.messages import Id
from profiles.models import Identity, Profile
from profiles.state import USER_KEY
from tests.support.shop import Shop

BROWSERS = [UUID(f"00000000-0000-4000-8000-0000000000{suffix}") for suffix in ("01", "02", "41", "42", "ff")]
KEYS: list[Id] = [(USER_KEY, name) for name in ("ann", "bob", "cid")]
OTHERS: list[Id] = [("device:devid_g", "g1"), ("device:devid_a", "a1"), ("euid:7", "e1"), ("device:idmd5", "m1")]
NAMES = ("city", "color", "size")

Name = tuple[str, str]
Who = frozenset[Name]


@dataclass(frozen=True, slots=True)
class CrowdRequest:
    """A request: `at` is its own time, `received` when the edge got it, both unix ms."""

    browser: UUID | None
    ids: tuple[Id, ...]
    data: dict[str, Any]
    at: int
    received: int

    def names(self) -> list[Name]:
        own = [] if self.browser is None else [("browser", str(self.browser))]
        return [*own, *self.ids]

    @property
    def key(self) -> str | None:
        return next((value for kind, value in self.ids if kind == USER_KEY), None)


@dataclass(slots=True)
class ModelPerson:
    names: set[Name] = field(default_factory=set)
    attributes: dict[str, tuple[int, int, str, Any]] = field(default_factory=dict)
    days: Counter[str] = field(default_factory=Counter)
    times: list[int] = field(default_factory=list)

    @property
    def key(self) -> str | None:
        return next((value for kind, value in self.names if kind == USER_KEY), None)

    def add(self, other: "ModelPerson") -> None:
        self.names |= other.names
        self.days += other.days
        self.times += other.times
        for name, held in other.attributes.items():
            self.attributes[name] = max(held, self.attributes.get(name, held))


class ProfileModel:
    """The people, one after the other."""

    def __init__(self) -> None:
        self.people: list[ModelPerson] = []
        self.logins: dict[str, tuple[int, str]] = {}

    def depends_on_order(self, sent: CrowdRequest) -> bool:
        """Whether it would bring two customer users together, or somebody else than before logs in with a browser."""
        names = self._named(sent)
        keys = {person.key for person in self._known(names)} | {value for kind, value in names if kind == USER_KEY}
        if sent.browser is not None:
            _, login, _ = self._login(sent.browser)
            keys |= {login, sent.key} if login and sent.key else set()
        return len(keys - {None}) > 1

    def take(self, sent: CrowdRequest) -> None:
        names = self._named(sent)
        self._log_in(sent)
        one = ModelPerson(set(names), {n: (sent.at, sent.received, repr(v), v) for n, v in sent.data.items()})
        one.days[str(sent.at // 86_400_000)] += 1
        one.times.append(sent.at)
        for other in self._known(names):
            self.people.remove(other)
            one.add(other)
        self.people.append(one)

    def _named(self, sent: CrowdRequest) -> list[Name]:
        """Whom it counts for: a browser that somebody else logged in with is not a name of its profile any more."""
        names = sent.names()
        if sent.browser is None:
            return names
        since, login, home = self._login(sent.browser)
        key = sent.key or (login if sent.at >= since else home)
        if home is None or key in (None, home):
            return names
        return [(USER_KEY, str(key)), *(name for name in names[1:] if name[0] != USER_KEY)]

    def _log_in(self, sent: CrowdRequest) -> None:
        if sent.browser is None or sent.key is None:
            return
        since, login, _ = self._login(sent.browser)
        if sent.at >= since and sent.key != login:
            self.logins[str(sent.browser)] = (sent.at, sent.key)

    def _login(self, browser: UUID) -> tuple[int, str | None, str | None]:
        """Since when who is logged in with it, and whose its profile is."""
        home = next((person.key for person in self._known([("browser", str(browser))])), None)
        return *self.logins.get(str(browser), (0, home)), home

    def _known(self, names: Collection[Name]) -> list[ModelPerson]:
        return [person for person in self.people if person.names & set(names)]


def expected(model: ProfileModel) -> dict[Who, Any]:
    return {
        frozenset(person.names): (
            {name: held[3] for name, held in person.attributes.items()},
            dict(person.days),
            (min(person.times), max(person.times)),
        )
        for person in model.people
    }


def found(shop: Shop) -> dict[Who, Any]:
    """What the database holds, in the model's words: names are what leads to a profile, by whatever way."""
    profiles = {row.user_id: row for row in Profile.objects.all()}
    names: dict[UUID, set[Name]] = {user: set() for user, row in profiles.items() if row.merged_into is None}
    for browser in BROWSERS:
        if browser in profiles:
            names[_survivor(profiles, browser)].add(("browser", str(browser)))
    for identity in Identity.objects.all():
        assert identity.user_id is not None
        names[_survivor(profiles, identity.user_id)].add((identity.kind, identity.value))
    return {frozenset(names[user]): _content(shop, profiles[user]) for user in names}


def differences(shop: Shop, model: ProfileModel) -> list[str]:
    """What is otherwise than the model says, short enough to read."""
    here, wanted = found(shop), expected(model)
    who = sorted(map(sorted, here.keys() ^ wanted.keys()))
    what = [key for key in here.keys() & wanted.keys() if here[key] != wanted[key]]
    return [
        *(f"{'found' if frozenset(key) in here else 'missing'}: {key}" for key in who),
        *(
            f"{sorted(key)}: {one} instead of {other}"
            for key in what
            for one, other in zip(here[key], wanted[key], strict=True)
            if one != other
        ),
    ]


def _survivor(profiles: dict[UUID, Profile], user: UUID) -> UUID:
    while (following := profiles[user].merged_into) is not None:
        user = following
    return user


def _content(shop: Shop, profile: Profile) -> Any:
    seen = profile.activity.get(str(shop.pixel.id), {"days": {}, "total": 0, "first": 0, "last": 0})
    assert sum(seen["days"].values()) == seen["total"]
    return profile.attributes, seen["days"], (seen["first"], seen["last"])


def send(shop: Shop, sent: CrowdRequest) -> None:
    shop.event(sent.browser, sent.data, ids=sent.ids, at=sent.at, received=sent.received)
