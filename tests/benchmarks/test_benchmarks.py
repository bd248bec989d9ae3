"""The benchmarks still work; what they show is `make bench`'s to say."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.bounds import Bound, Options, Result
from benchmarks.figures import percentile
from benchmarks.report import summarise
from benchmarks.users import BODY_BYTES, body
from core.environment import PROJECT_ROOT

Results = dict[str, dict[str, Any]]


def results_of(folder: Path, *arguments: str, seconds: float = 280) -> tuple[Results, str]:
    """Run the benchmarks in a process of their own. Returns their results by name, and what was said."""
    command = [sys.executable, "-m", "benchmarks", *arguments, "--results", str(folder)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = [json.loads(path.read_text()) for path in folder.iterdir()]
    return {one["benchmark"]: one for one in found}, done.stdout


NAMES = ("absorb", "deliver", "audiences", "configuration", "fairness")


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Of quick runs, one after another in one process, which judge nothing."""
    results, said = results_of(tmp_path_factory.mktemp("quick"), *NAMES, "--quick", seconds=550)
    assert results.keys() == set(NAMES)
    assert all(one["quick"] for one in results.values())
    assert "held" not in said
    return results


# whichever of these runs first waits for the quick runs of all
in_time_for_all = pytest.mark.timeout(600)


@in_time_for_all
def test_quick_run__absorb_and_deliver__do_all_their_work(quick: Results) -> None:
    assert {name: one["events"] for name, one in quick["absorb"]["figures"].items()} == {
        "ten audiences, every event flips": 2_000,
        "ten audiences, nothing flips": 2_000,
        "100 audiences, nothing flips": 2_000,
        "100 audiences, every event flips": 2_000,
    }
    assert quick["deliver"]["figures"]["members"] == 2_000


@in_time_for_all
def test_quick_run__audiences__builds_all_its_rules(quick: Results) -> None:
    figures = quick["audiences"]["figures"]
    assert figures["people"] == 10_000
    assert figures["builds"].keys() == {"attributes", "attributes, many", "windows", "counts"}
    assert all(one["members"] > 0 for one in figures["builds"].values())
    assert figures["estimates"]
    assert figures["events"].keys() == {"10", "1000"}


@in_time_for_all
def test_quick_run__configuration__follows_one_tenants_change(quick: Results) -> None:
    figures = quick["configuration"]["figures"]
    assert figures.keys() == {"few", "many", "one tenant with many"}
    assert all(one["one change"] < one["everything"] for one in figures.values())


@in_time_for_all
def test_quick_run__fairness__compares_a_flood_with_quiet(quick: Results) -> None:
    figures = quick["fairness"]["figures"]
    floods = figures["ratios"].keys()
    assert len(floods) == 2
    assert figures["quiet"]["accepted"] == figures["quiet"]["received"] == 200
    for name in floods:
        assert figures[name]["accepted"] == figures[name]["received"]
        assert figures[name]["flood"]["requests"] > 0


@pytest.mark.parametrize(
    ("measured", "quick", "status"),
    [(10.0, False, 0), (9.9, False, 1), (None, False, 2), (9.9, True, 0), (float("nan"), False, 1)],
)
def test_exit_status__says_whether_every_bound_was_held(measured: float | None, quick: bool, status: int) -> None:
    result = Result("some", bounds=[Bound("rate", measured, "at least", 10.0)])

    assert summarise([result], Options(quick=quick)) == status


def test_summary__quick_run__never_says_held(capsys: pytest.CaptureFixture[str]) -> None:
    summarise([Result("some", bounds=[Bound("rate", 99.0, "at least", 10.0)])], Options(quick=True))

    said = capsys.readouterr().out
    assert "not judged" in said
    assert "held" not in said


def test_percentile__is_a_value_that_was_measured() -> None:
    assert [percentile([1, 2, 3, 4], percent) for percent in (0, 50, 99, 100)] == [1, 2, 4, 4]


def test_body__is_as_long_as_the_bounds_say() -> None:
    assert len(body(150.0)) == BODY_BYTES
