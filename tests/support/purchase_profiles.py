"""The CDNOW log as profiles: what was known after twelve weeks of its customers, and who of them bought again later."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np

from audiences.rules.subject import PlainSubject
from local.demo.purchases import LogEntry, read_log
from lookalikes.scoring.fields import FeatureField
from lookalikes.scoring.reader import DAY_MS, reader
from lookalikes.training.choosing import Candidates, choose_fields
from lookalikes.training.feature_rows import FeatureRows, Numbers
from lookalikes.training.fitting import Examples

LOG = Path(__file__).parents[2] / "build" / "cdnow" / "CDNOW_master.txt"
WEEKS = 12
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Customers:
    """`labels`: 1 for those who bought again."""

    profiles: list[PlainSubject]
    labels: Numbers
    now_ms: int

    def fields(self) -> tuple[FeatureField, ...]:
        candidates = Candidates({"spent": "number", "discs": "integer"}, [1], [])
        return tuple(choose_fields(candidates, self.profiles, self.now_ms).fields)

    def examples(self, fields: tuple[FeatureField, ...]) -> Examples:
        rows, read = FeatureRows(), reader(fields)
        for profile in self.profiles:
            rows.add(read(profile, self.now_ms))
        return Examples(rows, self.labels, (1.0, 1.0))


@lru_cache(maxsize=1)
def customers() -> Customers:
    entries = read_log(LOG)
    cut = (min(entry.day for entry in entries) - EPOCH).days + 7 * WEEKS
    before: dict[str, list[LogEntry]] = {}
    later = set()
    for entry in entries:
        if (entry.day - EPOCH).days < cut:
            before.setdefault(entry.customer, []).append(entry)
        else:
            later.add(entry.customer)
    labels = np.array([int(customer in later) for customer in before])
    return Customers([_profile(bought) for bought in before.values()], labels, cut * DAY_MS)


def _profile(bought: list[LogEntry]) -> PlainSubject:
    days = [(entry.day - EPOCH).days for entry in bought]
    counts = {str(day): days.count(day) for day in days}
    seen = {"first": min(days) * DAY_MS, "last": max(days) * DAY_MS, "total": len(days), "days": counts}
    known = {"spent": sum(entry.cents for entry in bought) / 100, "discs": sum(entry.discs for entry in bought)}
    return PlainSubject(known, {}, {"1": seen})
