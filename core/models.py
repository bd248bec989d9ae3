"""Tables of the ground: customers, API keys, people, the inbox, and rows that could not be absorbed."""

import secrets
import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from core.api_keys import Key, digest, new_secret
from core.audit.entries import AuditEntry
from core.client_address import LONGEST_NETWORK, networks
from core.configuration import ConfigurationModel, ConfigurationVersion, CustomerVersion, UsedNumber
from core.consent_mode import ConsentMode
from core.customer_limits import CustomerLimits, fault_of, limits_in
from core.inbox import FIRST_BULK
from core.own_ids import region_fault, word_fault
from core.people.models import EndedSessions, Invitation, RoleChoice, TeamMember
from core.shared_cache import SharedValue
from core.time_zones import LONGEST_NAME, time_zone_fault

__all__ = [
    "ApiKey",
    "ApiKeyUse",
    "AuditEntry",
    "BadRow",
    "ConfigurationProblem",
    "ConfigurationVersion",
    "Customer",
    "CustomerVersion",
    "EndedSessions",
    "Inbox",
    "Invitation",
    "SharedValue",
    "TeamMember",
    "UsedNumber",
]


def check_limits(given: object) -> None:
    """Raises ValidationError for what `core.customer_limits` does not know."""
    if not isinstance(given, dict):
        raise ValidationError("must be an object of limits")
    faults = [f"{name}: {fault}" for name, value in given.items() if (fault := fault_of(name, value))]
    if faults:
        raise ValidationError(faults)


def check_nobody_words(given: object) -> None:
    """Raises ValidationError for what `core.own_ids` does not take."""
    fault = word_fault(given)
    if fault:
        raise ValidationError(fault)


def check_phone_region(given: str) -> None:
    """Raises ValidationError for what is no country."""
    fault = region_fault(given)
    if fault:
        raise ValidationError(fault)


def check_time_zone(given: str) -> None:
    """Raises ValidationError for what is no time zone's name."""
    fault = time_zone_fault(given)
    if fault:
        raise ValidationError(fault)


class Customer(ConfigurationModel):
    """A tenant: everything else belongs to one. Requests name it by `m`."""

    numbered = True
    customer_path = "m"

    m = models.PositiveIntegerField(
        "customer id (m)", primary_key=True, help_text="The number that every pixel request carries as “m”."
    )
    name = models.CharField(max_length=200)
    consent = models.CharField(
        max_length=12,
        choices=[
            (ConsentMode.OFF.value, "off: signals are passed on, never judged"),
            (ConsentMode.WHEN_PRESENT.value, "when present: a signal that denies is obeyed"),
            (ConsentMode.REQUIRED.value, "required: nothing is kept without a signal that allows"),
        ],
        default=ConsentMode.WHEN_PRESENT.value,
        db_default=ConsentMode.WHEN_PRESENT.value,
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
    limits = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        validators=[check_limits],
        help_text="What the customer may use, where it is not what every customer may: see docs/operations.md.",
    )
    nobody_words = models.JSONField(
        "words for nobody",
        default=list,
        db_default=[],
        blank=True,
        validators=[check_nobody_words],
        help_text='Your own ids that name nobody, such as that of a shared terminal: ["kiosk"]. See docs/ids.md.',
    )
    phone_region = models.CharField(
        "country of telephone numbers",
        max_length=2,
        blank=True,
        default="",
        db_default="",
        validators=[check_phone_region],
        help_text="Where numbers without a country are from, such as DE: with it they are hashed in their E.164 form.",
    )
    time_zone = models.CharField(
        "time zone",
        max_length=LONGEST_NAME,
        default="UTC",
        db_default="UTC",
        validators=[check_time_zone],
        help_text="Its IANA name, such as Europe/Berlin: the days of rules, and dates without a zone, are its days.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "customer"
        ordering = ["m"]

    def __str__(self) -> str:
        return f"{self.name} ({self.m})"

    @property
    def allowed(self) -> CustomerLimits:
        """What the customer may use: its own limits, and for the rest what every customer may."""
        defaults: CustomerLimits = settings.CUSTOMER_LIMITS
        return defaults.replaced(limits_in(self.limits))


def check_network(text: str) -> None:
    """Raises ValidationError for what is neither an address nor a CIDR range."""
    try:
        networks([text])
    except ValueError as error:
        raise ValidationError(str(error), "invalid") from None


class ApiKey(ConfigurationModel):
    """A machine's key, stored as a prefix (to find and to recognise it) and a SHA-256 digest.

    The edge knows keys too: it holds them in memory, as configuration.
    """

    Role = RoleChoice

    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    role = models.CharField(max_length=8, choices=RoleChoice.choices, default=RoleChoice.ADMIN)
    customer = models.ForeignKey(
        Customer, models.CASCADE, null=True, blank=True, help_text="Empty: every customer's data."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Refused from then on. Empty: never.")
    allowed_addresses = ArrayField(
        models.CharField(max_length=LONGEST_NETWORK, validators=[check_network]),
        size=100,
        default=list,
        blank=True,
        db_default=[],
        help_text="The addresses and ranges (CIDR) that it may be used from. Empty: from everywhere.",
    )
    previous_digest = models.CharField(max_length=64, editable=False, default="", db_default="", blank=True)
    previous_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Until then the secret before the last rotation is valid too."
    )
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "api_key"
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def issue(cls, name: str, role: str, customer: Customer | None, **limits: Any) -> tuple["ApiKey", str]:
        """A new key: the stored row, and the key itself, which is not kept and is shown only now.

        `limits`: `expires_at` and `allowed_addresses`.
        """
        prefix = secrets.token_hex(6)
        key = new_secret(prefix)
        row = cls.objects.create(name=name, prefix=prefix, digest=digest(key), role=role, customer=customer, **limits)
        return row, key

    def held(self) -> Key:
        """The key as the doors check it."""
        allowed = networks(self.allowed_addresses)
        facts = (self.digest, self.role, self.customer_id, self.expires_at, allowed)
        return Key(*facts, self.previous_digest, self.previous_until)

    def state(self, now: datetime) -> str:
        """What it is worth: valid, expired or revoked."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= now else "valid"


class ApiKeyUse(models.Model):
    """When a key was last used from an address, to the minute. See `core.key_use`."""

    customer_path = "api_key__customer_id"

    pk = models.CompositePrimaryKey("api_key_id", "address")
    api_key = models.ForeignKey(ApiKey, models.CASCADE, related_name="uses", db_index=False)
    address = models.CharField(max_length=45)
    used_at = models.DateTimeField()

    class Meta:
        db_table = "api_key_use"

    def __str__(self) -> str:
        return f"{self.address}, {self.used_at}"


class ConfigurationProblem(models.Model):
    """What of the configuration cannot be used, and why. Written by those who tried; see `core.problems`.

    It is no configuration itself: what is broken is found anew whenever the configuration is compiled.
    """

    class Subject(models.TextChoices):
        ACTIVATION = "activation"
        ATTRIBUTE = "attribute"
        AUDIENCE = "audience"
        PLATFORM = "platform"

    pk = models.CompositePrimaryKey("subject", "number")
    subject = models.CharField(max_length=10, choices=Subject.choices)
    number = models.BigIntegerField()
    customer_id = models.IntegerField(db_index=True)
    words = models.TextField()
    found_at = models.DateTimeField()

    class Meta:
        db_table = "configuration_problem"

    def __str__(self) -> str:
        return f"{self.subject} {self.number}: {self.words}"


BULK = models.Q(kind__gte=FIRST_BULK)


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
        # bulk work is found however long the backlog that it waits in: by expressions, which no other index serves
        indexes = [models.Index(models.F("bucket") + 0, models.F("id") + 0, name="inbox_bulk", condition=BULK)]

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
