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


def results_of(folder: Path, *arguments: str) -> tuple[dict[str, dict[str, Any]], str]:
    command = [sys.executable, "-m", "benchmarks", *arguments, "--results", str(folder)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = [json.loads(path.read_text()) for path in folder.iterdir()]
    return {one["benchmark"]: one for one in found}, done.stdout


def test_quick_run__absorb_and_deliver__do_all_their_work_and_judge_nothing(tmp_path: Path) -> None:
    results, said = results_of(tmp_path, "absorb", "deliver", "--quick")

    assert results.keys() == {"absorb", "deliver"}
    assert all(one["quick"] for one in results.values())
    assert {name: one["events"] for name, one in results["absorb"]["figures"].items()} == {
        "ten audiences, every event flips": 2_000,
        "ten audiences, nothing flips": 2_000,
        "100 audiences, nothing flips": 2_000,
        "100 audiences, every event flips": 2_000,
    }
    assert results["deliver"]["figures"]["members"] == 2_000
    assert "held" not in said


def test_quick_run__audiences__builds_all_its_rules_and_judges_nothing(tmp_path: Path) -> None:
    results, said = results_of(tmp_path, "audiences", "--quick")

    figures = results["audiences"]["figures"]
    assert results["audiences"]["quick"]
    assert figures["people"] == 10_000
    assert figures["builds"].keys() == {"attributes", "attributes, many", "windows", "counts"}
    assert all(one["members"] > 0 for one in figures["builds"].values())
    assert figures["estimates"]
    assert figures["events"].keys() == {"10", "1000"}
    assert "held" not in said


def test_quick_run__configuration__follows_one_tenants_change_and_judges_nothing(tmp_path: Path) -> None:
    results, said = results_of(tmp_path, "configuration", "--quick")

    figures = results["configuration"]["figures"]
    assert figures.keys() == {"few", "many", "one tenant with many"}
    assert all(one["one change"] < one["everything"] for one in figures.values())
    assert "held" not in said


def test_quick_run__fairness__compares_a_flood_with_quiet_and_judges_nothing(tmp_path: Path) -> None:
    results, said = results_of(tmp_path, "fairness", "--quick")

    figures = results["fairness"]["figures"]
    assert figures["ratio"] > 0
    assert figures["quiet"]["accepted"] == figures["quiet"]["received"] == 400
    assert figures["beside the flood"]["accepted"] == figures["beside the flood"]["received"]
    assert figures["beside the flood"]["flood"]["requests"] > 0
    assert "held" not in said


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
