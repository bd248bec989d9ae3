"""What the stages remember of themselves."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from audiences.models import Audience
from core.audit.models import AuditedModel
from core.models import Customer
from integrations.models import Platform, SecretField
from profiles.models import Pixel


class AbsorbRun(models.Model):
    """A batch of inbox rows under way, written before the work and deleted with it.

    Whoever holds a bucket's lock and finds a run that names the bucket knows that its worker died:
    `last_ids[i]` is the last row it had taken of `buckets[i]`; negative, it is this row and none before it.
    """

    id = models.UUIDField(primary_key=True)
    buckets = ArrayField(models.SmallIntegerField())
    last_ids = ArrayField(models.BigIntegerField())
    started_at = models.DateTimeField()

    class Meta:
        db_table = "absorb_run"

    def __str__(self) -> str:
        return str(self.id)


class Erasure(models.Model):
    """The proof that a user was erased: who asked, when, and what the platforms said. The user is known by a keyed
    hash only.

    `traces` is what is still looked for, encrypted; nothing once it was found (`swept_at`). `platforms`:
    `{"<pl>": {"open", "acknowledged", "given_up", "kept"}}`, each a list of segments' ids; a platform cannot remove ids
    from `kept` ones.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    customer_id = models.IntegerField()
    id_hash = models.BinaryField()
    requested_by = models.CharField(max_length=200)
    requested_at = models.DateTimeField()
    traces = SecretField(null=True, editable=False)
    platforms = models.JSONField(default=dict)
    swept_at = models.DateTimeField(null=True)
    looked_at = models.DateTimeField(null=True, help_text="When it was last looked whether platforms have responded.")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "erasure"
        indexes = [
            models.Index("customer_id", "requested_at", name="erasure_by_customer"),
            models.Index("requested_at", name="erasure_open", condition=models.Q(finished_at=None)),
            models.Index("customer_id", name="erasure_unswept", condition=models.Q(swept_at=None)),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def state(self) -> str:
        """How far it has come: erasing, waiting for platforms, or done."""
        if self.finished_at is not None:
            return "done"
        return "erasing" if self.swept_at is None else "waiting for platforms"


class KeptRow(models.Model):
    """A row that was applied to this user's profile, and accepted after an erasure that is under way.

    `row_bucket` and `row_id` name the row as it was in the inbox.
    """

    pk = models.CompositePrimaryKey("bucket", "customer_id", "user_id", "row_bucket", "row_id")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    user_id = models.UUIDField()
    row_bucket = models.SmallIntegerField()
    row_id = models.BigIntegerField()
    kind = models.SmallIntegerField()
    query = models.BinaryField()
    body = models.BinaryField(null=True)
    received_at = models.DateTimeField()

    class Meta:
        db_table = "kept_row"

    def __str__(self) -> str:
        return f"{self.row_bucket}-{self.row_id} of {self.user_id}"


class FoundId(models.Model):
    """An id of the erased person that the buckets have found, kept until texts that quote it have been searched for.

    `bucket` is where it was found. `since`: from when on the log of requests may quote it: when the person's profile of
    this id was made, or for ever, where the id may have been another's before.
    """

    pk = models.CompositePrimaryKey("bucket", "erasure", "value")
    bucket = models.SmallIntegerField()
    erasure = models.UUIDField()
    value = models.TextField()
    since = models.DateTimeField(null=True)

    class Meta:
        db_table = "found_id"

    def __str__(self) -> str:
        return f"an id of erasure {self.erasure}"


class RetentionRun(models.Model):
    """How far a night's sweep through the buckets has come."""

    day = models.DateField(primary_key=True)
    next_bucket = models.SmallIntegerField()

    class Meta:
        db_table = "retention_run"

    def __str__(self) -> str:
        return f"{self.day}: {self.next_bucket}"


class Import(models.Model):
    """A file of profiles on its way into the inbox.

    `position` counts the file's rows that were read, `stored` those that are in the inbox: both change in the
    transaction that appends the rows, so each is appended once whatever is killed. `kept`: the file is ours
    (uploaded), deleted when it is done with; else it lies at `path`. `read`: of `size` bytes. `fingerprint` tells
    whether a file at the path is still the same.
    """

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        NDJSON = "ndjson", "NDJSON"
        PARQUET = "parquet", "Parquet"
        XLSX = "xlsx", "Excel"

    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="imports")
    pixel = models.ForeignKey(Pixel, models.CASCADE, help_text="Its user key names the users of the file.")
    name = models.CharField(max_length=255, help_text="Of the file.")
    path = models.TextField(blank=True, default="")
    kept = models.BooleanField(default=False)
    format = models.CharField(max_length=7, choices=Format.choices)
    options = models.JSONField(default=dict, db_default={}, help_text="How it is read: `pipeline.imports.options`.")
    dry_run = models.BooleanField(default=False, help_text="Only look: store nothing, say what would change.")
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.WAITING)
    fingerprint = models.CharField(max_length=64, blank=True, default="")
    size = models.BigIntegerField(default=0)
    read = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    errors_bytes = models.BigIntegerField(default=0, help_text="Of the file of errors, as far as it is valid.")
    report = models.JSONField(null=True, help_text="What a dry run found.")
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "import"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"import {self.pk} of {self.name}"


class Export(models.Model):
    """What is exported of an audience, in which form, where to, and when.

    `platform`: one with the connector `file`, in whose place the file is put; None: it is kept to be downloaded.
    `every_minutes`: None is once. `due_at`: the slot that comes next; None: there is none. The row is the work: one run
    is made of it a slot, whatever dies.
    """

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        PARQUET = "parquet", "Parquet"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="exports")
    audience = models.ForeignKey(Audience, models.CASCADE, related_name="exports")
    name = models.CharField(max_length=100, help_text="Files are called after it.")
    format = models.CharField(max_length=7, choices=Format.choices, default=Format.CSV)
    fields = ArrayField(models.CharField(max_length=600), default=list, blank=True)
    platform = models.ForeignKey(
        Platform, models.CASCADE, null=True, blank=True, help_text="Where files are put; none: kept for download."
    )
    every_minutes = models.PositiveIntegerField(null=True, blank=True, help_text="Between two files; empty: once.")
    starts_at = models.DateTimeField(help_text="When the first file is due; the others follow from it.")
    due_at = models.DateTimeField(null=True, editable=False)
    paused = models.BooleanField(default=False)
    created_by = models.CharField(max_length=200)

    class Meta:
        db_table = "export"
        ordering = ["id"]
        indexes = [models.Index("due_at", name="export_due", condition=models.Q(due_at__isnull=False, paused=False))]

    def __str__(self) -> str:
        return self.name


class ExportRun(models.Model):
    """One file of an export: of the slot for which it was due.

    `token`: of whoever writes it now; a file whose token has changed meanwhile is thrown away. `again_at`: when to try
    again. `kept`: the file is with the hub.
    """

    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    customer_path = "export__customer_id"

    export = models.ForeignKey(Export, models.CASCADE, related_name="runs")
    slot = models.DateTimeField()
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.WAITING)
    token = models.UUIDField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    again_at = models.DateTimeField(null=True)
    rows = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    file_name = models.CharField(max_length=200, blank=True, default="")
    kept = models.BooleanField(default=False)
    error = models.TextField(blank=True, default="")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "export_run"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint("export", "slot", name="export_run_once_a_slot")]
        indexes = [models.Index("id", name="export_run_open", condition=models.Q(status__in=["waiting", "running"]))]

    def __str__(self) -> str:
        return f"{self.export_id} of {self.slot}"


class ImportTemplate(AuditedModel):
    """Options of imports under a name, so that files of one kind need not be described again."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="import_templates")
    name = models.CharField(max_length=200)
    options = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "import_template"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint("customer", "name", name="import_template_once_per_customer"),
        ]

    def __str__(self) -> str:
        return self.name


class ImportSchedule(AuditedModel):
    """Files that fit a pattern are fetched from a platform of files, again and again, and imported, each once.

    `due_at`: when to look next. `looked_at`, `error`: when that was last done, and what was wrong then.
    """

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="import_schedules")
    pixel = models.ForeignKey(Pixel, models.CASCADE, help_text="Its user key names the users of the files.")
    platform = models.ForeignKey(
        Platform, models.CASCADE, help_text="Where the files lie: a platform whose connector is `file`."
    )
    name = models.CharField(max_length=200)
    pattern = models.CharField(max_length=200, default="*", help_text="Of the files' names, such as people-*.csv.")
    options = models.JSONField(default=dict)
    interval_minutes = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(1), MaxValueValidator(10_080)]
    )
    enabled = models.BooleanField(default=True)
    due_at = models.DateTimeField()
    looked_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    unaudited_fields = frozenset({"due_at", "looked_at", "error"})

    class Meta:
        db_table = "import_schedule"
        ordering = ["name"]
        indexes = [models.Index("due_at", name="import_schedule_due", condition=models.Q(enabled=True))]

    def __str__(self) -> str:
        return self.name


class FetchedFile(models.Model):
    """A file that a schedule has fetched. Of its name, which may be a person's, a hash is kept."""

    customer_path = "schedule__customer_id"
    schedule = models.ForeignKey(ImportSchedule, models.CASCADE)
    name_hash = models.CharField(max_length=64)
    checksum = models.CharField(max_length=64)
    size = models.BigIntegerField()
    changed = models.CharField(max_length=64)
    fetched_at = models.DateTimeField()

    class Meta:
        db_table = "fetched_file"
        constraints = [
            models.UniqueConstraint("schedule", "name_hash", "checksum", name="fetched_file_once"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id}: {self.checksum}"
