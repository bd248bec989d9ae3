"""Who may use the REST API."""

import secrets

from django.db import models

from edge.api_keys import digest
from edge.configuration import Configuration
from edge.models import Customer


class ApiKey(Configuration):
    """A machine's key, stored as a prefix (to find and to recognise it) and a SHA-256 digest.

    The edge knows keys too: it holds them in memory, as configuration.
    """

    class Role(models.TextChoices):
        ADMIN = "admin", "admin: everything"
        MARKETER = "marketer", "marketer: reads and changes a customer's data"
        ANALYST = "analyst", "analyst: reads"

    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.ADMIN)
    customer = models.ForeignKey(
        Customer, models.CASCADE, null=True, blank=True, help_text="Empty: every customer's data."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "api_key"
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def issue(cls, name: str, role: str, customer: Customer | None) -> tuple["ApiKey", str]:
        """A new key: the stored row, and the key itself, which is not kept and is shown only now."""
        prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        key = f"{prefix}.{secret}"
        row = cls.objects.create(name=name, prefix=prefix, digest=digest(key), role=role, customer=customer)
        return row, key


class IdempotentAnswer(models.Model):
    """The answer to a write that carried an Idempotency-Key, so that a repeat gets the same one."""

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
