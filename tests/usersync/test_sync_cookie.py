"""Which platform is next: the chooser and the browser's cookie, alone."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from usersync import sync_cookie
from usersync.sync_cookie import EMPTY_COOKIE, SyncCandidate, SyncChain, SyncCookie

NOW = 1_800_000_000
DAY = 86_400
USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"


def _platforms(count: int, *, days: int = 3) -> list[SyncCandidate]:
    return [SyncCandidate(pl, 0, days * DAY) for pl in range(1, count + 1)]


def _names(found: list[SyncCandidate]) -> list[int]:
    return [one.pl for one in found]


def _page_view(candidates: list[SyncCandidate], state: SyncCookie, user: str, now: int) -> tuple[list[int], SyncCookie]:
    """What one chain tries, redirect by redirect, each with the cookie as the browser gives it back."""
    tried: list[int] = []
    while True:
        ordered = sync_cookie.due(candidates, state, user, now)
        if not ordered:
            return tried, state
        under_way = sync_cookie.following(state, 1, now)
        state = sync_cookie.tried(state, ordered[0].pl, now, under_way)
        state = sync_cookie.read(sync_cookie.COOKIE_NAME + sync_cookie.write(state), now)
        tried.append(ordered[0].pl)
        if state.chain is None:
            return tried, state


def test_due__higher_priority__goes_first() -> None:
    candidates = [SyncCandidate(1, 0, DAY), SyncCandidate(2, 9, DAY), SyncCandidate(3, 5, DAY)]
    assert _names(sync_cookie.due(candidates, EMPTY_COOKIE, USER, NOW)) == [2, 3, 1]


def test_due__same_priority__never_tried_first_then_longest_ago() -> None:
    candidates = _platforms(3)
    state = SyncCookie({1: NOW - 4 * DAY, 2: NOW - 5 * DAY})
    assert _names(sync_cookie.due(candidates, state, USER, NOW)) == [3, 2, 1]


def test_due__waits_an_interval_longer__goes_before_higher_priority() -> None:
    candidates = [SyncCandidate(1, 9, DAY), SyncCandidate(2, 0, DAY)]
    state = SyncCookie({1: NOW - DAY, 2: NOW - 2 * DAY})
    assert _names(sync_cookie.due(candidates, state, USER, NOW)) == [2, 1]


def test_due__within_the_interval__is_not() -> None:
    (candidate,) = _platforms(1)
    assert sync_cookie.due([candidate], SyncCookie({1: NOW - 3 * DAY + 1}), USER, NOW) == []
    assert sync_cookie.due([candidate], SyncCookie({1: NOW - 3 * DAY}), USER, NOW) == [candidate]


def test_due__users_alike__begin_with_different_platforms() -> None:
    candidates = _platforms(8)
    first = {sync_cookie.due(candidates, EMPTY_COOKIE, str(uuid.UUID(int=n, version=4)), NOW)[0].pl for n in range(64)}
    assert first == set(range(1, 9))


def test_page_view__many_due__tries_five() -> None:
    tried, state = _page_view(_platforms(12), EMPTY_COOKIE, USER, NOW)
    assert len(set(tried)) == len(tried) == 5
    assert state.chain is None


def test_page_view__pixel_called_while_a_chain_is_under_way__joins_it() -> None:
    state = SyncCookie({}, SyncChain(1, 3, NOW - 1))
    assert sync_cookie.following(state, 2, NOW) == SyncChain(2, 4, NOW - 1)
    assert sync_cookie.following(SyncCookie({}, SyncChain(1, 4, NOW)), 2, NOW) is None


def test_chain__older_than_its_time__is_forgotten() -> None:
    state = SyncCookie({1: NOW}, SyncChain(1, 2, NOW))
    written = sync_cookie.COOKIE_NAME + sync_cookie.write(state)
    assert sync_cookie.read(written, NOW + sync_cookie.CHAIN_SECONDS - 1) == state
    assert sync_cookie.read(written, NOW + sync_cookie.CHAIN_SECONDS) == SyncCookie({1: NOW})


def test_rare_visits__strictly_higher_priorities__starve_nobody() -> None:
    candidates = [SyncCandidate(pl, 100 - pl, 3 * DAY) for pl in range(1, 13)]
    seen: set[int] = set()
    state, now = EMPTY_COOKIE, NOW
    for _ in range(4):
        tried, state = _page_view(candidates, state, USER, now)
        seen.update(tried)
        now += 4 * DAY  # everything is due again when the browser comes back
    assert seen == set(range(1, 13))


def test_more_platforms_than_the_cookie_holds__none_is_tried_within_its_interval() -> None:
    candidates = _platforms(90, days=9)
    seen: list[int] = []
    state = EMPTY_COOKIE
    for view in range(60):
        tried, state = _page_view(candidates, state, USER, NOW + view * 3600)
        seen += tried
    assert len(set(seen)) == len(seen) >= sync_cookie.REMEMBERED


_candidates = st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 9)), min_size=1, max_size=90).map(
    lambda made: [SyncCandidate(pl, priority, days * DAY) for pl, (priority, days) in enumerate(made, 1)]
)
_users = st.uuids(version=4).map(str)


@given(_candidates, _users, st.lists(st.integers(0, 5 * DAY), min_size=1, max_size=40))
def test_page_views__whenever_they_come__never_over_five_and_none_within_its_interval(
    candidates: list[SyncCandidate], user: str, pauses: list[int]
) -> None:
    interval = {one.pl: one.interval for one in candidates}
    last: dict[int, int] = {}
    state, now = EMPTY_COOKIE, NOW
    for pause in pauses:
        now += pause
        tried, state = _page_view(candidates, state, user, now)
        assert len(tried) <= sync_cookie.MOST_SYNCS
        for pl in tried:
            assert now - last.get(pl, 0) >= interval[pl]
            last[pl] = now


@given(_candidates, _users, st.integers(60, 9 * DAY))
def test_page_views__as_many_as_it_takes__reach_every_platform(
    candidates: list[SyncCandidate], user: str, pause: int
) -> None:
    seen: set[int] = set()
    state, now = EMPTY_COOKIE, NOW
    for _ in range(600 if len(candidates) <= sync_cookie.REMEMBERED else 3 * 9 * DAY // 60):
        tried, state = _page_view(candidates, state, user, now)
        seen.update(tried)
        if len(seen) == len(candidates):
            return
        now += pause if tried else max(pause, DAY)
    raise AssertionError(f"never tried: {set(range(1, len(candidates) + 1)) - seen}")


_states = st.builds(
    SyncCookie,
    st.dictionaries(st.integers(1, 2**31 - 1), st.integers(0, NOW), max_size=60),
    st.none() | st.builds(SyncChain, st.integers(1, 2**31 - 1), st.integers(1, 4), st.integers(NOW - 59, NOW)),
)


@given(_states)
def test_cookie__written_and_read__is_the_same(state: SyncCookie) -> None:
    assert sync_cookie.read(b"a=b; " + sync_cookie.COOKIE_NAME + sync_cookie.write(state) + b"; c=d", NOW) == state


def test_cookie__however_many_platforms__stays_small() -> None:
    state = SyncCookie({2**31 - n: NOW - n for n in range(1, 200)}, SyncChain(2**31 - 1, 4, NOW))
    written = sync_cookie.write(state)
    assert len(written) < 1200
    assert set(sync_cookie.read(sync_cookie.COOKIE_NAME + written, NOW).tried) == {2**31 - n for n in range(1, 61)}


@given(_states, st.integers(0), st.integers(1, 127))
def test_cookie__altered_or_not__never_fails_and_never_grows(state: SyncCookie, place: int, change: int) -> None:
    written = bytearray(sync_cookie.write(state))
    written[place % len(written)] ^= change
    read = sync_cookie.read(sync_cookie.COOKIE_NAME + bytes(written), NOW)
    assert len(read.tried) <= sync_cookie.REMEMBERED
    assert read.chain is None or read.chain.count < sync_cookie.MOST_SYNCS


@given(st.binary())
def test_cookie__junk__counts_as_none(junk: bytes) -> None:
    if not junk.startswith(b"1"):
        assert sync_cookie.read(sync_cookie.COOKIE_NAME + junk, NOW) == EMPTY_COOKIE


def test_cookie__tried_in_the_future__counts_as_none() -> None:
    header = sync_cookie.COOKIE_NAME + sync_cookie.write(SyncCookie({1: NOW + 3600}))
    assert sync_cookie.read(header, NOW) == EMPTY_COOKIE
