"""What waits is taken one of each owner after the other."""

from hypothesis import given, settings
from hypothesis import strategies as st

from core.turns import Turns, in_turn

Item = tuple[int, int]
items = st.lists(st.integers(1, 4), max_size=12).map(lambda owners: list(enumerate(owners)))


@settings(max_examples=50)
@given(items, st.integers(0, 10**9))
def test_items__in_turn__keep_each_owners_order_and_put_none_behind_anothers_second(
    given_: list[Item], round_: int
) -> None:
    found = in_turn(given_, lambda item: item[1], round_)
    assert sorted(found) == given_
    for owner in {owner for _, owner in given_}:
        assert [item for item in found if item[1] == owner] == [item for item in given_ if item[1] == owner]
    rounds = [sum(one[1] == item[1] for one in found[:place]) for place, item in enumerate(found)]
    assert rounds == sorted(rounds)


def test_first_of_many_rounds__is_everybodys_alike() -> None:
    waiting = [(number, owner) for owner, count in ((1, 99), (2, 1), (3, 1)) for number in range(count)]
    first = [in_turn(waiting, lambda item: item[1], round_)[0][1] for round_ in range(300)]
    assert min(first.count(owner) for owner in (1, 2, 3)) > 40


def test_turns__go_to_who_was_served_the_longest_ago() -> None:
    turns, jobs = Turns(), [("a1", 1), ("a2", 1), ("b1", 2)]
    served = []
    while jobs:
        name, owner = turns.order(jobs, lambda job: job[1])[0]
        jobs.remove((name, owner))
        turns.serve(owner)
        served.append(name)
    assert served == ["a1", "b1", "a2"]
