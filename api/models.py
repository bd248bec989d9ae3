"""Answers that are kept so that a write may be repeated."""

from django.db import models

from core.models import ApiKey


class IdempotentAnswer(models.Model):
    """The answer to a write that carried an Idempotency-Key. A repeat gets the same answer."""

    key = models.CharField(max_length=255)
    api_key = models.ForeignKey(ApiKey, models.CASCADE)
    request = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    status = models.SmallIntegerField(null=True)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "idempotent_answer"
        constraints = [models.UniqueConstraint("api_key", "key", name="idempotent_answer_once")]

    def __str__(self) -> str:
        return self.key
