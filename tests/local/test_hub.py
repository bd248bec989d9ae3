"""The supervisor with real embedded services and stand-ins for doors and workers."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from core.environment import PROJECT_ROOT
from local import embedded
from tests.local.conftest import MakeEnvironment
from tests.support.processes import alive, eventually, processes_of, recorded, stand_in_hub


def remember(database_url: str, word: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def remembered(database_url: str) -> list[str]:
    try:
        with psycopg.connect(database_url) as connection:
            return [word for (word,) in connection.execute("SELECT word FROM words")]
    except psycopg.OperationalError:
        return []


def second_hub(home: Path, port: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.support.stand_in_hub", str(home), str(port), "--impatient"]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("number", "flags"), [(signal.SIGTERM, []), (signal.SIGINT, []), (signal.SIGTERM, ["--stubborn"])]
)
def test_stop_signal__ends_all_within_ten_seconds__and_leaves_no_process(
    make_environment: MakeEnvironment, number: signal.Signals, flags: list[str]
) -> None:
    environment = make_environment("hub")
    with stand_in_hub(environment.home, *flags) as hub:
        began = time.monotonic()
        hub.send_signal(number)
        assert hub.wait(timeout=20) == 0

    assert time.monotonic() - began < 10
    assert processes_of(environment.home) == []
    assert recorded(environment.home) == {}


def test_sigkill_of_the_supervisor__leaves_no_process__and_the_next_start_finds_the_data(
    make_environment: MakeEnvironment,
) -> None:
    environment = make_environment("hub")
    url = embedded.addresses(environment).database_url
    with stand_in_hub(environment.home) as hub:
        remember(url, "kept")
        hub.kill()

    with stand_in_hub(environment.home) as hub:  # at once: what was killed may still be ending
        assert remembered(url) == ["kept"]
        hub.kill()

    eventually(lambda: processes_of(environment.home) == [])


@pytest.mark.parametrize("name", ["postgres", "redis", "edge-1", "console"])
def test_sigkill_of_one_process__it_alone_is_started_again(make_environment: MakeEnvironment, name: str) -> None:
    environment = make_environment("hub")
    services = embedded.addresses(environment)
    with stand_in_hub(environment.home):
        remember(services.database_url, "kept")
        before = recorded(environment.home)

        os.kill(before[name], signal.SIGKILL)
        eventually(lambda: recorded(environment.home).get(name, before[name]) != before[name])

        after = recorded(environment.home)
        assert {other: after[other] for other in before if other != name} == {
            other: pid for other, pid in before.items() if other != name
        }
        assert not alive(before[name])
        with embedded.session(environment):
            assert eventually(lambda: remembered(services.database_url)) == ["kept"]


def test_second_hub__on_the_same_home__is_refused_and_disturbs_nothing(
    make_environment: MakeEnvironment,
) -> None:
    environment = make_environment("hub")
    with stand_in_hub(environment.home) as hub:
        before = recorded(environment.home)

        refused = second_hub(environment.home)

        assert refused.returncode != 0
        assert f"{environment.home} is in use by another hub (process {hub.pid})" in refused.stderr
        assert recorded(environment.home) == before


def test_second_hub__on_a_port_that_is_taken__is_refused(make_environment: MakeEnvironment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        refused = second_hub(make_environment("hub").home, port)

    assert refused.returncode != 0
    assert f"port {port} of 127.0.0.1 cannot be used" in refused.stderr


def test_session__while_the_hub_runs__uses_its_services(make_environment: MakeEnvironment) -> None:
    environment = make_environment("hub")
    with stand_in_hub(environment.home):
        before = recorded(environment.home)
        with embedded.session(environment) as services:
            remember(services.database_url, "from a command")

        assert remembered(services.database_url) == ["from a command"]
        assert recorded(environment.home) == before
