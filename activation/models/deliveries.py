"""Deliveries: what each platform should hold, what it confirmed, what was sent, refused and uploaded.

The SQL of the large ones (delivery, batch, dead_letter) is in `activation.stores`.
"""

from django.db import models


class Delivery(models.Model):
    """What one platform id should be in one segment, and what the platform last confirmed.

    Level-triggered: the row holds the wanted state, not a queue of changes; of two wants the one with the
    later (`epoch` of the id's owner, `version` of the owner's membership) holds. `acknowledged` is null while
    the platform's state is unknown (a request was sent and its answer is not in). The row is due when
    `due_at` is set; `claim` is the batch that is sending it, or that died over it; `batch` the last one that did.
    `expires_at`: when the platform forgets the id by itself, where it does.
    """

    pk = models.CompositePrimaryKey("bucket", "activation_id", "platform_user_id")
    bucket = models.SmallIntegerField()
    activation_id = models.IntegerField()
    platform_user_id = models.TextField()
    platform_id = models.IntegerField()
    user_id = models.UUIDField()
    epoch = models.IntegerField()
    version = models.IntegerField()
    wanted = models.BooleanField()
    acknowledged = models.BooleanField(null=True)
    due_at = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(db_default=0)
    claim = models.UUIDField(null=True)
    dead = models.BooleanField(db_default=False)
    error = models.TextField(db_default="")
    changed_at = models.DateTimeField()
    batch = models.UUIDField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "delivery"
        indexes = [
            models.Index(
                "activation_id",
                "wanted",
                "bucket",
                "due_at",
                name="delivery_due_by_activation",
                condition=models.Q(due_at__isnull=False),
            ),
            models.Index(
                "bucket",
                "expires_at",
                name="delivery_expiring",
                condition=models.Q(expires_at__isnull=False),
            ),
            models.Index("bucket", "user_id", name="delivery_by_user"),
        ]

    def __str__(self) -> str:
        return f"{self.platform_user_id} in {self.activation_id}"


class Lane(models.Model):
    """A range of one platform's buckets: one request in flight at a time, by lease and fencing number.

    One row a lane: its last holder's.
    """

    pk = models.CompositePrimaryKey("platform_id", "lane", "fence")
    platform_id = models.IntegerField()
    lane = models.SmallIntegerField()
    fence = models.BigIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    open = models.BooleanField(db_default=False, help_text="What is due stays due: it may stand in a file already.")

    class Meta:
        db_table = "lane"

    def __str__(self) -> str:
        return f"{self.platform_id}/{self.lane}"


class Batch(models.Model):
    """One claim's requests to a platform, or one file, as they went. Excerpts are shortened and hold no secrets.

    Usually one request; more where a refused one was taken apart, or where each row is a request of its own.
    """

    class Status(models.TextChoices):
        SENDING = "sending"
        DONE = "done"
        PARTIAL = "partial", "partial: some rows were not accepted"
        FAILED = "failed"
        UNKNOWN = "unknown", "unknown: no answer came"

    pk = models.CompositePrimaryKey("bucket", "id")
    bucket = models.SmallIntegerField()
    id = models.UUIDField()
    platform_id = models.IntegerField()
    activations = models.JSONField(default=list)
    operation = models.CharField(max_length=6)
    status = models.CharField(max_length=7, choices=Status.choices)
    rows = models.IntegerField()
    accepted = models.IntegerField(default=0)
    requests = models.IntegerField(db_default=0)
    bytes = models.BigIntegerField(db_default=0)
    response_status = models.SmallIntegerField(null=True)
    request_excerpt = models.TextField(blank=True)
    response_excerpt = models.TextField(blank=True)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "batch"
        verbose_name_plural = "batches"
        indexes = [
            models.Index("platform_id", "started_at", name="batch_by_platform"),
            models.Index("started_at", name="batch_by_time"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class DeadLetter(models.Model):
    """A change that a platform finally refused, and why. Goes when it is replayed, or when the change is delivered."""

    pk = models.CompositePrimaryKey("bucket", "activation_id", "platform_user_id")
    bucket = models.SmallIntegerField()
    activation_id = models.IntegerField()
    platform_user_id = models.TextField()
    platform_id = models.IntegerField()
    user_id = models.UUIDField()
    operation = models.CharField(max_length=6)
    reason = models.TextField()
    response_excerpt = models.TextField(blank=True)
    attempts = models.IntegerField()
    batch = models.UUIDField(null=True)
    died_at = models.DateTimeField()

    class Meta:
        db_table = "dead_letter"
        indexes = [
            models.Index("died_at", "bucket", "activation_id", "platform_user_id", name="dead_letter_by_time"),
            models.Index("platform_id", "activation_id", name="dead_letter_by_platform"),
            models.Index("bucket", "user_id", name="dead_letter_by_user"),
        ]

    def __str__(self) -> str:
        return f"{self.platform_user_id} in {self.activation_id}"


class LetterReplay(models.Model):
    """Dead letters that are sent again in the background: those that were there at `requested_at`, each once.

    `activation_id`: of one activation, else of all; `reason`: a text that the letter's reason holds, in any case.
    `letters`: how many there were. `customer_id`: whose they are, where they are one customer's.
    """

    customer_id = models.IntegerField(null=True)
    activation_id = models.IntegerField(null=True)
    reason = models.TextField(blank=True)
    letters = models.IntegerField()
    requested_at = models.DateTimeField()

    class Meta:
        db_table = "dead_letter_replay"

    def __str__(self) -> str:
        return f"replay {self.pk}"


class ReplayedBucket(models.Model):
    """How far a replay has come in one bucket: `replayed` letters; `done` where none is left."""

    pk = models.CompositePrimaryKey("bucket", "replay_id")
    bucket = models.SmallIntegerField()
    replay_id = models.BigIntegerField()
    replayed = models.IntegerField(db_default=0)
    done = models.BooleanField(db_default=False)

    class Meta:
        db_table = "dead_letter_replay_bucket"

    def __str__(self) -> str:
        return f"replay {self.replay_id}, bucket {self.bucket}"


class UploadedFile(models.Model):
    """A file that was uploaded, and what the platform's processing log said of it (`fate`).

    `ask_at`: when to look into the log; null where it has spoken, or there is none.
    """

    pk = models.CompositePrimaryKey("platform_id", "file_name")
    platform_id = models.IntegerField()
    file_name = models.TextField()
    batch = models.UUIDField()
    rows = models.IntegerField()
    fate = models.CharField(max_length=9)
    reason = models.TextField(blank=True)
    uploaded_at = models.DateTimeField()
    ask_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "uploaded_file"
        indexes = [
            models.Index(
                "platform_id", "ask_at", name="uploaded_file_to_ask", condition=models.Q(ask_at__isnull=False)
            ),
            models.Index("batch", name="uploaded_file_by_batch"),
        ]

    def __str__(self) -> str:
        return self.file_name
