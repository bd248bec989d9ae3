import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from kombu import Connection
from redis import Redis

from core.environment import PROJECT_ROOT, Environment
from core.wakeups import celery_url
from local import embedded
from local.embedded.account import OWN_UIDS, give, service_account
from local.embedded.services import places_of
from local.supervisor.child import Account
from tests.local.conftest import MakeEnvironment, environment_of
from tests.support.processes import eventually, processes_of

HOLD = """
import sys, time
from pathlib import Path
from local import embedded
from tests.local.conftest import environment_of
with embedded.session(environment_of(Path(sys.argv[1]))):
    print('ready', flush=True)
    time.sleep(1000)
"""


@contextmanager
def hold_session(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs the services of a home; killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def write(environment: Environment, word: str) -> None:
    with embedded.session(environment) as services, psycopg.connect(services.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def words(environment: Environment) -> list[str]:
    with embedded.session(environment) as services, psycopg.connect(services.database_url) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words ORDER BY 1")]


def test_session__is_a_durable_postgresql_18_in_utf8_and_utc(make_new_environment: MakeEnvironment) -> None:
    with (
        embedded.session(make_new_environment("hub")) as services,
        psycopg.connect(services.database_url) as connection,
    ):
        names = ("server_encoding", "timezone", "fsync", "synchronous_commit", "listen_addresses")
        found = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]

        assert found == [("UTF8",), ("UTC",), ("on",), ("on",), ("",)]
        assert connection.info.server_version // 10_000 == 18


def test_session__ends__stops_what_it_started_and_keeps_the_data(make_new_environment: MakeEnvironment) -> None:
    environment = make_new_environment("hub")

    write(environment, "one")
    assert processes_of(environment.home) == []
    write(environment, "two")

    assert words(environment) == ["one", "two"]


def test_two_homes__side_by_side__share_nothing(make_environment: MakeEnvironment) -> None:
    one, other = make_environment("one"), make_environment("other")
    with embedded.session(one) as services, embedded.session(other) as other_services:
        write(one, "one")
        write(other, "other")
        with Redis.from_url(services.redis_url) as redis, Redis.from_url(other_services.redis_url) as far:
            redis.set("key", "one")
            assert far.get("key") is None

        assert (words(one), words(other)) == (["one"], ["other"])


@pytest.mark.parametrize("name", ["a folder with blanks, a comma and 100%", "long/" * 40 + "home"])
def test_session__home_with_a_difficult_path__works(make_new_environment: MakeEnvironment, name: str) -> None:
    environment = make_new_environment(name)

    with embedded.session(environment) as services:
        write(environment, "one")
        with Redis.from_url(services.redis_url) as redis:
            assert redis.ping()
        assert len(os.fsencode(places_of(environment).sockets)) < 100

    assert words(environment) == ["one"]


def test_celery_url__of_a_socket_with_blanks__is_understood_by_celery(
    make_environment: MakeEnvironment,
) -> None:
    with (
        embedded.session(make_environment("with blanks")) as services,
        Connection(celery_url(services.redis_url)) as connection,
        connection.SimpleQueue("wake-ups") as queue,
    ):
        queue.put("hello")
        assert queue.get(timeout=5).payload == "hello"


NOBODY = 65534


def succeeds_as_nobody(act: Callable[[], object]) -> bool:
    """Whether a process of the account nobody can do it."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            act()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")
def test_postgres__started_by_root__is_out_of_reach_of_the_account_nobody(
    make_new_environment: MakeEnvironment,
) -> None:
    environment = make_new_environment("hub")
    with embedded.session(environment) as services:
        data = places_of(environment).postgres.resolve() / "data"
        assert succeeds_as_nobody(os.getcwd)
        assert not succeeds_as_nobody(lambda: psycopg.connect(services.database_url, connect_timeout=2))
        assert not succeeds_as_nobody((data / "pg_hba.conf").read_text)
        assert {place.lstat().st_uid for place in data.rglob("*")} == {data.stat().st_uid}
        assert data.stat().st_uid in OWN_UIDS


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")
def test_postgres__of_a_home_that_belonged_to_nobody__goes_on_under_its_own_user(
    make_environment: MakeEnvironment,
) -> None:
    environment = make_environment("hub")
    write(environment, "one")
    folder = places_of(environment).postgres.resolve()
    give(folder, Account(NOBODY, NOBODY))

    assert words(environment) == ["one"]
    assert folder.stat().st_uid in OWN_UIDS


def test_sockets__are_closed_to_other_users(make_environment: MakeEnvironment) -> None:
    environment = make_environment("hub")
    with embedded.session(environment):
        assert places_of(environment).sockets.stat().st_mode & 0o077 == 0
        assert places_of(environment).postgres.resolve().stat().st_mode & 0o077 == 0


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    yield folder
    assert folder.stat().st_mode & 0o777 == 0o700, "the mode of a folder above the home was changed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")
def test_session__as_root_in_a_home_closed_to_others__keeps_data_elsewhere_and_changes_no_mode(
    closed_folder: Path,
) -> None:
    home = closed_folder / "home"
    home.mkdir()
    environment = environment_of(home)
    try:
        write(environment, "one")

        assert words(environment) == ["one"]
        elsewhere = places_of(environment).postgres.resolve()
        assert not elsewhere.is_relative_to(closed_folder)
    finally:
        embedded.erase(environment)
    assert not elsewhere.exists()


def test_session__pid_file_of_a_dead_server_names_a_living_process__starts(
    make_environment: MakeEnvironment,
) -> None:
    environment = make_environment("hub")
    write(environment, "one")
    account = service_account(environment.home)
    stranger = subprocess.Popen(["/bin/sleep", "1000"], user=account.uid if account else None, cwd="/")
    try:
        data = places_of(environment).postgres.resolve() / "data"
        (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n", encoding="utf-8")

        assert words(environment) == ["one"]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_session__its_process_is_killed__the_next_one_starts_at_once(
    make_environment: MakeEnvironment,
) -> None:
    environment = make_environment("hub")
    write(environment, "one")
    for _round in range(3):
        with hold_session(environment.home) as owner:
            owner.kill()

        assert words(environment) == ["one"]


def test_session__postgresql_is_frozen_when_its_owner_is_killed__is_waited_for(
    make_environment: MakeEnvironment,
) -> None:
    environment = make_environment("hub")
    write(environment, "one")
    with hold_session(environment.home) as owner:
        data = places_of(environment).postgres.resolve() / "data"
        postmaster = int((data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
        os.kill(postmaster, signal.SIGSTOP)
        owner.kill()
    thaw = threading.Timer(1.0, os.kill, (postmaster, signal.SIGCONT))
    thaw.start()

    assert words(environment) == ["one"]
    thaw.join()


def test_session__with_guests__goes_on_until_they_have_left(make_environment: MakeEnvironment) -> None:
    environment = make_environment("hub")
    with hold_session(environment.home) as owner:
        with embedded.session(environment) as services:
            owner.send_signal(signal.SIGINT)
            with psycopg.connect(services.database_url) as connection:
                connection.execute("SELECT pg_sleep(0.5)")
            assert owner.poll() is None

        owner.wait(timeout=10)
    eventually(lambda: processes_of(environment.home) == [])
