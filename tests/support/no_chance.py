"""Takes real time and chance out of the pipeline, so that steps end the same however busy the machine is.

What is done "every few seconds", or after a rest, would be done at another statement in the next run: a step that ends
the n-th statement would end another one. Random user ids fall into other buckets, and so into other lanes.
"""

import random
from datetime import timedelta

import pytest

from activation.delivery import batch_sender
from activation.stores import due_marks
from core import user_ids
from pipeline import backlog
from pipeline.absorb import absorber, bulk, inbox_marks
from pipeline.privacy import erasures
from pipeline.timed import TimedWork
from profiles import attribute_sampling

LONG = 3_600.0


def take_chance_out(monkeypatch: pytest.MonkeyPatch, *, buckets: int) -> None:
    """Until the test ends. `buckets`: of this hub."""
    monkeypatch.setattr(erasures, "LINGER", timedelta(0))
    monkeypatch.setattr(attribute_sampling, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(attribute_sampling, "KNOWN_SECONDS", 0.0)
    # bulk work is done at once, not for as long as a time allows
    monkeypatch.setattr(absorber, "BULK_BUCKETS", buckets)
    monkeypatch.setattr(bulk, "SECONDS", LONG)
    monkeypatch.setattr(bulk, "BUDGET", 1_000_000)
    # what time brings by itself is brought by the world, or comes with every step
    monkeypatch.setattr(due_marks, "FULL_LOOK_SECONDS", LONG)
    monkeypatch.setattr(backlog, "_looks", backlog._Looks())
    monkeypatch.setattr(batch_sender, "FINISH_SECONDS", LONG)
    monkeypatch.setattr(inbox_marks, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(TimedWork, "is_resting", False)
    monkeypatch.setattr(user_ids, "random_bytes", random.randbytes)  # hypothesis seeds it for each example
