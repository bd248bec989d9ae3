"""A profile in memory: loaded for a batch, changed by its rows, saved once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from core.json_values import canonical, is_empty, same

DAY_MS = 86_400_000
DAYS_KEPT = 180

MOST_IDS = 50  # of one profile: who has more is a shared account, or a device that everybody reports

Time = int | Sequence[float]
NOTHING: frozenset[int] = frozenset()
USER_KEY = "user"  # the kind of the customer's own user ids
COOKIE = "cookie"  # … and of our own: such an id names its profile without an identity row

_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(slots=True)
class ProfileState:
    """One profile; `changed` names what audiences may depend on (`attribute.x`, `pixel.7`, …).

    `audiences` and `platforms` are filled before rules are evaluated, where some rule needs them.
    `reconsider` asks for every audience, whatever changed. `counted`: it is one of the customer's known users,
    as far as those are counted. `login` is the customer user who logged in last with this browser, at `login_at`
    (unix ms), where that is not the profile's own.
    """

    bucket: int
    customer: int
    user_id: UUID
    created_at: int
    attributes: dict[str, Any] = field(default_factory=dict)
    dimensions: dict[str, Any] = field(default_factory=dict)
    times: dict[str, Time] = field(default_factory=dict)
    activity: dict[str, dict[str, Any]] = field(default_factory=dict)
    ids: list[list[str]] = field(default_factory=list)
    confirmed: bool = False
    merged_into: UUID | None = None
    opted_out: bool = False
    login: str = ""
    login_at: int = 0
    changed: set[str] = field(default_factory=set)
    reconsider: bool = False
    dirty: bool = False
    counted: bool = False
    audiences: set[int] | frozenset[int] = NOTHING
    platforms: set[int] | frozenset[int] = NOTHING

    @property
    def eligible(self) -> bool:
        return self.confirmed and self.merged_into is None and not self.opted_out

    def confirm(self) -> None:
        """The user is known to be real: from now on audiences may hold it."""
        if not self.confirmed:
            self.confirmed = self.reconsider = self.dirty = True

    def knows(self, kind: str, value: str) -> bool:
        return [kind, value] in self.ids

    @property
    def key(self) -> str | None:
        """The customer's own id of the user."""
        return next((value for kind, value in self.ids if kind == USER_KEY), None)

    def is_another_than(self, key: str | None) -> bool:
        """Whether it belongs to another customer user than the one of that key (None: no telling)."""
        return key is not None and self.key is not None and not self.knows(USER_KEY, key)

    @property
    def is_full(self) -> bool:
        return len(self.ids) >= MOST_IDS

    def add_id(self, kind: str, value: str) -> None:
        self.ids.append([kind, value])
        self.dirty = True

    def log_in(self, key: str, at: int) -> None:
        """Somebody logs in with the browser whose id the profile bears: the latest counts."""
        if at < self.login_at:
            return
        home = self.merged_into is None and self.key in (None, key)
        login = "" if home else key
        if login != self.login:
            self.login, self.login_at, self.dirty = login, at, True

    def user_at(self, at: int) -> str:
        """The customer user to whom the browser belonged then, where that is another than the profile's own."""
        return self.login if at >= self.login_at else ""

    def record(self, pixel: int, at: int) -> None:
        """Count one event of a pixel on the event's own UTC day."""
        seen = self.activity.get(str(pixel))
        if seen is None:
            seen = self.activity[str(pixel)] = {"first": at, "last": at, "total": 0, "days": {}}
        seen["first"] = min(seen["first"], at)
        seen["last"] = max(seen["last"], at)
        seen["total"] += 1
        add_days(seen, {str(at // DAY_MS): 1})
        self.dirty = True
        self.changed.add(f"pixel.{pixel}")

    def set_attributes(self, values: dict[str, Any], at: int, received: float) -> None:
        self._set_all(self.attributes, "attribute.", "a:", values, at, received)

    def set_dimensions(self, values: dict[str, Any], at: int, received: float) -> None:
        self._set_all(self.dimensions, "dimension.", "d:", values, at, received)

    def _set_all(
        self, kept: dict[str, Any], changes: str, marks: str, values: dict[str, Any], at: int, received: float
    ) -> None:
        """The latest set wins: by event time, then receipt."""
        time: Time = at if at == received else [at, received]
        pair = as_pair(time)
        for name, value in values.items():
            mark = marks + name
            if is_empty(value) or not self._is_newer(kept, name, value, pair, mark):
                continue
            self.times[mark] = time
            self.dirty = True
            if name not in kept or not same(kept[name], value):
                kept[name] = value
                self.changed.add(changes + name)

    def _is_newer(self, kept: dict[str, Any], name: str, value: Any, time: tuple[float, float], mark: str) -> bool:
        """Of two that came in one microsecond the values decide: as good as any, but the same on every route."""
        last = self.times.get(mark)
        if last is None or name not in kept:
            return True
        other = as_pair(last)
        return time > other or (time == other and _encode(value) > _encode(kept[name]))

    def take_over(self, other: "Held") -> list[tuple[str, str]]:
        """Add what a younger profile of the same person held: the latest set wins, activity adds up.

        Answers the ids for which there was no room.
        """
        for name, value in other.attributes.items():
            self._take_value(self.attributes, "attribute.", "a:", name, value, other.times)
        for name, value in other.dimensions.items():
            self._take_value(self.dimensions, "dimension.", "d:", name, value, other.times)
        for pixel, activity in other.activity.items():
            self.activity[pixel] = add_activity(self.activity.get(pixel), activity)
            self.changed.add(f"pixel.{pixel}")
        self.dirty = True
        new = [(kind, value) for kind, value in other.ids if not self.knows(kind, value)]
        room = max(0, MOST_IDS - len(self.ids))
        self.ids += [[kind, value] for kind, value in new[:room]]
        return new[room:]

    def _take_value(
        self, kept: dict[str, Any], changes: str, marks: str, name: str, value: Any, times: dict[str, Any]
    ) -> None:
        mark = marks + name
        time = times.get(mark, 0)
        if self._is_newer(kept, name, value, as_pair(time), mark):
            kept[name] = value
            self.times[mark] = time
            self.changed.add(changes + name)


@dataclass(frozen=True, slots=True)
class Held:
    """What a merged profile brings along (shapes as in `ProfileState`)."""

    attributes: dict[str, Any]
    dimensions: dict[str, Any]
    times: dict[str, Any]
    activity: dict[str, Any]
    ids: list[tuple[str, str]]


def receipt_time(received_at: datetime) -> float:
    """Returns unix milliseconds to the microsecond, so that hardly two rows of a user share one. Whole ones are int."""
    time: float = canonical(round(received_at.timestamp() * 1000, 3))
    return time


def as_pair(time: Time) -> tuple[float, float]:
    return (time, time) if isinstance(time, int) else (time[0], time[1])


def add_activity(one: dict[str, Any] | None, other: dict[str, Any]) -> dict[str, Any]:
    if one is None:
        return other
    one["first"] = min(one["first"], other["first"])
    one["last"] = max(one["last"], other["last"])
    one["total"] += other["total"]
    add_days(one, other["days"])
    return one


def add_days(activity: dict[str, Any], days: dict[str, int]) -> None:
    """Add daily counts; days that no rule can ask for any more go."""
    counts = activity["days"]
    for day, count in days.items():
        counts[day] = counts.get(day, 0) + count
    oldest = activity["last"] // DAY_MS - DAYS_KEPT
    if len(counts) > DAYS_KEPT:
        for day in [day for day in counts if int(day) <= oldest]:
            del counts[day]
