"""`manage.py demo` with a slice of the log: a whole hub, a whole sandbox."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from core.environment import PROJECT_ROOT
from dmphub.management.commands.demo import LOG
from local import embedded
from local.demo.platforms import visitors_among
from local.demo.purchases import moved_to, read_log
from local.demo.verdict import expected_at, histories_of
from tests.local.conftest import MakeEnvironment, environment_of
from tests.support.processes import processes_of
from tests.support.strictest import strictest

CUSTOMERS = 100
ENOUGH_SECONDS = 120

pytestmark = pytest.mark.skipif(not LOG.is_file(), reason="`make data` fetches the purchase log")


@pytest.fixture
def home(make_new_environment: MakeEnvironment) -> Iterator[Path]:
    environment = make_new_environment("home")
    yield environment.home
    with suppress(embedded.HomeInUseError):
        embedded.erase(environment_of(environment.home / "demo"))


@contextmanager
def demonstration(home: Path, *flags: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """`more`: of its environment."""
    command = [sys.executable, "manage.py", "demo", "--customers", str(CUSTOMERS), *flags]
    variables = {**os.environ, **more, "DMPHUB_HOME": str(home), "CI": "true"}
    with subprocess.Popen(
        command, cwd=PROJECT_ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)


def read_until(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(pattern, line):
            return found
    pytest.fail(f"the demonstration never said {pattern!r}")


def test_demo__a_slice_of_the_log__is_exact_and_leaves_nothing_running(home: Path) -> None:
    entries = read_log(LOG, CUSTOMERS)

    with demonstration(home) as process:
        said, _ = process.communicate(timeout=ENOUGH_SECONDS)

    assert process.returncode == 0, said
    assert re.search(rf"purchases *│ accepted *│ *{len(entries)} ", said), said
    assert said.count("exact") == 6, said
    assert re.search(r"Contoso Social │ +\d+ │ +[\d,]+ ms │ +[\d,]+ ms", said), said
    assert processes_of(home) == []


def test_demo__a_platform_that_loses_a_member__fails_and_says_where(home: Path) -> None:
    """The sandbox says that it took a batch, and did not. All else is exact, with the strictest settings too."""
    purchases = moved_to(read_log(LOG, CUSTOMERS), datetime.now(UTC))
    expected = expected_at(histories_of(purchases), visitors_among(purchases), time.time())
    lost = min(expected.held["northwind-ads", "Lapsed"])
    with demonstration(home, "--rate", "200", "--strict", **strictest()) as process:
        sandbox = read_until(process, r"sandbox=(\S+)")[1]
        read_until(process, "where their segments were created")
        order = {"target": "generic/northwind-ads", "status": 200, "userid": lost}
        requests.post(f"{sandbox}/faults", json=order, timeout=10).raise_for_status()
        said, _ = process.communicate(timeout=ENOUGH_SECONDS)

    assert process.returncode == 1, said
    assert re.search(r"not exact: .*Northwind Ads lacks [1-9]", said), said
