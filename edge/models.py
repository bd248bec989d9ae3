"""The tenant every request names, and the inbox that makes an answer of 200 a promise."""

import uuid

from django.contrib.postgres.functions import RandomUUID
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from edge.configuration import Configuration, ConfigurationVersion
from edge.kinds import BULK
from edge.strictness import Strictness

__all__ = ["BadRow", "ConfigurationVersion", "Customer", "Inbox"]


class Customer(Configuration):
    """A tenant: everything else belongs to one. Requests name it by `m`."""

    m = models.PositiveIntegerField(
        "customer id (m)", primary_key=True, help_text="The number that every pixel request carries as “m”."
    )
    name = models.CharField(max_length=200)
    consent = models.CharField(
        max_length=12,
        choices=[
            (Strictness.OFF.value, "off: signals are passed on, never judged"),
            (Strictness.WHEN_PRESENT.value, "when present: a signal that denies is obeyed"),
            (Strictness.REQUIRED.value, "required: nothing is kept without a signal that allows"),
        ],
        default=Strictness.WHEN_PRESENT.value,
        db_default=Strictness.WHEN_PRESENT.value,
        help_text="How consent signals (TCF, US privacy, GPP, Global Privacy Control) are judged.",
    )
    personal_data = models.CharField(
        max_length=6,
        choices=[("hash", "hash: it is kept as a salted SHA-256"), ("refuse", "refuse: the sender gets an error")],
        default="hash",
        db_default="hash",
        help_text="What happens to mail addresses, phone, card and account numbers that are sent in clear.",
    )
    salt = models.UUIDField(
        default=uuid.uuid4,
        db_default=RandomUUID(),
        editable=False,
        help_text="Of the hashes that stand for personal data. Never shown, never changed.",
    )
    keep_users_days = models.PositiveSmallIntegerField(
        default=390,
        db_default=390,
        validators=[MinValueValidator(1)],
        help_text="A user who was not seen for so long is erased, and platforms are told. A cookie lives 390 days.",
    )
    keep_activity_days = models.PositiveSmallIntegerField(
        default=180,
        db_default=180,
        validators=[MinValueValidator(1), MaxValueValidator(180)],
        help_text="How many days of activity are kept one by one: rules can look back no further.",
    )
    keep_logs_days = models.PositiveSmallIntegerField(
        default=30,
        db_default=30,
        validators=[MinValueValidator(1)],
        help_text="How long batches, dead letters and bad rows are kept.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "customer"
        ordering = ["m"]

    def __str__(self) -> str:
        return f"{self.name} ({self.m})"


class Inbox(models.Model):
    """Accepted, not yet absorbed. Deleted by the transaction that absorbs it.

    `query` holds a JSON object (what the request's parameters, or the command, say); `body` holds the
    raw JSON of `data` as it was sent, where there is one. `id` is a database identity; no order across
    buckets is read from it.
    """

    pk = models.CompositePrimaryKey("bucket", "id")
    bucket = models.SmallIntegerField()
    id = models.BigIntegerField()
    kind = models.SmallIntegerField()
    query = models.BinaryField()
    body = models.BinaryField(null=True)
    received_at = models.DateTimeField()
    attempts = models.SmallIntegerField(db_default=0)

    class Meta:
        db_table = "inbox"
        # bulk work is found however long the backlog that it waits in
        indexes = [models.Index(fields=["bucket", "id"], name="inbox_bulk", condition=models.Q(kind__in=BULK))]

    def __str__(self) -> str:
        return f"{self.bucket}/{self.id}"


class BadRow(models.Model):
    """Accepted but unusable, and why. Kept so that it can be read, mended and replayed."""

    pk = models.CompositePrimaryKey("bucket", "id")
    bucket = models.SmallIntegerField()
    id = models.BigIntegerField()
    customer_id = models.IntegerField(null=True)
    kind = models.SmallIntegerField()
    query = models.BinaryField()
    body = models.BinaryField(null=True)
    reason = models.TextField()
    received_at = models.DateTimeField()
    failed_at = models.DateTimeField()

    class Meta:
        db_table = "bad_row"
        indexes = [models.Index("customer_id", "failed_at", name="bad_row_by_customer")]

    def __str__(self) -> str:
        return f"{self.bucket}/{self.id}: {self.reason}"
