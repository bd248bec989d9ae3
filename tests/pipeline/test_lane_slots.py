"""The threads of a process, shared among platforms that may hang."""

from activation.delivery.lanes import CREATION, LANES
from pipeline.lane_slots import MOST_THREADS, LaneSlots


def test_platform__holds_no_more_threads_than_its_share() -> None:
    slots = LaneSlots(48)
    taken = [lane for lane in (CREATION, *range(20)) if slots.take(1, lane)]
    assert len(taken) == MOST_THREADS
    assert slots.take(2, 0)


def test_lane__is_worked_in_once_and_again_afterwards() -> None:
    slots = LaneSlots(48)
    assert slots.take(1, 0)
    assert not slots.take(1, 0)
    assert slots.holds(1, 0)
    assert slots.give_back(1, 0) == {0}  # somebody came meanwhile: it is to be looked at once more
    assert not slots.holds(1, 0)
    assert slots.take(1, 0)
    assert slots.give_back(1, 0) == set()


def test_platforms_that_hang__leave_threads_for_those_that_hold_none() -> None:
    slots = LaneSlots(48)
    for platform in range(100):
        for lane in range(LANES):
            slots.take(platform, lane)
        if platform < 12:
            assert slots.take(1_000 + platform, 0)
            slots.give_back(1_000 + platform, 0)


def test_threads__wait_in_their_lanes_for_more_while_half_of_them_are_free() -> None:
    slots = LaneSlots(8)
    free = []
    for platform in range(5):
        slots.take(platform, 0)
        free.append(slots.has_many_free())
    assert free == [True, True, True, True, False]


def test_lane_that_was_refused__is_named_when_a_thread_is_free() -> None:
    slots = LaneSlots(4)
    assert [slots.take(1, lane) for lane in range(LANES)] == [True, True, True, False]
    assert slots.give_back(1, 2) == {3}
    assert slots.give_back(1, 1) == set()
