"""`manage.py lookalikes`: learn and score what is due, and end. The sweeper starts it."""

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = (
        "Learns the lookalike models that are due and scores everybody by them, then ends. Whatever it has not finished"
        " stays due."
    )

    def handle(self, *_args: object, **_options: object) -> None:
        from lookalikes.jobs.run import run_due_jobs
        from pipeline.lookalike_moves import move_members

        done = run_due_jobs(move_members)
        self.stdout.write(f"{done} done")
