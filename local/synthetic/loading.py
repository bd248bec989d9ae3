"""People into the tables by COPY, past absorb: bucket by bucket, under the bucket's lock, and counted."""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from operator import attrgetter
from typing import Any, TypeVar

from psycopg import Cursor

from core import buckets
from core.arrays import Ints, SmallInts, Texts, Times, columns
from core.buckets import try_lock
from core.database import Connection
from local.synthetic.people import Person, PopulationSettings
from profiles.user_counts import COUNT as COUNT_KNOWN
from usersync.user_counts import COUNT as COUNT_MAPPED

PROFILES = """
COPY profile (bucket, customer_id, user_id, attributes, dimensions, times, activity, ids, confirmed, created_at,
              updated_at) FROM STDIN
"""
IDENTITIES = "COPY identity (bucket, customer_id, kind, value, user_id, epoch, since) FROM STDIN"
MAPPINGS = """
COPY user_mapping (bucket, user_id, platform_id, platform_user_id, customer_id, epoch, extra, synced_at) FROM STDIN
"""
KNOWN_IDS = """
SELECT i.kind, i.value FROM unnest(%s::smallint[], %s::text[], %s::text[]) AS k (bucket, kind, value)
JOIN identity i ON i.bucket = k.bucket AND i.customer_id = %s AND i.kind = k.kind AND i.value = k.value
"""

MATCHED = (0.62, 0.47, 0.35, 0.55)  # the share of people whom the first, the second… platform knows
PAUSE_SECONDS = 0.02
GROUP = 32  # buckets that a transaction holds, for part of a second

# bucket, kind, value, user, epoch, since; a platform's ids have owners, who are counted from one on
Id = tuple[int, str, str, str, int, str]
Match = tuple[int, str]  # platform, its id
Thing = TypeVar("Thing")
Fill = Callable[[Cursor[Any], set[int]], object]


class Loader:
    """Puts people where they belong, those that are there already left as they are."""

    def __init__(self, connection: Connection, setting: PopulationSettings, platforms: Sequence[int]) -> None:
        self._connection = connection
        self._customer = setting.customer
        self._key = setting.key
        self._rates = [(pl, round(MATCHED[n % len(MATCHED)] * 256)) for n, pl in enumerate(platforms)]
        self.loaded = 0

    def load(self, people: Sequence[Person]) -> None:
        """First whom the platforms' ids name, then the people with their matches: none is seen half."""
        matched = {person.number: self._matches(person) for person in people}
        ids: dict[int, list[Id]] = defaultdict(list)
        residents: dict[int, list[Person]] = defaultdict(list)
        for person in people:
            residents[person.bucket].append(person)
            for platform, value in matched[person.number]:
                bucket = buckets.of_value(value)
                ids[bucket].append((bucket, f"platform:{platform}", value, person.user_id, 1, person.updated_at))
        self._fill(ids, lambda cursor, held: self._add_ids(cursor, _of(ids, held)))
        self._fill(residents, lambda cursor, held: self._add(cursor, _of(residents, held), matched))

    def _matches(self, person: Person) -> list[Match]:
        """The platforms that know the person, and as whom: the same whatever other platforms there are."""
        found = []
        for platform, rate in self._rates:
            chance = blake2b(b"%d/%d" % (platform, person.number), digest_size=13, key=self._key).digest()
            if chance[12] < rate:
                found.append((platform, chance[:12].hex()))
        return found

    def _fill(self, waiting: Iterable[int], fill: Fill) -> None:
        """Some buckets a transaction, in the order in which they are free."""
        left = deque(sorted(waiting))
        while left:
            asked = [left.popleft() for _ in range(min(GROUP, len(left)))]
            with self._connection.transaction(), self._connection.cursor() as cursor:
                held = try_lock(cursor, asked)
                if held:
                    fill(cursor, held)
            left.extend(bucket for bucket in asked if bucket not in held)
            if not held:
                time.sleep(PAUSE_SECONDS)

    def _add_ids(self, cursor: Cursor[Any], ids: list[Id]) -> set[str]:
        """Returns the values of those ids that nobody has yet."""
        asked = columns((SmallInts, Texts, Texts), [id_[:3] for id_ in ids])
        cursor.execute(KNOWN_IDS, [*asked, self._customer])
        known = set(cursor.fetchall())
        new = sorted(id_ for id_ in ids if id_[1:3] not in known)
        _copy(cursor, IDENTITIES, [_identity(self._customer, *id_) for id_ in new])
        return {value for _, _, value, *_ in new}

    def _add(self, cursor: Cursor[Any], people: list[Person], matched: dict[int, list[Match]]) -> None:
        new_ids = self._add_ids(cursor, [(p.bucket, "user", p.own_id, p.user_id, 0, p.created_at) for p in people])
        new = sorted((p for p in people if p.own_id in new_ids), key=attrgetter("bucket", "user_id"))
        _copy(cursor, PROFILES, [_profile(self._customer, p) for p in new])
        mappings = [(person, *match) for person in new for match in sorted(matched[person.number])]
        _copy(cursor, MAPPINGS, [_mapping(self._customer, *mapping) for mapping in mappings])
        _count(cursor, self._customer, new, mappings)
        self.loaded += len(new)


def _of(by_bucket: dict[int, list[Thing]], held: set[int]) -> list[Thing]:
    return [thing for bucket in sorted(held) for thing in by_bucket[bucket]]


def _count(cursor: Cursor[Any], customer: int, new: list[Person], mappings: list[tuple[Person, int, str]]) -> None:
    known = Counter(person.bucket for person in new)
    rows = [(bucket, customer, people) for bucket, people in sorted(known.items())]
    cursor.execute(COUNT_KNOWN, columns((SmallInts, Ints, Ints), rows))
    synced: dict[tuple[int, int], list[str]] = defaultdict(list)
    for person, platform, _ in mappings:
        synced[person.bucket, platform].append(person.updated_at)
    matched = [
        (*key, len(moments), datetime.fromisoformat(max(moments)).astimezone(UTC))
        for key, moments in sorted(synced.items())
    ]
    cursor.execute(COUNT_MAPPED, columns((SmallInts, Ints, Ints, Times), matched))


def _identity(customer: int, bucket: int, kind: str, value: str, user_id: str, epoch: int, since: str) -> str:
    return f"{bucket}\t{customer}\t{kind}\t{value}\t{user_id}\t{epoch}\t{since}"


def _profile(customer: int, p: Person) -> str:
    return (
        f"{p.bucket}\t{customer}\t{p.user_id}\t{p.attributes}\t{p.dimensions}\t{p.times}\t{p.activity}\t"
        f'[["user","{p.own_id}"]]\tt\t{p.created_at}\t{p.updated_at}'
    )


def _mapping(customer: int, p: Person, platform: int, value: str) -> str:
    return f"{p.bucket}\t{p.user_id}\t{platform}\t{value}\t{customer}\t1\t{{}}\t{p.updated_at}"


def _copy(cursor: Cursor[Any], statement: str, lines: list[str]) -> None:
    if lines:
        with cursor.copy(statement) as copy:
            copy.write("\n".join(lines) + "\n")
