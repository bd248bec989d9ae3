"""A profile in memory: loaded for a batch, changed by the batch's rows, saved once.

Nothing here reads or writes the database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from core.ids.spelling import one_spelling
from core.json_values import is_empty, same
from profiles.messages import Content
from profiles.origins import NO_ORIGINS, Origins, put_origins

DAY_MS = 86_400_000
DAYS_KEPT = 180

MOST_IDS = 50  # of one profile: more ids mean a shared account, or a device id that everybody reports

Time = int | Sequence[Any]
NOTHING: frozenset[int] = frozenset()
USER_KEY = "user"  # the kind of the customer's own user ids
COOKIE = "cookie"  # the kind of our own user ids: they name their profile without an identity row

_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(slots=True)
class ProfileState:
    """One profile. Shapes:

    - `attributes`, `dimensions`: what was last set; `times`: when, by `a:<attribute>` or `d:<dimension>`, as the
      event's time in unix ms, or [event's time, receipt] where the two differ, or [event's time, receipt, origins]
      where a conversion has changed the value (`profiles.origins`); and when it was received that the user gives up the
      ids of a platform (`i:<pl>`), or of all (`i:`), as [0, receipt].
    - `activity`: by pixel id `{"first", "last", "total", "days": {<day since 1970>: count}}`, days as in
      `core.days`.
    - `ids`: [kind, value] of every id that names the user.
    - `login`: the customer's user who logged in last with this browser, at `login_at` (unix ms); empty if that is
      the profile's own user.
    - `changed`: what audiences may depend on (`attribute.x`, `pixel.7`, …); `reconsider`: evaluate every audience,
      whatever changed.
    - `counted`: the stored count of the customer's known users includes this profile.
    - `stored`: what its row holds beside attributes, their times and activity (`profiles.store`); None: it has no row.
    - `attribute_bytes`: bytes of the attributes' JSON text, at most (`profiles.caps`); exact if `is_measured`.
    - `audiences`, `platforms`, `lists` (static audiences on whose list the user is): filled before rules are
      evaluated, if a rule needs them.
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
    stored: tuple[Any, ...] | None = None
    attribute_bytes: int = 0
    is_measured: bool = False
    audiences: set[int] | frozenset[int] = NOTHING
    platforms: set[int] | frozenset[int] = NOTHING
    lists: set[int] | frozenset[int] = NOTHING

    @property
    def eligible(self) -> bool:
        return self.confirmed and self.merged_into is None and not self.opted_out

    def confirm(self) -> None:
        """Note that the user is real: from now on audiences may hold it."""
        if not self.confirmed:
            self.confirmed = self.reconsider = self.dirty = True

    def knows(self, kind: str, value: str) -> bool:
        return [kind, value] in self.ids

    @property
    def key(self) -> str | None:
        """The customer's own id of the user, if one is known."""
        return next((value for kind, value in self.ids if kind == USER_KEY), None)

    def is_another_than(self, key: str | None) -> bool:
        """Whether the profile belongs to another of the customer's users than `key`. False if either is unknown."""
        if key is None or self.key is None or self.knows(USER_KEY, key):
            return False
        return one_spelling(USER_KEY, self.key) != one_spelling(USER_KEY, key)

    @property
    def is_full(self) -> bool:
        return len(self.ids) >= MOST_IDS

    def add_id(self, kind: str, value: str) -> None:
        self.ids.append([kind, value])
        self.dirty = True

    def drop_id(self, kind: str, value: str) -> None:
        """The id does not name this user."""
        if self.knows(kind, value):
            self.ids.remove([kind, value])
            self.dirty = True

    def log_in(self, key: str, at: int) -> None:
        """Note that this user logged in with the browser whose id the profile bears. The latest login counts."""
        if at < self.login_at:
            return
        home = self.merged_into is None and not self.is_another_than(key)
        login = "" if home else key
        if login != self.login:
            self.login, self.login_at, self.dirty = login, at, True

    def log_out(self) -> None:
        """Forget who logged in: the browser is the profile's own user's."""
        self.login, self.login_at, self.dirty = "", 0, True

    def user_at(self, at: int) -> str:
        """Returns the customer's user who was logged in then; empty if that was the profile's own user."""
        return self.login if at >= self.login_at else ""

    def give_up_ids(self, received: float, platform: int | None = None) -> None:
        """Note that the user has no id of the platform, or of any, by what was received before (unix ms)."""
        key = f"i:{'' if platform is None else platform}"
        self.times[key] = [0, max(received, as_pair(self.times.get(key, 0))[1])]
        self.dirty = True

    def has_given_up(self, platform: int, received: float) -> bool:
        """Whether an id of the platform, by what was received then, has been given up since."""
        return any(received < as_pair(self.times[key])[1] for key in ("i:", f"i:{platform}") if key in self.times)

    def record(self, pixel: int, at: int, on: int) -> None:
        """Count one event of a pixel, at a moment (unix ms) and on a day: that of the customer's time zone."""
        seen = self.activity.get(str(pixel))
        if seen is None:
            seen = self.activity[str(pixel)] = {"first": at, "last": at, "total": 0, "days": {}}
        seen["first"] = min(seen["first"], at)
        seen["last"] = max(seen["last"], at)
        seen["total"] += 1
        day, days = str(on), seen["days"]
        if day in days and len(days) <= DAYS_KEPT:
            days[day] += 1
        else:
            add_days(seen, {day: 1})
        self.dirty = True
        self.changed.add(f"pixel.{pixel}")

    def see(self, pixel: int, at: int) -> None:
        """Note that a pixel saw the user then (unix ms), without counting it: another system knows it."""
        seen = self.activity.get(str(pixel))
        if seen is not None and seen["first"] <= at <= seen["last"]:
            return
        if seen is None:
            seen = self.activity[str(pixel)] = {"first": at, "last": at, "total": 0, "days": {}}
        seen["first"], seen["last"] = min(seen["first"], at), max(seen["last"], at)
        self.dirty = True
        self.changed.add(f"pixel.{pixel}")

    def set_attributes(
        self, values: dict[str, Any], at: int, received: float, origins: Mapping[str, Origins] = NO_ORIGINS
    ) -> None:
        """Set the values that are newer than what is kept. `origins`: of those that a conversion has changed."""
        self._set_all(self.attributes, "attribute.", "a:", values, at, received)
        for name, origin in origins.items():
            was_set = as_pair(self.times.get(f"a:{name}", 0)) == (at, received)
            if was_set and name in values and same(values[name], self.attributes.get(name)):
                put_origins(self.times, name, origin)

    def set_dimensions(self, values: dict[str, Any], at: int, received: float) -> None:
        self._set_all(self.dimensions, "dimension.", "d:", values, at, received)

    def _set_all(
        self, kept: dict[str, Any], changes: str, prefix: str, values: dict[str, Any], at: int, received: float
    ) -> None:
        """Set the values that are newer than what is kept, by event time, then by receipt."""
        newest = [at, received]
        time: Time = at if at == received else newest
        times = self.times
        for name, value in values.items():
            if not value and is_empty(value):
                continue
            time_key = prefix + name
            last = times.get(time_key)
            is_later = last is None or (type(last) is list and newest > last)  # nearly always: the rest needs calls
            if not is_later and not self._is_newer(kept, name, value, (at, received), time_key):
                continue
            times[time_key] = time
            self.dirty = True
            if name not in kept or not same(kept[name], value):
                kept[name] = value
                self.changed.add(changes + name)

    def is_newer_attribute(self, name: str, value: Any, time: tuple[float, float]) -> bool:
        """Whether the value of this time (of the event, of its receipt) takes the place of the kept one, if any."""
        return self._is_newer(self.attributes, name, value, time, f"a:{name}")

    def _is_newer(self, kept: dict[str, Any], name: str, value: Any, time: tuple[float, float], time_key: str) -> bool:
        """Whether the value is newer than the kept one.

        If both came in the same microsecond, the larger JSON wins: an arbitrary choice, but the same one in whatever
        order the values arrive.
        """
        last = self.times.get(time_key)
        if last is None or name not in kept:
            return True
        other = as_pair(last)
        return time > other or (time == other and _encode(value) > _encode(kept[name]))

    def take_over(self, content: Content) -> list[tuple[str, str]]:
        """Add what a younger profile of the same person held: the value set last wins, activity adds up.

        Returns the ids for which there was no room.
        """
        for name, value in content.attributes.items():
            self._take_value(self.attributes, "attribute.", "a:", name, value, content.times)
        for name, value in content.dimensions.items():
            self._take_value(self.dimensions, "dimension.", "d:", name, value, content.times)
        for pixel, activity in content.activity.items():
            self.activity[pixel] = add_activity(self.activity.get(pixel), activity)
            self.changed.add(f"pixel.{pixel}")
        self.dirty = True
        new = [(kind, value) for kind, value in content.ids if not self.knows(kind, value)]
        room = max(0, MOST_IDS - len(self.ids))
        self.ids += [[kind, value] for kind, value in new[:room]]
        return new[room:]

    def _take_value(
        self, kept: dict[str, Any], changes: str, prefix: str, name: str, value: Any, times: dict[str, Any]
    ) -> None:
        time_key = prefix + name
        time = times.get(time_key, 0)
        if self._is_newer(kept, name, value, as_pair(time), time_key):
            kept[name] = value
            self.times[time_key] = time
            self.changed.add(changes + name)


def receipt_time(received_at: datetime) -> float:
    """Returns unix milliseconds to the microsecond, so that hardly two rows of a user share one. Whole ones are int."""
    ms = round(received_at.timestamp() * 1000, 3)
    return int(ms) if ms.is_integer() else ms


def as_pair(time: Time) -> tuple[float, float]:
    """Returns (event time, receipt time)."""
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
    """Add daily counts, and drop the days that are too old for any rule: those so long before the newest."""
    counts = activity["days"]
    for day, count in days.items():
        counts[day] = counts.get(day, 0) + count
    if len(counts) > DAYS_KEPT:
        oldest = max(map(int, counts)) - DAYS_KEPT
        for day in [day for day in counts if int(day) <= oldest]:
            del counts[day]
