"""Profiles as rows of feature slots, by the hundred thousand: compact between processes, and scored at once."""

from array import array
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from lookalikes.scoring.fields import SLOTS
from lookalikes.scoring.model import LinearModel

Numbers = NDArray[Any]
NOWHERE = -1


@dataclass(slots=True)
class FeatureRows:
    """`slots` of all rows, one row after the other; `lengths`: how many each has."""

    slots: "array[int]" = field(default_factory=lambda: array("I"))
    lengths: "array[int]" = field(default_factory=lambda: array("I"))

    def add(self, found: list[int]) -> None:
        self.slots.extend(found)
        self.lengths.append(len(found))

    def extend(self, other: Self) -> None:
        self.slots.extend(other.slots)
        self.lengths.extend(other.lengths)

    def __len__(self) -> int:
        return len(self.lengths)


def slot_counts(rows: FeatureRows) -> Numbers:
    """Returns how often each slot occurs."""
    return np.bincount(np.frombuffer(rows.slots, np.uint32), minlength=SLOTS)


def matrix(rows: FeatureRows, columns: Numbers) -> csr_matrix:
    """Returns one column for each slot of `columns`; other features are left out."""
    place = np.full(SLOTS, NOWHERE, np.int32)
    place[columns] = np.arange(len(columns), dtype=np.int32)
    found = place[np.frombuffer(rows.slots, np.uint32)]
    kept = found != NOWHERE
    line = np.repeat(np.arange(len(rows), dtype=np.int32), np.frombuffer(rows.lengths, np.uint32))[kept]
    ends = np.zeros(len(rows) + 1, np.int32)
    np.cumsum(np.bincount(line, minlength=len(rows)), out=ends[1:])
    return csr_matrix((np.ones(len(line)), found[kept], ends), shape=(len(rows), len(columns)))


def score_all(model: LinearModel, rows: FeatureRows) -> Numbers:
    """Returns the score of each row: exactly the numbers of `lookalikes.scoring.model.scorer`."""
    weights = np.zeros(SLOTS)
    weights[np.frombuffer(model.slots, np.uint32)] = np.frombuffer(model.weights, np.float64)
    line = np.repeat(np.arange(len(rows)), np.frombuffer(rows.lengths, np.uint32))
    parts = weights[np.frombuffer(rows.slots, np.uint32)]
    return model.intercept + np.bincount(line, weights=parts, minlength=len(rows))
