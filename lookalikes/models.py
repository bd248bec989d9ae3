"""The tables of lookalikes: their models, and the jobs that are due for them."""

from django.db import models

from audiences.models import Audience


class Lookalike(Audience):
    """The audiences of that kind, for a page of their own in the console."""

    class Meta:
        proxy = True
        ordering = ["id"]


class LookalikeModel(models.Model):
    """One attempt to learn whom a lookalike holds: a model with its figures, or why there is none.

    `content` is a `lookalikes.scoring.model.LinearModel`, encoded: kept of the one in force and of the newest.
    `figures` are shown to people: `auc`, `curve`, `influences`, `excluded` and the like (`lookalikes.jobs.training`).
    """

    audience = models.ForeignKey(Audience, models.CASCADE, related_name="models")
    number = models.PositiveIntegerField()
    random_state = models.PositiveIntegerField()
    content = models.BinaryField(null=True)
    refusal = models.TextField(blank=True)
    figures = models.JSONField(default=dict)
    made_at = models.DateTimeField()

    class Meta:
        db_table = "lookalike_model"
        ordering = ["audience", "-number"]
        constraints = [models.UniqueConstraint("audience", "number", name="lookalike_model_once")]

    def __str__(self) -> str:
        return f"{self.audience_id} model {self.number}"


class LookalikeRun(models.Model):
    """What is to be done for a lookalike, and when; how far it is; what the last scoring found.

    `attempts` counts processes that began and did not come to an end.
    """

    audience = models.OneToOneField(Audience, models.CASCADE, primary_key=True, related_name="run")
    train_at = models.DateTimeField(null=True)
    score_at = models.DateTimeField(null=True)
    random_state = models.PositiveIntegerField(default=0)
    stage = models.CharField(max_length=20, blank=True)
    done = models.IntegerField(default=0)
    total = models.IntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    figures = models.JSONField(default=dict)

    class Meta:
        db_table = "lookalike_run"

    def __str__(self) -> str:
        return f"{self.audience_id}: {self.stage or 'at rest'}"
