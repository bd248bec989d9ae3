"""With the strictest settings (`.env.strictest`, docs/security.md) the whole demo and all tests of the console pass."""

import os
import subprocess
import sys

import pytest

from core.environment import PROJECT_ROOT
from dmphub.management.commands.demo import LOG
from local import embedded
from tests.local.conftest import MakeEnvironment, environment_of, make_environment
from tests.support.strictest import strictest

__all__ = ["make_environment"]


def passes(*command: str, **variables: str) -> str:
    """Run a program with the strictest settings; returns what it says."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=PROJECT_ROOT,
        env={**os.environ, **strictest(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-20_000:]
    return done.stdout


@pytest.mark.timeout(1_800)
@pytest.mark.skipif(not LOG.is_file(), reason="`make data` fetches the purchase log")
def test_demo__whole_and_with_the_strictest_settings__is_exact(make_environment: MakeEnvironment) -> None:
    home = make_environment("home").home
    try:
        said = passes("manage.py", "demo", "--strict", DMPHUB_HOME=str(home), CI="true")
    finally:
        embedded.erase(environment_of(home / "demo"))
    assert said.count("exact") == 6, said


@pytest.mark.timeout(3_600)
def test_console__with_the_strictest_settings__passes_all_its_tests() -> None:
    said = passes("-m", "pytest", "-q", "tests/console", DATABASE_URL="", REDIS_URL="", DMPHUB_SECRET_KEYS="")

    assert " passed" in said
