"""Low-water marks never hide a key that is there, and keep buckets apart whose marks are far from each other."""

from hypothesis import given
from hypothesis import strategies as st

from core.buckets import BUCKETS
from core.low_water import LOWEST, LowWaterMarks

EVERY_BUCKET = list(range(BUCKETS))
SPREAD = 10


def test_runs__of_fresh_marks__are_one_look_at_everything() -> None:
    assert LowWaterMarks(SPREAD).runs(EVERY_BUCKET) == [(LOWEST, EVERY_BUCKET)]


def test_runs__where_one_bucket_lags__keep_the_order_and_look_at_it_alone() -> None:
    marks = LowWaterMarks(SPREAD)
    marks.learn(EVERY_BUCKET, {100: 5}, 1_000, is_cut=False)

    order = [*range(90, BUCKETS), *range(90)]
    runs = marks.runs(order)

    assert [bucket for _, buckets in runs for bucket in buckets] == order
    assert (4, [100]) in runs
    assert {mark for mark, _ in runs} == {4, 1_000}


def test_look_that_was_cut__teaches_nothing_of_the_buckets_behind_its_end() -> None:
    marks = LowWaterMarks(SPREAD)
    marks.learn(EVERY_BUCKET, {3: 50, 7: 90}, 1_000, is_cut=True)

    by_bucket = {bucket: mark for mark, buckets in marks.runs(EVERY_BUCKET) for bucket in buckets}
    assert (by_bucket[2], by_bucket[3], by_bucket[7], by_bucket[8]) == (1_000, 49, 89, LOWEST)


def test_forgotten_marks__begin_at_the_lowest_key() -> None:
    marks = LowWaterMarks(SPREAD)
    marks.learn(EVERY_BUCKET, {}, 1_000, is_cut=False)
    marks.forget()
    assert marks.runs(EVERY_BUCKET) == [(LOWEST, EVERY_BUCKET)]


@given(
    firsts=st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 200)),
    upto=st.integers(0, 200),
    spread=st.integers(0, 50),
)
def test_look_behind_marks__finds_every_key_that_can_be_there(firsts: dict[int, int], upto: int, spread: int) -> None:
    """What was found, and whatever comes later: it has a key above `upto`."""
    marks = LowWaterMarks(spread)
    marks.learn(EVERY_BUCKET, firsts, upto, is_cut=False)
    for mark, run in marks.runs(EVERY_BUCKET):
        for bucket in run:
            assert mark < min(firsts.get(bucket, upto + 1), upto + 1)
