"""What the stages remember of themselves."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class AbsorbRun(models.Model):
    """A batch of inbox rows under way, written before the work and deleted with it.

    Whoever holds a bucket's lock and finds a run that names the bucket knows that its worker died:
    `last_ids[i]` is the last row it had taken of `buckets[i]`.
    """

    id = models.UUIDField(primary_key=True)
    buckets = ArrayField(models.SmallIntegerField())
    last_ids = ArrayField(models.BigIntegerField())
    started_at = models.DateTimeField()

    class Meta:
        db_table = "absorb_run"

    def __str__(self) -> str:
        return str(self.id)
