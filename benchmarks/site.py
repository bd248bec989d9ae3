"""A whole hub that runs, the platforms' sandbox beside it, and the load that is offered to its edge."""

import array
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from benchmarks import quiet
from benchmarks.bounds import Options
from benchmarks.home import begin_empty
from benchmarks.open_loop import BEGAN, MARK, Stream
from benchmarks.programs import answers, complaints, hub, running, wait_until
from benchmarks.shop import Shop
from benchmarks.usage import backends, children
from core import environment
from local import embedded
from tests.support.sandbox_process import SandboxProcess

PUNCTUAL_MS = 50.0
PATIENCE_SECONDS = 120.0  # for a generator, beyond the time that it sends
SHOP_SECONDS = 300.0


class Sent(msgspec.Struct):
    """What the generator says of itself.

    `began`: unix time. `sent_late`: by its own fault; `held_up`: events that met no idle connection and waited for a
    new one, or, beyond the most that it opens, for an answer. `in_time`: accepted before the end, or a second after
    it. `accept`: from when an event was due until its 200.
    """

    began: float
    seconds: float
    in_time: int
    cpu_seconds: float
    statuses: dict[int, int]
    connections: int
    held_up: int
    sent_late_p99_ms: float
    accept_p50_ms: float
    accept_p99_ms: float

    @property
    def why_late(self) -> str:
        """Why its figures show little, where it did not offer the rate that it should have."""
        late = self.sent_late_p99_ms
        return "" if late <= PUNCTUAL_MS else f"the generator was late itself, p99 {late:.0f} ms"

    @property
    def accepted(self) -> int:
        return self.statuses.get(200, 0)


@dataclass(frozen=True, slots=True)
class Offered:
    """What was sent. `accepted`: of each stream, the unix time of each event's 200; 0 where there was none."""

    sent: Sent
    accepted: "list[array.array[float]]"


@dataclass(frozen=True, slots=True)
class Generator:
    """A generator that runs. `began`: unix time at which its first events were due. `finish` waits for its end."""

    began: float
    process: "subprocess.Popen[str]"
    streams: Sequence[Stream]
    file: Path

    def finish(self) -> Offered:
        longest = max(stream.count / stream.rate for stream in self.streams)
        said, _ = self.process.communicate(timeout=longest + PATIENCE_SECONDS)
        line = said.strip()
        if not line.startswith(MARK):
            raise RuntimeError(f"the generator ended with {self.process.returncode}:\n{complaints()}")
        times = array.array("d")
        times.frombytes(self.file.read_bytes())
        accepted, first = [], 0
        for stream in self.streams:
            accepted.append(times[first : first + stream.count])
            first += stream.count
        return Offered(msgspec.json.decode(line.removeprefix(MARK), type=Sent), accepted)


@dataclass(frozen=True, slots=True)
class Site:
    """`edge_port`: where the hub takes events; `database`: a connection in autocommit mode."""

    hub_pid: int
    edge_port: int
    sandbox: SandboxProcess
    database: psycopg.Connection[Any]
    database_url: str

    def wait_for(self, shop: Shop) -> None:
        """Until the shop's audiences and its segment are built, and the edge knows its pixel."""
        wait_until("the edge knows the shop", lambda: answers(self.edge_port, f"{shop.target}&_nr=1"))
        wait_until("the shop is built", lambda: quiet.is_quiet(shop.activation), SHOP_SECONDS)

    @contextmanager
    def generator(self, streams: Sequence[Stream]) -> Iterator[Generator]:
        """Events of these streams, from now on, by a process of its own."""
        file = Path(os.environ["DMPHUB_HOME"]) / "accepted"
        said = msgspec.json.encode(streams).decode()
        command = [sys.executable, "-m", "benchmarks.open_loop", str(self.edge_port), str(file), said]
        with running(command) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith(BEGAN):
                raise RuntimeError(f"the generator did not begin:\n{complaints()}")
            yield Generator(float(line.removeprefix(BEGAN)), process, streams, file)

    def received(self, account: str) -> int:
        """How many rows the platform has been sent so far."""
        held = self.sandbox.state(account, members=False)["generic"].get(account, {})
        return int(held.get("adds", 0)) + int(held.get("removes", 0))

    def process_names(self) -> dict[int, str]:
        """The hub's processes by pid, PostgreSQL's among them by what they do, and the sandbox."""
        record = Path(os.environ["DMPHUB_HOME"]) / "run" / "processes.json"
        named = {pid: name for name, pid in json.loads(record.read_text(encoding="utf-8")).items()}
        named[self.hub_pid] = "manage.py up"
        for pid, parent in children([self.hub_pid]).items():
            if pid not in named:
                named[pid] = named.get(parent, "other") + " child"
        named |= {pid: name for pid, name in backends(self.database).items() if pid in named}
        return named | {self.sandbox.pid: "(sandbox)"}


@contextmanager
def open_site(options: Options) -> Iterator[Site]:
    """A hub with an empty database."""
    begin_empty()
    url = embedded.addresses(environment.read(None)).database_url
    with (
        SandboxProcess() as sandbox,
        hub(options.edge_workers, options.workers) as (pid, port),
        psycopg.connect(url, autocommit=True) as database,
    ):
        yield Site(pid, port, sandbox, database, url)
