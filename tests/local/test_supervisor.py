import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.supervisor.child import ProcessSpec
from local.supervisor.programs import HOST, HubPlan, PortTakenError, choose_ports, programs_of
from local.supervisor.supervisor import StartFailedError, StopRequestedError, Supervisor
from tests.local.conftest import MakeEnvironment
from tests.support import programs
from tests.support.processes import alive


def spec(name: str, program: str, *arguments: str) -> ProcessSpec:
    return ProcessSpec(name=name, argv=(sys.executable, "-c", program, *arguments))


class UntilTold:
    """Lets a supervisor run until a condition holds."""

    def __init__(self) -> None:
        self.condition: Callable[[], bool] = lambda: False
        self.supervisor = Supervisor(stop_requested=self._is_enough)

    def _is_enough(self) -> bool:
        return self.condition()

    def run_until(self, condition: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + 20
        self.condition = lambda: condition() or time.monotonic() > give_up_at
        self.supervisor.run()
        assert condition()


@pytest.fixture
def running() -> Iterator[UntilTold]:
    until = UntilTold()
    yield until
    until.supervisor.stop()


def test_run__a_process_dies__it_alone_is_started_again(running: UntilTold) -> None:
    supervisor = running.supervisor
    supervisor.start([spec("one", programs.SLEEP), spec("two", programs.SLEEP)])
    before = supervisor.pids

    os.kill(before["one"], signal.SIGKILL)
    running.run_until(lambda: supervisor.pids.get("one", before["one"]) != before["one"])

    assert supervisor.pids["two"] == before["two"]
    assert not alive(before["one"])


def test_run__a_process_that_ends_at_once__is_started_less_and_less_often(running: UntilTold, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    running.supervisor.start([spec("brief", programs.COUNT_AND_END, str(starts))])
    end = time.monotonic() + 3

    running.run_until(lambda: time.monotonic() > end)

    assert 3 <= len(starts.read_text(encoding="utf-8").splitlines()) <= 7


def test_run__process_that_may_not_start_yet__is_started_once_it_may(running: UntilTold, tmp_path: Path) -> None:
    door = tmp_path / "open"
    running.supervisor.start([replace(spec("late", programs.SLEEP), may_start=door.exists)])
    assert running.supervisor.pids == {}

    door.touch()

    running.run_until(lambda: "late" in running.supervisor.pids)


def test_on_change__tells_every_new_pid() -> None:
    told: list[dict[str, int]] = []
    supervisor = Supervisor(on_change=told.append, stop_requested=lambda: len(told) == 3)
    supervisor.start([spec("one", programs.SLEEP)])
    os.kill(told[0]["one"], signal.SIGKILL)

    supervisor.run()
    supervisor.stop()

    assert [list(pids) for pids in told] == [["one"], [], ["one"]]
    assert told[0] != told[2]


def test_until_ready__a_process_that_always_fails__is_given_up(running: UntilTold) -> None:
    running.supervisor.start([replace(spec("broken", programs.FAIL), ready=lambda: False)])

    with pytest.raises(StartFailedError, match="broken does not start"):
        running.supervisor.until_ready(tries=2)


def test_until_ready__a_stop_is_asked_for__is_left_at_once() -> None:
    supervisor = Supervisor(stop_requested=lambda: True)
    supervisor.start([replace(spec("slow", programs.SLEEP), ready=lambda: False)])
    pid = supervisor.pids["slow"]

    with pytest.raises(StopRequestedError):
        supervisor.until_ready()
    supervisor.stop()

    assert not alive(pid)


def test_complete__one_of_the_programs_fails__tells_which(running: UntilTold) -> None:
    with pytest.raises(StartFailedError, match="bad failed with status 1"):
        running.supervisor.complete(spec("good", "pass"), spec("bad", programs.FAIL))


def test_stop__ranks__end_one_after_the_other_lowest_first(running: UntilTold, tmp_path: Path) -> None:
    book = tmp_path / "stopped"
    ranks = {"database": 2, "worker": 0, "cache": 1}
    running.supervisor.start(
        replace(spec(name, programs.TELL_WHEN_STOPPED, str(book), name), stop_rank=rank) for name, rank in ranks.items()
    )
    running.run_until(lambda: all(Path(f"{book}.{name}").exists() for name in ranks))

    running.supervisor.stop()

    assert book.read_text(encoding="utf-8").split() == ["worker", "cache", "database"]


def test_stop__a_process_that_ignores_the_signal__is_killed_when_its_time_is_over(
    running: UntilTold, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    stubborn = spec("stubborn", programs.STUBBORN, str(ready))
    running.supervisor.start([replace(stubborn, stop_seconds=0.5)])
    running.run_until(ready.exists)
    pid = running.supervisor.pids["stubborn"]

    began = time.monotonic()
    running.supervisor.stop()

    assert 0.4 < time.monotonic() - began < 3
    assert not alive(pid)


def test_choose_ports__zero__is_a_free_port_and_a_taken_one_is_refused() -> None:
    one, other = choose_ports(HOST, 0, 0)
    assert one != other
    assert min(one, other) > 0

    with socket.create_server((HOST, one)), pytest.raises(PortTakenError, match=f"port {one}"):
        choose_ports(HOST, one, 0)


def test_choose_ports__the_same_twice_or_none_that_exists__is_refused() -> None:
    one, _ = choose_ports(HOST, 0, 0)

    with pytest.raises(PortTakenError, match="twice"):
        choose_ports(HOST, one, one)
    with pytest.raises(PortTakenError, match="65535"):
        choose_ports(HOST, 99_999, 0)


def test_start__of_work_in_the_background__has_a_lower_priority_than_the_doors(
    make_new_environment: MakeEnvironment,
) -> None:
    plan = HubPlan(make_new_environment("hub"), port=1, edge_port=2, edge_workers=1, workers=2)
    niceness = {each.name: each.niceness for each in programs_of(plan).lasting}
    doors = {name for name in niceness if name.startswith(("edge", "console"))}
    assert {niceness[name] for name in doors} == {0}
    assert min(niceness[name] for name in niceness.keys() - doors) > 0


def test_start__of_an_edge_with_a_database_role_of_its_own__is_told_no_other(make_environment: MakeEnvironment) -> None:
    owner, edge = "postgresql://owner:one@db/hub", "postgresql://edge:two@db/hub"
    environment = replace(make_environment("roles"), database_url=owner, edge_database_url=edge)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", owner)
        patch.setenv("DMPHUB_APP_DATABASE_URL", "postgresql://app:three@db/hub")
        programs = programs_of(HubPlan(environment, port=1, edge_port=2, edge_workers=2, workers=1))

    told = {each.name: " ".join((each.environment or {}).values()) for each in programs.lasting}
    doors = {name for name in told if name.startswith("edge")}
    assert len(doors) == 2
    for name, values in told.items():
        assert (owner in values, "app:three" in values) == ((False, False) if name in doors else (True, True)), name
    assert all(edge in told[name] for name in doors)


def test_start__with_a_niceness__the_process_and_its_children_have_it(running: UntilTold, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    program = (
        "import os, subprocess, sys, time; from pathlib import Path\n"
        "child = subprocess.run([sys.executable, '-c', 'import os; print(os.nice(0))'], capture_output=True)\n"
        "Path(sys.argv[1]).write_text(f'{os.nice(0)} {int(child.stdout)}'); time.sleep(60)"
    )
    running.supervisor.start([replace(spec("background", program, str(seen)), niceness=os.nice(0) + 3)])
    running.run_until(lambda: seen.exists() and len(seen.read_text().split()) == 2)
    assert [int(word) - os.nice(0) for word in seen.read_text().split()] == [3, 3]
