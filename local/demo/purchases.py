"""The CDNOW purchase log, moved in time so that its last purchase is today.

One purchase a line: customer id, date YYYYMMDD, number of discs, dollars; sorted by customer.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Purchase:
    """`customer` is the log's own id, as text; `at` is unix seconds, after the move."""

    customer: str
    at: int
    discs: int
    cents: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line of the log."""

    customer: str
    day: date
    discs: int
    cents: int


def read_log(path: Path, customers: int | None = None) -> list[LogEntry]:
    """Every entry, or those of that many customers, taken evenly from the whole log."""
    entries = list(_entries(path))
    known = sorted({entry.customer for entry in entries})
    if customers is None or customers >= len(known):
        return entries
    chosen = {known[number * len(known) // customers] for number in range(customers)}
    return [entry for entry in entries if entry.customer in chosen]


def moved_to(entries: list[LogEntry], now: datetime) -> list[Purchase]:
    """The purchases in order of time, all in the past; the log's last day becomes the UTC day of `now`.

    The log knows no time of day: the purchases of a day are spread evenly over it, those of today over
    what has passed of it.
    """
    shift = now.astimezone(UTC).date() - max(entry.day for entry in entries)
    by_day: dict[date, list[LogEntry]] = defaultdict(list)
    for entry in entries:
        by_day[entry.day + shift].append(entry)
    return [purchase for day in sorted(by_day) for purchase in _spread(day, by_day[day], now)]


def _entries(path: Path) -> Iterator[LogEntry]:
    for line in path.read_text(encoding="ascii").splitlines():
        words = line.split()
        if words and words[0].isdigit():  # not the heading
            customer, day, discs, dollars = words
            yield LogEntry(customer, date.fromisoformat(day), int(discs), round(float(dollars) * 100))


def _spread(day: date, entries: list[LogEntry], now: datetime) -> Iterator[Purchase]:
    begin = datetime.combine(day, time(), UTC)
    seconds = min(timedelta(days=1), now - begin).total_seconds()
    for number, entry in enumerate(entries):
        at = int(begin.timestamp() + seconds * number / len(entries))
        yield Purchase(entry.customer, at, entry.discs, entry.cents)
