"""A pytest plugin (`-p tests.support.spreading`): how `pytest -n auto` spreads the tests over the cores.

Every process that runs tests has services of its own (`services.py`). The tests of a module stay together, for the sake
of what they share, and modules that take long begin early, so that no process waits long for another at the end.
"""

import os
from pathlib import Path

import pytest

from core.environment import PROJECT_ROOT

LONGEST = (
    "tests/chaos/test_kill.py",
    "tests/pipeline/test_state_machine.py",
    "tests/pipeline/test_exactness.py",
    "tests/benchmarks/test_benchmarks.py",
    "tests/local/demo/test_demo.py",
    "tests/benchmarks/test_soak.py",
    "tests/dmphub/test_installation.py",
    "tests/pipeline/test_timed.py",
    "tests/activation/test_deaths.py",
    "tests/local/test_hub.py",
    "tests/audiences/rules/test_readings.py",
    "tests/pipeline/test_erasures.py",
    "tests/activation/test_faults.py",
    "tests/activation/test_outcomes.py",
    "tests/lookalikes/test_jobs.py",
    "tests/connectors/test_platforms.py",
    "tests/local/test_embedded.py",
    "tests/edge/test_browser.py",
)
"""Modules that take long, the longest first. It decides about the time of a run, nothing else."""


def only_hands_out(config: pytest.Config) -> bool:
    """Return whether this process runs no tests itself: it hands them out to others."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return False
    asked = getattr(config.known_args_namespace, "numprocesses", None)
    return bool(_processes() if asked == "auto" else asked)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    return _processes()


def _processes() -> int:
    """One process more than there are cores: a fifth of the time, a test waits for something.

    None beside this one where one core, or one database of the environment, serves all.
    """
    cores = len(os.sched_getaffinity(0))
    named = os.environ.get("DATABASE_URL") or os.environ.get("REDIS_URL")
    return 0 if named or cores == 1 else cores + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # one of several processes
        ranks = {PROJECT_ROOT / path: rank for rank, path in enumerate(LONGEST)}
        items.sort(key=lambda item: ranks.get(Path(item.path), len(LONGEST)))
