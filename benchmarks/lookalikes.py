"""Lookalikes at size: learning from a large seed, scoring everybody, and what one more costs an event."""

import json
import math
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.absorb import measured
from benchmarks.bounds import Bound, Options, Result, Table
from benchmarks.figures import shown
from benchmarks.home import services

CUSTOMER = 1
PEOPLE = 1_000_000
QUICK_PEOPLE = 20_000
EVENTS, QUICK_EVENTS, ROUNDS = 20_000, 500, 3
SECONDS, MEGABYTES, MICROSECONDS = 60.0, 1_536.0, 50.0
SEED_RULE = {"combinator": "and", "rules": [{"field": "attribute.Orders", "operator": ">=", "value": 8}]}
LEARN = "import django; django.setup(); from benchmarks.lookalikes import learn_and_score; learn_and_score()"
MEMBERS = "SELECT count(*) FROM membership WHERE audience_id = %s AND member"


@dataclass(slots=True)
class Peak:
    """Of a process with its children, in MB: sampled, since what they share is counted once each."""

    megabytes: float = 0.0

    def watch(self, process: "subprocess.Popen[bytes]") -> None:
        while process.poll() is None:
            self.megabytes = max(self.megabytes, sum(map(_resident, [process.pid, *_children(process.pid)])))
            time.sleep(0.05)


def _resident(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * 4096 / 2**20


def _children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in path.read_text(encoding="ascii").split()]
        except OSError:
            continue
    return found + [grandchild for child in found for grandchild in _children(child)]


def run(options: Options) -> Result:
    with services() as found, psycopg.connect(found.database_url, autocommit=True) as database:
        seed, lookalike = furnish(QUICK_PEOPLE if options.quick else PEOPLE, database)
        with measured(database) as cost:
            learnt, peak = _in_a_process()
        (members,) = database.execute(MEMBERS, [lookalike]).fetchone() or (0,)
        event = _cost_of_an_event(database, lookalike, QUICK_EVENTS if options.quick else EVENTS)
    learnt["postgres_cpu"] = cost.postgres
    return _result(options, learnt, peak, event, {"seed": seed, "members": members})


def furnish(people: int, database: Any) -> tuple[int, int]:
    """People, those of them who order most as a seed, and a lookalike; answers the seed's size, the lookalike's id."""
    from audiences.models import Audience
    from audiences.services import create_audience, finish_builds, size
    from core.models import Customer
    from local.synthetic.generation import generate
    from lookalikes.services import create_lookalike
    from pipeline.absorb.absorber import Absorber

    generate(CUSTOMER, people, 1, datetime.now(UTC).date(), lambda _: None)
    customer = Customer.objects.get(m=CUSTOMER)
    absorber = Absorber(lambda _: None)
    seed = create_audience(customer, "spenders", SEED_RULE)
    while absorber.absorb():
        pass
    finish_builds()
    absorber.close()
    database.execute("ANALYZE")
    made = create_lookalike(customer, "like spenders", Audience.objects.get(id=seed.id), {"percent": 5})
    return size(seed), made.id


def _in_a_process() -> tuple[dict[str, float], float]:
    """The whole run as the hub does it: in a process that comes and goes."""
    process = subprocess.Popen([sys.executable, "-c", LEARN], stdout=subprocess.PIPE)
    peak = Peak()
    watching = threading.Thread(target=peak.watch, args=[process])
    watching.start()
    told, _ = process.communicate()
    watching.join()
    if process.returncode:
        raise RuntimeError("learning failed")
    figures: dict[str, float] = json.loads(told.splitlines()[-1])
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {**figures, "python_cpu": spent.ru_utime + spent.ru_stime}, peak.megabytes


def learn_and_score() -> None:
    """Print how long each stage took."""
    began = time.perf_counter()
    from lookalikes.jobs import run as running
    from lookalikes.jobs import scoring, training
    from pipeline.lookalike_moves import move_members

    spent: dict[str, float] = {"importing": time.perf_counter() - began}
    for module, name in (
        *(
            (running, "train_lookalike"),
            (training, "_sample"),
            (training, "choose_fields"),
            (training, "_examples"),
            (training, "train"),
        ),
        *((training, "influences"), (scoring, "_score_all"), (scoring, "_move")),
    ):
        setattr(module, name, _timed(getattr(module, name), name.strip("_"), spent))
    if running.run_due_jobs(move_members) != 1:
        raise RuntimeError("nothing was due")
    spent["all"] = time.perf_counter() - began
    print(json.dumps(spent))


def _timed(work: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    def timed(*args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        answer = work(*args, **options)
        spent[name] = time.perf_counter() - began
        return answer

    return timed


def _cost_of_an_event(database: Any, lookalike: int, events: int) -> tuple[float, float]:
    """Microseconds of CPU, PostgreSQL's among them, that an absorbed event takes without and with the lookalike."""
    from audiences.models import Audience
    from pipeline.absorb.absorber import Absorber

    absorber = Absorber(lambda _: None)
    best = {Audience.Status.PAUSED: math.inf, Audience.Status.LIVE: math.inf}
    for number in range(2 * ROUNDS):
        status = Audience.Status.LIVE if number % 2 else Audience.Status.PAUSED
        Audience.objects.filter(id=lookalike).update(status=status)
        _fill(database, events, number)
        with measured(database) as cost:
            while absorber.absorb():
                pass
        best[status] = min(best[status], 1e6 * cost.cpu / events)
    absorber.close()
    return best[Audience.Status.PAUSED], best[Audience.Status.LIVE]


def _fill(database: Any, events: int, number: int) -> None:
    """One event of each of so many people, which changes what the lookalike looks at."""
    from core.inbox import InboxKind
    from core.messages import Event, encode
    from profiles.models import Pixel

    pixel = Pixel.objects.order_by("id")[0].pk
    users = database.execute(
        "SELECT bucket, user_id FROM profile ORDER BY bucket, user_id LIMIT %s", [events]
    ).fetchall()
    at, moment = time.time_ns() // 1_000_000, datetime.now(UTC).isoformat()
    data = json.dumps({"Age": 30 + number}).encode().hex()
    with database.cursor().copy("COPY inbox (bucket, kind, query, body, received_at) FROM STDIN") as copy:
        for bucket, user in users:
            query = encode(Event(CUSTOMER, pixel, at, str(user), confirmed=True)).hex()
            copy.write(f"{bucket}\t{int(InboxKind.EVENT)}\t\\\\x{query}\t\\\\x{data}\t{moment}\n")


def _result(
    options: Options, spent: dict[str, float], peak: float, event: tuple[float, float], counts: dict[str, int]
) -> Result:
    people = QUICK_PEOPLE if options.quick else PEOPLE
    until_scored = spent["all"] - spent["move"]
    rows = [
        ["people", shown(people)],
        ["of them in the seed", shown(counts["seed"])],
        ["learning, s", shown(spent["train_lookalike"])],
        ["  of it scikit-learn, s", shown(spent["train"])],
        ["scoring everybody, s", shown(spent["score_all"])],
        ["learning and scoring, imports included, s", shown(until_scored)],
        ["then moving the members, s", shown(spent["move"])],
        ["CPU of all that, Python's, s", shown(spent["python_cpu"])],
        ["CPU of all that, PostgreSQL's, s", shown(spent["postgres_cpu"])],
        ["members", shown(counts["members"])],
        ["memory of all its processes at most, MB", shown(peak)],
        ["an event without the lookalike, µs", shown(event[0])],
        ["an event with the lookalike, µs", shown(event[1])],
    ]
    bounds = [
        Bound("lookalikes: learn from 100,000, score 1,000,000", until_scored, "at most", SECONDS, "s"),
        Bound("lookalikes: memory of learning and scoring", peak, "at most", MEGABYTES, "MB"),
        Bound("lookalikes: one more costs an event", event[1] - event[0], "at most", MICROSECONDS, "µs"),
    ]
    notes = [
        "in a process of its own with two reading ones, as the hub does it",
        "an event: CPU of the absorber and of all PostgreSQL processes, the best of three rounds",
    ]
    return Result("lookalikes", [Table("lookalikes", ["what", ""], rows)], bounds, notes, {**spent, "peak": peak})
