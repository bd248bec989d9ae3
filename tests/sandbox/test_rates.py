"""Limits by a clock of the test's own."""

from sandbox.rates import Quota, Window


def test_window__full__admits_again_when_the_oldest_is_a_window_old() -> None:
    now = [0.0]
    window = Window(2, 1.0, lambda: now[0])
    assert [window.admits() for _ in range(3)] == [True, True, False]
    now[0] = 0.999
    assert not window.admits()
    now[0] = 1.0
    assert [window.admits() for _ in range(3)] == [True, True, False]


def test_quota__used_up__starts_anew_with_the_clock() -> None:
    now = [3599.0]
    quota = Quota(20, 3600, lambda: now[0])
    assert quota.admits(20)
    assert not quota.admits()
    now[0] = 3600.0
    assert [quota.admits(15), quota.admits(6), quota.admits(5)] == [True, False, True]
