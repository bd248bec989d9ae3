"""The table of the audit log. `core.audit` adds entries; nothing changes them, and retention deletes old ones."""

from datetime import datetime, timedelta

from django.db import models

from core import clock


class AuditEntry(models.Model):
    """One change: who made it, what it was, when, from where and by which door."""

    class ActorKind(models.TextChoices):
        PERSON = "person"
        KEY = "key"
        COMMAND = "command"
        HUB = "hub"
        NOBODY = "nobody", "nobody: who it was is not known"

    class Door(models.TextChoices):
        API = "api", "API"
        CONSOLE = "console"
        COMMAND_LINE = "command line"
        EDGE = "edge"
        HUB = "hub"

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    actor_kind = models.CharField(max_length=8, choices=ActorKind.choices)
    actor = models.CharField(max_length=200, help_text="The person's log-in, or the key's or the command's name.")
    actor_number = models.CharField(max_length=40)
    door = models.CharField(max_length=12, choices=Door.choices)
    address = models.CharField(max_length=45)
    customer_id = models.IntegerField(null=True, help_text="Whose; empty: it concerns the whole hub.")
    action = models.CharField(max_length=40)
    object = models.CharField(max_length=40, help_text="What kind of thing was changed.")
    object_number = models.CharField(max_length=60)
    name = models.CharField(max_length=300)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        db_table = "audit_entry"
        ordering = ["-id"]
        verbose_name_plural = "audit log"
        indexes = [models.Index("customer_id", models.F("id").desc(), name="audit_entry_by_customer")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} {self.object} {self.object_number}".rstrip()


def forget(before: datetime) -> int:
    """Delete the entries that are older. Returns how many."""
    return AuditEntry.objects.filter(at__lt=before).delete()[0]


def forget_old(days: int) -> int:
    """Delete what was kept for so many days."""
    return forget(clock.now() - timedelta(days=days))
