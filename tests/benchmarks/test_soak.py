"""The soak says what was lost, doubled or wrong; and a short one does all that the long one does."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bounds import Options
from benchmarks.curve import Sample, drawn
from benchmarks.open_loop import AMOUNT, Stream
from benchmarks.receipts import Receipts, receipts
from benchmarks.site import Sent
from benchmarks.soak_result import MINUTES, Difference, SoakFigures, TenantFigures, result
from benchmarks.soak_verdict import compare, members
from benchmarks.usage import Memory
from benchmarks.users import platform_user_id
from tests.benchmarks.test_benchmarks import results_of

BEGAN, SECONDS, RATE = 1_000.0, 900.0, 10
FLAT = Memory(rss=100.0, pss=60.0, own=50.0)
LITTLE = TenantFigures(
    sent=9_000, accepted=9_000, counted=9_000, difference=Difference(0, 0), repeated=0, resent=0, dead=0
)


def sample(second: int, memory: Memory = FLAT, session: Memory = FLAT) -> Sample:
    used = {("edge-1", 7): memory, ("sweeper", 8): FLAT, ("postgres for dmphub absorb", 9): session}
    return Sample(BEGAN + second, used, inbox=5, deliveries=1, rechecks=0)


def figures() -> SoakFigures:
    """Of a soak without fault."""
    sent = Sent(BEGAN, SECONDS, 9_000, 1.0, {200: 9_000}, 64, 0, 1.0, 2.0, 9.0)
    delays = [(BEGAN + number / RATE, 0.2) for number in range(9_000)]
    return SoakFigures(
        seconds=SECONDS,
        rate=RATE,
        sent=sent,
        samples=[sample(second) for second in range(0, 900, 10)],
        settled_seconds=5.0,
        still_in=0,
        tenants={"healthy": LITTLE, "503": LITTLE, "crowd": replace(LITTLE, repeated=100, resent=100)},
        receipts=Receipts(delays, lost=0, twice=0),
        trouble=frozenset({"503"}),
    )


def not_held(one: SoakFigures) -> list[str]:
    return [bound.name for bound in result(one, Options()).bounds if not bound.held]


def of_healthy(found: TenantFigures) -> Callable[[SoakFigures], SoakFigures]:
    return lambda one: replace(one, tenants=one.tenants | {"healthy": found})


def test_soak_without_fault__holds_every_bound() -> None:
    assert not_held(figures()) == []


FAULTS: dict[str, Callable[[SoakFigures], SoakFigures]] = {
    "healthy: accepted, never received": lambda one: replace(one, receipts=replace(one.receipts, lost=1)),
    "healthy: received twice or wrongly": lambda one: replace(one, receipts=replace(one.receipts, twice=1)),
    "healthy: dead letters": of_healthy(replace(LITTLE, dead=1)),
    "events that no profile counts": of_healthy(replace(LITTLE, counted=8_999)),
    "events counted twice": of_healthy(replace(LITTLE, counted=9_001)),
    "members that platforms lack": of_healthy(replace(LITTLE, difference=Difference(1, 0))),
    "ids that platforms hold too much": of_healthy(replace(LITTLE, difference=Difference(0, 1))),
    "sent again without need": of_healthy(replace(LITTLE, repeated=1)),
    "memberships that ended, not left": lambda one: replace(one, still_in=1),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault__breaks_its_bound_and_no_other(name: str) -> None:
    assert not_held(FAULTS[name](figures())) == [name]


def test_event_of_another_customer_that_is_lost__breaks_the_bound_although_one_is_doubled_elsewhere() -> None:
    one = figures()
    one.tenants["healthy"] = replace(LITTLE, counted=9_001)
    one.tenants["crowd"] = replace(one.tenants["crowd"], counted=8_999)

    assert not_held(one) == ["events that no profile counts", "events counted twice"]


def test_one_slow_minute__breaks_the_bound() -> None:
    one = figures()
    slow = [(at, 1.5 if BEGAN + 300 <= at < BEGAN + 360 else delay) for at, delay in one.receipts.delays]

    (bound,) = [b for b in result(replace(one, receipts=Receipts(slow, 0, 0)), Options()).bounds if not b.held]

    assert (bound.measured, bound.why) == (1_500.0, "minute 6")


def test_minute_in_which_nothing_was_received__breaks_the_bound() -> None:
    one = figures()
    gap = [pair for pair in one.receipts.delays if not BEGAN + 300 <= pair[0] < BEGAN + 360]

    assert not_held(replace(one, receipts=Receipts(gap, 0, 0))) == ["accept→received p99 of the worst minute"]


def test_process_that_grows__breaks_the_bound() -> None:
    one = figures()
    one.samples[:] = [sample(second, Memory(100.0, 60.0, 50.0 + second / 50)) for second in range(0, 900, 10)]

    assert not_held(one) == ["memory of each process, of that when warm"]


@pytest.mark.parametrize(("least", "most", "bounds"), [(0, 8, 0), (9, 15, 1)])
def test_session_of_postgresql_that_grows__breaks_the_bound_once_every_kind_of_load_has_begun(
    least: int, most: int, bounds: int
) -> None:
    """Until then it meets statements for the first time, and keeps their plans."""
    one = figures()
    one.samples[:] = [
        sample(second, session=Memory(100.0, 60.0, 50.0 + 5 * min(max(second // 60, least), most)))
        for second in range(0, 900, 10)
    ]

    assert len(not_held(one)) == bounds


def test_program_that_ended_and_was_started_again__breaks_the_bound() -> None:
    one = figures()
    later = [replace(each, memory={("edge-1", 7): FLAT, ("sweeper", 9): FLAT}) for each in one.samples[50:]]
    one.samples[50:] = later

    (bound,) = [bound for bound in result(one, Options()).bounds if not bound.held]

    assert (bound.name, bound.why) == ("programs that ended", "sweeper")


def test_minute_without_a_sample__leaves_memory_unshown() -> None:
    one = figures()
    one.samples[:] = [each for each in one.samples if not BEGAN + 300 <= each.at < BEGAN + 360]

    (bound,) = [bound for bound in result(one, Options()).bounds if bound.name.startswith("memory")]

    assert bound.held is None


def test_members__are_those_whose_last_event_made_them_members() -> None:
    stream = Stream("/dp?uuid=", seed=1, users=3, count=6, rate=1.0, amounts=(AMOUNT, 1.0))
    id_of = [platform_user_id(1, user) for user in range(3)]

    assert members(stream, [1.0, 1.0, 1.0]) == (set(id_of), set())
    assert members(stream, [1.0, 1.0, 1.0, 2.0, 0.0]) == ({id_of[2]}, {id_of[1]})


def test_comparison__counts_what_is_missing_and_what_is_too_much() -> None:
    wanted = {"big": {"a", "b", "c"}, "empty": set[str]()}
    held = {"big": {"a", "x"}, "empty": {"y"}, "other": {"z"}}

    assert compare(wanted, held, {"c"}) == Difference(missing=1, wrong=3)


def test_receipts__know_what_was_lost_and_what_was_received_twice() -> None:
    stream = Stream("/dp?uuid=", seed=1, users=4, count=4, rate=1.0)
    ids = [platform_user_id(1, user) for user in range(4)]
    rows = [(1, 10.5, "add", 1, ids[0]), (2, 10.6, "add", 1, ids[0]), (3, 11.0, "remove", 1, ids[1])]

    found = receipts(stream, [10.0, 10.0, 10.0, 0.0], rows)

    assert (found.lost, found.twice) == (1, 2)
    assert found.latencies == [500.0, 1000.0]


def test_curve__is_as_high_as_its_values() -> None:
    assert drawn([0.0, 50.0, 100.0, 900.0, float("nan")], 100.0) == " ▄██ "


@pytest.mark.timeout(300)
def test_quick_soak__plays_everything_and_loses_nothing(tmp_path: Path) -> None:
    results, said = results_of(tmp_path, "soak", "--quick")

    bounds = {bound["name"]: bound["measured"] for bound in results["soak"]["bounds"]}
    assert [name for name in FAULTS if bounds[name] != 0] == []
    soak = results["soak"]["figures"]
    assert len(soak["minutes"]) == MINUTES
    assert soak["tenants"]["crowd"]["repeated"] == soak["tenants"]["crowd"]["resent"] > 0
    assert sum(one["sent"] for one in soak["tenants"].values()) == sum(soak["sent"]["statuses"].values())
    assert "answers 503" in said
