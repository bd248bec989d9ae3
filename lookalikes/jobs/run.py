"""Runs every lookalike job that is due, one after the other, in one process.

Moving memberships under the locks of buckets belongs to the pipeline, a room above: the caller hands in `MoveMembers`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from audiences.models import Audience
from core import clock
from core.database import connect
from core.turns import Turns
from lookalikes import schedule
from lookalikes.jobs import workers
from lookalikes.jobs.scoring import MoveMembers, score
from lookalikes.jobs.training import train_lookalike
from lookalikes.jobs.workers import TaskMap
from lookalikes.schedule import MOST_ATTEMPTS, DueJob

LOOKALIKES = 0x646D71  # a class of advisory locks: one process an audience
MOST_JOBS = 1_000  # of one process: what it cannot finish is left to the next

log = logging.getLogger(__name__)


def run_due_jobs(
    move_members: MoveMembers, processes: int | None = None, keep_on: Callable[[], bool] = lambda: True
) -> int:
    """Run the jobs that are due and return how many that were. `processes` read profiles side by side (0: this one)."""
    done = 0
    try:
        if not schedule.due_jobs(clock.now()):
            return 0
        with workers.processes(processes) as run:
            runner = JobRunner(run, move_members)
            while done < MOST_JOBS and keep_on() and runner.run_next():
                done += 1
    finally:
        workers.close()
    return done


@dataclass(frozen=True, slots=True)
class JobRunner:
    """Runs jobs with a `map` over reading processes and with what moves memberships after a scoring."""

    map: TaskMap
    move_members: MoveMembers
    turns: Turns = field(default_factory=Turns)

    def run_next(self) -> bool:
        """Run a job that is due and that no other process runs, of the customer who was served the longest ago.

        Returns False where there is none.
        """
        jobs = self.turns.order(schedule.due_jobs(clock.now()), lambda job: job.customer)
        return any(self._run_alone(job) for job in jobs)

    def _run_alone(self, job: DueJob) -> bool:
        """Run the job under a lock that ends with its connection, so that no second process runs the same."""
        connection = connect(durable=False)
        try:
            taken = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOOKALIKES, job.audience]).fetchone()
            if taken == (True,):
                self.turns.serve(job.customer)
                self._run(job)
            return taken == (True,)
        finally:
            connection.close()

    def _run(self, job: DueJob) -> None:
        now = clock.now()
        if schedule.record_attempt(job.audience) >= MOST_ATTEMPTS:
            schedule.give_up(job.audience, f"given up: its process died {MOST_ATTEMPTS} times")
            return
        audience = Audience.objects.select_related("seed", "run").get(id=job.audience)
        try:
            if job.train:
                train_lookalike(audience, audience.run.random_state, now, self.map)
            if Audience.objects.filter(id=audience.id, run__score_at__lte=clock.now()).exists():
                score(audience, clock.now(), self.map, self.move_members)
        except Exception as failure:
            log.exception("lookalike %s", audience.id)
            schedule.record_failure(audience.id, now, type(failure).__name__)
